"""Making a procedure at a desk and on a small screen: each page fits, is axe clean, and answers change what is asked at once."""

import re

import pytest

from services.eapply.tests.people import hidden
from services.eapply.tests.test_staff_make_a_procedure import as_it_stands, make_hall, press, publish
from services.eapply.tests.test_the_story_in_a_browser import (  # noqa: F401 (pytest finds fixtures by name)
    SIGNED_IN,
    address,
    browser,
    browser_page,
    check,
    database,
)
from services.eapply.use_cases import procedures

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGES = {
    "list": "procedures",
    "inventory": "procedures/inventory", "entry": "procedures/inventory/new",
    "templates": "procedures/templates", "template": "procedures/jido-teate-nintei/template",
    "new": "procedures/new", "overview": "procedures/kaigishitsu", "outline": "procedures/kaigishitsu/edit",
    "about": "procedures/kaigishitsu/about", "page": "procedures/kaigishitsu/pages/p1", "choice": "procedures/kaigishitsu/fields/p1.q2",
    "number": "procedures/kaigishitsu/fields/p1.q3", "formula": "procedures/kaigishitsu/fields/p1.q4",
    "rules": "procedures/kaigishitsu/rules", "english": "procedures/kaigishitsu/languages/en",
    "translation": "procedures/kaigishitsu/languages/ja-easy/p1",
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


def looked_at(page, check, name: str) -> None:  # noqa: F811
    for width in (1280, 375):
        page.set_viewport_size({"width": width, "height": 800})
        check(page, name + f"-{width}")


def second_at(page, address: str, path: str, act, button: str, fill: dict[str, str]) -> None:  # noqa: F811
    """Open the form at `path`, let the first clerk `act`, fill in and press: the page of who comes second."""
    page.goto(f"{address}/desk/procedures/{path}")
    for label, text in fill.items():
        page.get_by_label(label).first.fill(text)
    act()
    with page.expect_response(lambda answer: answer.request.method == "POST") as held:
        page.get_by_role("button", name=button, exact=True).first.click()
    assert held.value.status == 409, path
    page.locator(".notice--warn").first.wait_for()


def test_every_form_of_the_builder_is_legible_to_who_comes_second(town, address, browser_page, check):  # noqa: F811
    first = make_hall(town)
    page = browser_page(1280)
    page.context.add_cookies([{"name": SIGNED_IN, "value": "manager", "url": address}])
    hall = "kaigishitsu"

    def press_(path: str, data: dict | None = None, **more: str):
        return lambda: press(first, f"{hall}/{path}", data, **more)

    half = {"checksnew.0.field": "q3", "checksnew.0.op": "below", "checksnew.0.value": "2", "checksnew.at": "q3"}
    for name, path, act, button, fill in (
        ("page", "pages/p1", press_("pages/p1", act="add:field", new_type="text", new_label="使うわけ"), "項目を足す",
         {"画面の名前": "利用", "見出し（市民への質問）": "連絡先"}),
        ("question", "fields/p1.q3", press_("fields/p1.q3", act="save", help="およその人数でかまいません。"), "保存する",
         {"見出し（市民への質問）": "使う方の人数"}),
        ("rules", "rules", press_("rules", half | {"checksnew.text": "2人からです。"}), "保存する",
         {"市民に伝える文": "150人まで。"}),
        ("outline", "edit", press_("edit", act="add", new_title="備品"), "画面を足す", {"足す画面の名前": "支払い"}),
        ("gone", "fields/p1.q5", press_("pages/p1", act="remove:q5"), "保存する", {"見出し（市民への質問）": "使う目的"}),
    ):  # fmt: skip
        second_at(page, address, f"{hall}/{path}", act, button, fill)
        looked_at(page, check, f"second-{name}")

    english = first.get(f"desk/procedures/{hall}/languages/en/p1").text
    names = {text: name for name, text in re.findall(r'<label class="label" for="(t\w+)">([^<]+)<', english)}
    act = press_("languages/en/p1", {names["大会議室"]: "Large room"})
    second_at(page, address, f"{hall}/languages/en/p1", act, "保存して訳の一覧へ戻る", {"小会議室": "Small room"})
    looked_at(page, check, "second-english")
    for lang in ("en", "ja-easy"):
        for part in ("", "/0", "/p1"):
            page.goto(f"{address}/desk/procedures/{hall}/languages/{lang}{part}")
            looked_at(page, check, f"languages-{lang}-{part[1:] or 'all'}")

    publish(first)
    with town.service.database.reading(tenant=town.code) as session:
        handling = f"{procedures.find(session, hall).id}/handling"
    fee = as_it_stands(first.get(f"desk/procedures/{handling}").text) | {"second_person": "yes", "fee_when": "none"}

    def handle() -> None:
        sent = fee | {"version": hidden(first.get(f"desk/procedures/{handling}").text, "version")}
        assert first.post(f"desk/procedures/{handling}", sent, follow_redirects=False).status_code == 303

    second_at(page, address, handling, handle, "この扱い方にする", {"根拠": "会議室条例"})
    looked_at(page, check, "second-handling")

    new = {"version": "0", "name": "印鑑登録", "department": "市民課", "online": "no", "reason": "in_person"}
    first.post("desk/procedures/inventory/new", new)
    entry = re.search(r'desk/procedures/inventory/([0-9a-f-]{36})"', first.get("desk/procedures/inventory").text)
    assert entry

    def count() -> None:
        first.post(f"desk/procedures/inventory/{entry[1]}", new | {"version": "1", "yearly_volume": "1200"})

    second_at(page, address, f"inventory/{entry[1]}", count, "保存する", {"備考": "実印のみ"})
    looked_at(page, check, "second-entry")


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
