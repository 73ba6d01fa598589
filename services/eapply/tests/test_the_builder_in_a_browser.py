"""Making a procedure at a desk and on a small screen: each page fits, is axe clean, and answers change what is asked at once."""

import re

import pytest

from services.eapply.tests.test_staff_make_a_procedure import make_hall, press, publish
from services.eapply.tests.test_the_story_in_a_browser import (  # noqa: F401 (pytest finds fixtures by name)
    SIGNED_IN,
    address,
    browser,
    browser_page,
    check,
    database,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGES = {
    "list": "procedures",
    "inventory": "procedures/inventory", "entry": "procedures/inventory/new",
    "templates": "procedures/templates", "template": "procedures/jido-teate-nintei/template",
    "new": "procedures/new", "overview": "procedures/kaigishitsu", "outline": "procedures/kaigishitsu/edit",
    "about": "procedures/kaigishitsu/about", "page": "procedures/kaigishitsu/pages/p1", "choice": "procedures/kaigishitsu/fields/p1.q2",
    "number": "procedures/kaigishitsu/fields/p1.q3", "formula": "procedures/kaigishitsu/fields/p1.q4",
    "rules": "procedures/kaigishitsu/rules", "english": "procedures/kaigishitsu/languages/en",
    "preview": "procedures/kaigishitsu/preview/p1",
}  # fmt: skip


def test_every_page_of_the_builder_fits_and_is_axe_clean(town, address, browser_page, check):  # noqa: F811
    make_hall(town)
    page = browser_page(1280)
    page.context.add_cookies([{"name": SIGNED_IN, "value": "manager", "url": address}])
    for name, path in PAGES.items():
        page.goto(f"{address}/desk/{path}")
        for width in (1280, 320):
            page.set_viewport_size({"width": width, "height": 800})
            check(page, f"builder-{name}-{width}")


def test_who_saves_second_reads_what_the_first_did_and_saves_again(town, address, browser_page, check):  # noqa: F811
    first = make_hall(town)
    page = browser_page(375)
    page.context.add_cookies([{"name": SIGNED_IN, "value": "manager", "url": address}])
    page.goto(f"{address}/desk/procedures/kaigishitsu/about")
    press(first, "kaigishitsu/about", deadline="使う日の3日前まで", summary="会議室を借りられます。")
    page.get_by_label("申し込める方").fill("市内にお住まいの方")
    page.get_by_label("ひとことの説明").fill("市の部屋を使えます。")
    page.get_by_role("button", name="保存して下書きへ戻る").click()
    page.get_by_text("古賀 真理さんが先に変更しました").wait_for()
    for width in (1280, 375):
        page.set_viewport_size({"width": width, "height": 800})
        check(page, f"second-about-{width}")
    assert page.get_by_label("申し込める方").input_value() == "市内にお住まいの方"
    page.get_by_role("button", name="保存して下書きへ戻る").click()
    page.get_by_role("heading", name="画面の順番").wait_for()
    text = first.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text
    assert "使う日の3日前まで" in text and "市の部屋を使えます。" in text

    page.goto(f"{address}/desk/procedures/new")
    kept = {"name": "k.yaml", "mimeType": "application/yaml", "buffer": text.replace("利用申請", "予約").encode()}
    page.get_by_label("手続きのファイル").set_input_files(kept)
    page.get_by_role("button", name="取り込む", exact=True).click()
    page.get_by_role("heading", name="「会議室の利用申請」には下書きがあります").wait_for()
    for width in (1280, 375):
        page.set_viewport_size({"width": width, "height": 800})
        check(page, f"second-import-{width}")


def test_an_answer_brings_up_its_question_while_one_fills_in(town, address, browser_page, check):  # noqa: F811
    publish(make_hall(town))
    page = browser_page(320)
    page.goto(f"{address}/kaigishitsu/")
    page.get_by_role("button", name="申し込みを始める").click()
    page.get_by_label(re.compile("^氏名")).fill("筑後 陽子")
    room = page.get_by_role("radio", name="大会議室")
    room.focus()
    page.keyboard.press("Space")
    people = page.get_by_label(re.compile("大会議室を使う人数"))
    people.wait_for()
    assert room.evaluate("each => each === document.activeElement"), "who chose stays where they were"
    assert page.get_by_label(re.compile("^氏名")).input_value() == "筑後 陽子"
    people.fill("151")
    people.blur()
    page.get_by_text("ホールをお使いください").wait_for()
    check(page, "conditions-stopped")
    page.get_by_role("radio", name="小会議室").check()
    people.wait_for(state="detached")
    check(page, "conditions")
