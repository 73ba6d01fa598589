"""The pages of co-signers and of life events in a real browser: on a phone and at a desk each is axe clean, fits, can be
pressed."""

import re

import pytest

from services.eapply.tests.people import EVENT
from services.eapply.tests.test_cosigners import flag
from services.eapply.tests.test_life_events import KEYS, offer
from services.eapply.tests.test_numbers_and_delegates_in_a_browser import (  # noqa: F401 (pytest finds fixtures by name)
    address,
    both,
    browser,
    browser_page,
    check,
    database,
    sign_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_person_is_asked_and_confirms(town, address, browser_page, check):  # noqa: F811
    flag(town, 1)
    sent = town.guest("phone").apply_for_event()
    page = browser_page(375)
    page.goto(f"{address}/event-moushikomi/")
    page.goto(f"{address}/applications/{sent.id}")
    both(page, check, "cosign-application")
    page.get_by_role("link", name="確認をお願いする・状況を見る").click()
    page.get_by_label(re.compile("確認する方の氏名")).fill("荒木 直美")
    both(page, check, "cosign-ask")
    page.get_by_role("button", name="この方にお願いする").click()
    both(page, check, "cosign-link")
    link = page.locator("p.code").inner_text().partition("/eapply")[2]
    sign_in(page, address, "delegate")
    page.goto(address + link)
    page.get_by_text("確認しないとき").click()
    both(page, check, "cosign-page")
    page.get_by_label(re.compile("あなたの氏名")).fill("荒木 直美")
    page.get_by_role("button", name="内容のとおりと確認する").click()
    both(page, check, "cosign-done")
    sign_in(page, address, "boss")
    page.goto(f"{address}/desk/cases/{sent.id}")
    both(page, check, "cosign-case")


def test_several_procedures_are_filed_from_a_life_event(town, address, browser_page, check):  # noqa: F811
    offer(town)
    page = browser_page(375)
    page.goto(f"{address}/")
    both(page, check, "life-index")
    page.get_by_role("link", name="介護が必要になったとき").click()
    both(page, check, "life-choose")
    page.get_by_role("button", name="選んだ手続きを始める").click()
    both(page, check, "life-together")
    for label, key in (
        ("イベントの名前", "event"),
        ("代表の方の氏名", "name"),
        ("フリガナ", "kana"),
        ("電話番号", "phone"),
        ("参加する人数", "people"),
    ):
        page.get_by_label(re.compile(f"^{label}")).fill(EVENT[key])
    page.get_by_role("button", name="すべての手続きに入れる").click()
    page.get_by_text("あと1か所").first.wait_for()
    for _ in KEYS:
        page.get_by_role("link", name=re.compile("の残りを入力する")).first.click()
        page.get_by_label(re.compile("だけの項目")).fill("はい")
        page.locator("form.fields .actions button.btn--main").click()
        page.get_by_role("link", name="まとめの画面へ戻る").wait_for()
        page.get_by_role("link", name="まとめの画面へ戻る").click()
    both(page, check, "life-ready")
    page.get_by_role("button", name="3件をまとめて送る").click()
    page.get_by_role("heading", name="まとめて受け付けました").wait_for()
    both(page, check, "life-sent")
