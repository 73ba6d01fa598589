"""The citizen's claim and the staff's decision without a mouse, and what becomes of the focus on the way."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from services.sample import PASSWORD
from tests.browser import keys, people
from tests.browser.people import USING

Open = Callable[..., Page]
pytestmark = [pytest.mark.parametrize("cloud", ["sqlite+embedded"], indirect=True), pytest.mark.slow]
"""The pages are the same on both stores."""


def test_a_claim_is_filled_and_sent_and_staff_decide_it_by_keyboard(
    cloud: Any, browser_page: Open, tmp_path: Path
) -> None:
    phone = browser_page(people.PHONE)
    find_the_procedure(phone, cloud.url)
    fill_the_claim(phone, tmp_path)
    keys.tab_to(phone, "結果の通知を、郵送ではなく")
    phone.keyboard.press("Space")
    keys.enter(phone, "この内容で送る")
    receipt = people.receipt_on(phone)
    desk = browser_page(people.DESK)
    sign_in_by_keyboard(desk, cloud.url, people.USING_STAFF)
    decide(desk, receipt.number)
    phone.goto(f"{cloud.url}/t/{USING}/eapply/enquiry")
    keys.write(phone, "受付番号", receipt.number)
    keys.write(phone, "照会キー", receipt.key)
    keys.enter(phone, "状況を確かめる")
    assert "認定" in phone.inner_text("section.ticket")


def find_the_procedure(phone: Page, url: str) -> None:
    phone.goto(f"{url}/t/{USING}/")
    first = keys.step(phone)
    assert first and first["words"] == "本文へ進む", "the first stop passes by what every page has"
    phone.keyboard.press("Enter")
    keys.write(phone, "手続き名、困りごと、書類の名前", "児童手当")
    keys.send(phone)
    keys.enter(phone, "児童手当 認定請求")
    keys.enter(phone, "申し込みを始める")


def fill_the_claim(phone: Page, folder: Path) -> None:
    keys.choose(phone, "請求の理由", "お子さんが生まれた")
    keys.date(phone, "その理由が生じた日", "令和", 8, 11, 13)
    keys.choose(phone, "請求する方は公務員ですか", "公務員ではない")
    keys.tab_to(phone, "住民登録と所得・税の情報を")
    phone.keyboard.press("Space")
    keys.enter(phone, "請求する方へ進む")
    fill_the_claimant(phone)
    keys.write(phone, "氏名", "髙橋 陽菜")
    keys.write(phone, "フリガナ", "たかはし ひな")
    keys.date(phone, "生年月日", "令和", 8, 11, 13)
    keys.choose(phone, "請求する方から見た続柄", "子")
    keys.choose(phone, "いっしょに住んでいますか", "同居している")
    keys.enter(phone, "振込先へ進む")
    keys.write(phone, "金融機関名", "ちくご銀行")
    keys.write(phone, "支店名", "本店")
    keys.choose(phone, "口座の種類", "普通")
    keys.write(phone, "口座番号", "0012345")
    keys.write(phone, "口座名義（カナ）", "たかはし かよこ")
    keys.enter(phone, "書類へ進む")
    keys.attach(phone, "振込先の口座がわかるもの", people.passbook(folder))
    keys.enter(phone, "内容の確認へ進む")
    assert "内容の確認" in phone.inner_text("h1")


def fill_the_claimant(phone: Page) -> None:
    """With the address looked up, and one mistake: the focus goes to the summary, and from it to the input."""
    keys.write(phone, "氏名", people.NAME)
    keys.write(phone, "フリガナ", "たかはし かよこ")
    keys.date(phone, "生年月日", "平成", 4, 8, 17)
    keys.write(phone, "郵便番号", "830-0022")
    keys.enter(phone, "住所を入れる")
    after = keys.here(phone)
    assert after and after["name"] == "address.street", "after the look-up one goes on where one was"
    assert phone.get_by_label("市区町村").input_value() == "福岡県久留米市"
    phone.keyboard.press("End")
    phone.keyboard.insert_text("15番地3")
    keys.write(phone, "日中に連絡がとれる電話番号", "0942-30-900")
    keys.choose(phone, "年金の種類", "厚生年金")
    keys.enter(phone, "お子さんへ進む")
    focused = keys.here(phone)
    assert focused and "1か所、直してください" in focused["words"], "after a mistake the summary is read first"
    keys.step(phone)
    phone.keyboard.press("Enter")
    assert phone.evaluate("document.activeElement.name") == "phone", "the summary's link leads to the input"
    phone.keyboard.press("Control+A")
    phone.keyboard.insert_text("0942-30-9000")
    keys.enter(phone, "お子さんへ進む")


def sign_in_by_keyboard(desk: Page, url: str, email: str) -> None:
    desk.goto(f"{url}/sign-in?next=/t/{USING}/eapply/desk/")
    keys.write(desk, "メールアドレス", email)
    keys.write(desk, "パスワード", PASSWORD)
    keys.send(desk)


def decide(desk: Page, number: str) -> None:
    keys.write(desk, "受付番号・氏名・フリガナ", number)
    keys.send(desk)
    keys.enter(desk, re.compile("児童手当.*" + number))
    keys.enter(desk, "自分が担当する")
    keys.enter(desk, "この結果に決めて、知らせる")
    focused = keys.here(desk)
    assert focused and "直してください" in focused["words"], "no result chosen: the summary says so"
    keys.choose(desk, "結果", "認定")
    keys.enter(desk, "この結果に決めて、知らせる")
    assert "認定" in desk.inner_text("section[aria-labelledby=decided]")


def test_who_stands_in_a_part_that_is_exchanged_stands_there_afterwards(cloud: Any, browser_page: Open) -> None:
    """The operator's watch is fetched again every few seconds: the focus is not thrown to the page's start."""
    page = browser_page(people.DESK)
    people.sign_in(page, cloud.url, people.OPERATOR)
    page.goto(f"{cloud.url}/operator/watch")
    keys.tab_to(page, "出来事の送りと受け取りの表")
    page.evaluate("document.getElementById('watch').classList.add('shown-before')")
    page.wait_for_function("() => !document.querySelector('#watch.shown-before')")
    page.wait_for_timeout(100)  # htmx settles after it swaps
    after = keys.here(page)
    assert after and after["words"] == "出来事の送りと受け取りの表", after
