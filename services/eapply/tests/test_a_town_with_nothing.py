"""A municipality with nothing takes 児童手当 from the library, makes it its own, and sees the first claim through to its numbers: on
a desk and on a phone, by the words on the pages alone. Every page it passes is axe clean and fits."""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page

from libs.common.service import Service
from libs.common.testing.browser import serving
from libs.common.testing.service import Issuers
from services.eapply.rooms import room
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Town, open_room
from services.eapply.tests.test_the_statutory_clock import MANAGER, work
from services.eapply.tests.test_the_story_in_a_browser import (  # noqa: F401 (pytest finds fixtures by name)
    SIGNED_IN,
    Door,
    browser,
    browser_page,
    check,
    fill_claim,
    fill_date,
    go_on,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]
Check = Callable[[Page, str], None]


@pytest.fixture
def bare_town(service: Service, issuers: Issuers, monkeypatch: pytest.MonkeyPatch) -> Town:
    """Its room is open, and empty: no procedure, no application. (The database of a `town` comes with some.)"""
    monkeypatch.setattr(room, "FIRST", frozenset())
    open_room(service, "402036", "久留米市")
    return Town(service, issuers, "402036")


@pytest.fixture
def site(bare_town: Town) -> Iterator[str]:
    with serving(Door(bare_town, MANAGER)) as base:
        yield f"{base}/t/{bare_town.code}/eapply"


def press(page: Page, words: str) -> None:
    page.get_by_role("button", name=words, exact=True).first.click(timeout=10_000)
    page.wait_for_load_state()


def follow(page: Page, words: str | re.Pattern[str]) -> None:
    page.get_by_role("link", name=words).first.click(timeout=10_000)
    page.wait_for_load_state()


def test_a_town_with_nothing_offers_child_allowance_and_sees_the_first_claim_through(
    bare_town: Town,
    site: str,
    browser_page: Callable[..., Page],  # noqa: F811
    check: Check,  # noqa: F811
    tmp_path: Path,
) -> None:
    desk, phone = browser_page(1280), browser_page(375)
    desk.context.add_cookies([{"name": SIGNED_IN, "value": "manager", "url": site}])
    the_empty_desk_says_what_to_do(desk, site, check)
    the_clerk_takes_the_template(desk, check)
    the_clerk_makes_it_the_towns_own(desk, check)
    number = a_parent_claims(phone, site, check, tmp_path)
    the_clerk_returns_one_field(desk, site, check)
    the_parent_mends_it(phone, check)
    the_clerk_decides(desk, site, check)
    with ThreadPoolExecutor(1) as worker:  # the browser's own loop runs in this thread, and the seal needs one, too
        worker.submit(work, bare_town).result()
    the_parent_reads_the_notice(phone, number, check)
    the_town_sees_its_numbers(desk, check)


def the_empty_desk_says_what_to_do(desk: Page, site: str, check: Check) -> None:  # noqa: F811
    desk.goto(f"{site}/")
    assert "オンラインで申し込める手続きは、まだありません" in desk.inner_text("main")
    check(desk, "00-nothing-for-citizens")
    desk.goto(f"{site}/desk/numbers")
    assert "まだ手続きがありません" in desk.inner_text("main")
    check(desk, "00-no-numbers")
    desk.goto(f"{site}/desk/")
    check(desk, "01-empty-desk")
    follow(desk, "手続き")
    assert "まだ手続きがありません" in desk.inner_text("main")
    check(desk, "02-no-procedure")


def the_clerk_takes_the_template(desk: Page, check: Check) -> None:  # noqa: F811
    follow(desk, "ひな型から作る")
    desk.get_by_role("searchbox").fill("児童手当")
    desk.keyboard.press("Enter")
    desk.wait_for_url("**q=**")
    check(desk, "03-templates")
    press(desk, "「児童手当 認定請求」で下書きを作る")
    check(desk, "04-draft")


def the_clerk_makes_it_the_towns_own(desk: Page, check: Check) -> None:  # noqa: F811
    follow(desk, "下書きを続ける")
    check(desk, "05-outline")
    follow(desk, "手続きの説明・根拠・教示")
    desk.get_by_label("担当課").fill("こども未来課")
    check(desk, "06-about")
    press(desk, "保存して下書きへ戻る")
    follow(desk, re.compile("請求する方"))
    check(desk, "07-page")
    desk.get_by_label("見出し（市民への質問）").fill("日中に電話できる時間")
    press(desk, "項目を足す")
    check(desk, "08-question")
    desk.get_by_label("必ず答えてもらう").uncheck()
    press(desk, "保存する")
    check(desk, "09-saved")
    follow(desk, "児童手当 認定請求")
    check(desk, "10-before-publishing")
    press(desk, "この下書きを公開する")
    assert "第1版を公開しています" in desk.inner_text("main")
    check(desk, "11-published")


def a_parent_claims(phone: Page, site: str, check: Check, folder: Path) -> str:  # noqa: F811
    phone.goto(f"{site}/")
    follow(phone, "児童手当 認定請求")
    assert "こども未来課" in phone.inner_text("main")
    check(phone, "20-procedure")
    press(phone, "申し込みを始める")
    fill_claim(phone, check, folder)
    phone.get_by_label("結果の通知を、郵送ではなく").check()
    check(phone, "25-confirm")
    press(phone, "この内容で送る")
    phone.get_by_text("受け付けました").first.wait_for()
    check(phone, "26-receipt")
    found = re.search(r"\d{6}-\d{4}-\d{5}-\d", phone.inner_text("main"))
    assert found
    return found.group()


def the_clerk_returns_one_field(desk: Page, site: str, check: Check) -> None:  # noqa: F811
    desk.goto(f"{site}/desk/")
    check(desk, "30-queue")
    follow(desk, re.compile("児童手当"))
    press(desk, "自分が担当する")
    check(desk, "31-case")
    desk.get_by_text("項目を選ぶ", exact=True).click()
    desk.get_by_label("口座名義（カナ）", exact=True).check()
    press(desk, "選んだ項目の理由を書く")
    desk.get_by_label("「口座名義（カナ）」を直していただく理由").fill("通帳の写しと読みが異なります。")
    check(desk, "32-correction")
    press(desk, "補正を求める")
    assert "補正待ち" in desk.inner_text("main")
    check(desk, "33-returned")


def the_parent_mends_it(phone: Page, check: Check) -> None:  # noqa: F811
    phone.locator("main a[href*='/applications/']:not([href$='.pdf']):not([href$='/cosigners'])").first.click()
    phone.get_by_role("link", name="直す", exact=True).wait_for()
    check(phone, "40-asked-to-mend")
    follow(phone, "直す")
    phone.get_by_label("口座名義（カナ）").fill("チクゴ ヨウ")
    check(phone, "41-mending")
    go_on(phone)
    assert "直した内容が届きました" in phone.inner_text("main")
    check(phone, "42-mended")


def the_clerk_decides(desk: Page, site: str, check: Check) -> None:  # noqa: F811
    desk.goto(f"{site}/desk/")
    check(desk, "50-came-back")
    follow(desk, re.compile("児童手当"))
    assert desk.locator("table.diff ins").all_inner_texts() == ["チクゴ　ヨウ"]
    check(desk, "51-diff")
    desk.get_by_label("認定", exact=True).check()
    press(desk, "この結果に決めて、知らせる")
    assert "認定" in desk.locator("section[aria-labelledby=decided]").inner_text()
    check(desk, "52-decided")


def the_parent_reads_the_notice(phone: Page, number: str, check: Check) -> None:  # noqa: F811
    phone.reload()
    assert number in phone.inner_text("main") and "認定" in phone.inner_text("section.ticket")
    check(phone, "60-notice")
    with phone.expect_download() as coming:
        phone.get_by_role("link", name="通知書をPDFで保存する").first.click()
    content = Path(coming.value.path()).read_bytes()
    assert content.startswith(b"%PDF") and b"/ByteRange" in content, "signed"
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder, "60-notice.pdf").write_bytes(content)


def the_town_sees_its_numbers(desk: Page, check: Check) -> None:  # noqa: F811
    follow(desk, "件数")
    check(desk, "70-numbers")
    row = desk.locator("tbody tr", has_text="児童手当").first
    assert re.findall(r"\d+", row.inner_text())[:3] == ["1", "0", "1"]
