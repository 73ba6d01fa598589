"""The story on a phone and at a desk, in a real browser: every page it passes is axe clean, fits, and can be pressed."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from libs.common.actor import Actor
from libs.common.testing.browser import (  # noqa: F401 (pytest finds fixtures by name)
    assert_axe_clean,
    assert_no_sideways_scroll,
    assert_targets_large_enough,
    browser,
    browser_page,
    serving,
)
from libs.common.web import static_app
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import REVIEWER, Town
from services.eapply.tests.pictures import photograph

pytestmark = pytest.mark.browser
SIGNED_IN = "signed-in-as"
"""A cookie that stands for the gateway's session."""


class Door:
    """What the gateway does, as far as these pages need it: static files, and a token for whoever is signed in."""

    def __init__(self, town: Town, roles: frozenset[str] = REVIEWER) -> None:
        self._town, self._roles, self._static = town, roles, static_app()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/static/"):
            await self._static(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        cookies = dict(headers).get(b"cookie", b"").decode()
        found = re.search(rf"{SIGNED_IN}=([\w-]+)", cookies)
        roles = {"staff": self._roles, "manager": REVIEWER | {"eapply.manager"}}.get(found.group(1)) if found else None
        actor = self._town.staff(roles=roles).actor if roles else self._guest()
        token = self._town.issuers.headers(actor, "eapply")["Authorization"].encode()
        await self._town.app({**scope, "headers": [*headers, (b"authorization", token)]}, receive, send)

    def _guest(self) -> Actor:
        return self._town.guest("phone").actor


@pytest.fixture
def address(town: Town) -> Iterator[str]:
    with serving(Door(town)) as base:
        yield f"{base}/t/{town.code}/eapply"


@pytest.fixture
def check() -> Callable[[Page, str], None]:
    """Looks at a page as it stands; keeps a picture where SCREENSHOTS names a folder."""

    def look(page: Page, name: str) -> None:
        assert_axe_clean(page)
        assert_no_sideways_scroll(page)
        assert_targets_large_enough(page)
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            page.screenshot(path=f"{folder}/{name}.png", full_page=True)

    return look


def go_on(page: Page) -> None:
    page.locator("form.fields .actions button.btn--main").click()
    page.wait_for_load_state()


def fill_date(page: Page, name: str, era: str, year: int, month: int, day: int) -> None:
    page.locator(f'[name="{name}_era"]').select_option(era)
    for part, value in (("year", year), ("month", month), ("day", day)):
        page.locator(f'[name="{name}_{part}"]').fill(str(value))


def fill_claim(page: Page, check: Callable[[Page, str], None], tmp_path: Path) -> None:
    """児童手当 認定請求 from the first step to the confirm page."""
    page.get_by_label("お子さんが生まれた").check()
    fill_date(page, "reason_date", "reiwa", 8, 11, 13)
    page.get_by_label("公務員ではない").check()
    page.get_by_label("同意します").check()
    check(page, "10-start")
    go_on(page)
    page.get_by_label("氏名").fill("筑後 陽子")
    page.get_by_label("フリガナ").fill("ちくご ようこ")
    fill_date(page, "birth", "heisei", 4, 8, 17)
    page.locator('[name="address.postal"]').fill("８３０－００２２")
    page.get_by_role("button", name="住所を入れる").click()
    page.wait_for_load_state()
    assert page.locator('[name="address.city"]').input_value() == "福岡県久留米市"
    page.locator('[name="address.street"]').fill("城南町15番地3")
    page.locator('[name="phone"]').fill("0942-30-900")
    page.get_by_label("厚生年金").check()
    go_on(page)
    assert page.locator("[role=alert]").inner_text().startswith("1か所、直してください")
    check(page, "11-mistake")
    page.locator('[name="phone"]').fill("0942-30-9000")
    go_on(page)
    page.locator('[name="children.1.name"]').fill("筑後 陽菜")
    page.locator('[name="children.1.kana"]').fill("ちくご ひな")
    fill_date(page, "children.1.birth", "reiwa", 8, 11, 13)
    page.get_by_label("子", exact=True).check()
    page.get_by_label("同居している").check()
    page.get_by_role("button", name="お子さんを追加する").click()
    page.wait_for_load_state()
    check(page, "12-children")
    page.get_by_role("button", name="お子さん2を外す").click()
    page.wait_for_load_state()
    go_on(page)
    page.get_by_label("金融機関名").fill("ちくご銀行")
    page.get_by_label("支店名").fill("本店")
    page.get_by_label("普通").check()
    page.get_by_label("口座番号").fill("００１２３４５")
    page.get_by_label("口座名義（カナ）").fill("ちくご ようこ")
    go_on(page)
    picture = tmp_path / "tsucho.jpg"
    picture.write_bytes(photograph(640, 480))
    page.locator('[name="passbook"]').set_input_files(picture)
    check(page, "13-papers")
    go_on(page)


def test_a_citizen_claims_on_a_phone_and_staff_decide_at_a_desk(
    address: str,
    browser_page: Callable[..., Page],  # noqa: F811
    check: Callable[[Page, str], None],
    tmp_path: Path,
) -> None:
    phone = browser_page(375)
    phone.goto(f"{address}/")
    check(phone, "01-index")
    phone.get_by_role("link", name="児童手当 認定請求").click()
    check(phone, "02-procedure")
    phone.get_by_role("button", name="申し込みを始める").click()
    phone.wait_for_load_state()
    fill_claim(phone, check, tmp_path)
    assert "/confirm" in phone.url
    check(phone, "14-confirm")
    phone.get_by_label("結果の通知を、郵送ではなく").check()
    phone.get_by_role("button", name="この内容で送る").dblclick()
    phone.wait_for_load_state()
    phone.get_by_text("受け付けました").first.wait_for()
    check(phone, "15-receipt")
    number = re.search(r"\d{6}-\d{4}-\d{5}-\d", phone.inner_text("main")).group()  # type: ignore[union-attr]

    desk = browser_page(1280)
    desk.context.add_cookies([{"name": SIGNED_IN, "value": "staff", "url": address}])
    desk.goto(f"{address}/desk/")
    check(desk, "20-queue")
    assert desk.locator("table.queue tbody tr").count() == 1, "a double click is one application"
    desk.get_by_role("link", name=re.compile("児童手当")).click()
    check(desk, "21-case-new")
    desk.get_by_role("button", name="自分が担当する").click()
    desk.wait_for_load_state()
    desk.get_by_text("項目を選ぶ", exact=True).click()
    desk.locator('input[name="fields"][value="children.1.birth"]').check()
    desk.locator('input[name="fields"][value="account_holder"]').check()
    check(desk, "22-case")
    desk.get_by_role("button", name="選んだ項目の理由を書く").click()
    desk.wait_for_load_state()
    desk.locator('[name="reason:children.1.birth"]').fill("出生届の日付と異なるようです。")
    desk.locator('[name="reason:account_holder"]').fill("通帳の写しと読みが異なります。")
    check(desk, "22-correction")
    desk.get_by_role("button", name="補正を求める").click()
    desk.wait_for_load_state()
    assert "補正待ち" in desk.inner_text("main")

    phone.goto(f"{address}/mine")
    phone.goto(f"{address}/enquiry")
    check(phone, "30-enquiry")
    phone.get_by_role("link", name="手続き").first.click()
    phone.go_back()
    application = phone.url
    assert application.endswith("/enquiry") and number
    phone.goto(f"{address}/applications/{desk.url.rpartition('/')[2]}")
    check(phone, "31-status")
    phone.get_by_role("link", name="直す", exact=True).click()
    phone.wait_for_load_state()
    fill_date(phone, "children.1.birth", "reiwa", 8, 11, 12)
    phone.locator('[name="account_holder"]').fill("チクゴ ヨウコ")
    check(phone, "32-correction")
    go_on(phone)
    assert "直した内容が届きました" in phone.inner_text("main")

    desk.reload()
    check(desk, "23-case-diff")
    assert "令和8年11月12日" in desk.locator("table.diff ins").first.inner_text()
    desk.get_by_label("認定", exact=True).check()
    desk.get_by_role("button", name="この結果に決めて、知らせる").click()
    desk.wait_for_load_state()
    phone.reload()
    check(phone, "33-notice")
    assert "認定" in phone.inner_text("section.ticket")


def test_pages_fit_the_smallest_screen(
    address: str,
    town: Town,
    browser_page: Callable[..., Page],  # noqa: F811
) -> None:
    sent = town.guest("phone").apply_for_event()
    page = browser_page(320)
    for path in (
        "/",
        "/jido-teate-nintei/",
        "/enquiry",
        "/mine",
        f"/applications/{sent.id}",
        f"/applications/{sent.id}/receipt",
    ):
        page.goto(address + path)
        assert_no_sideways_scroll(page)
    page.context.add_cookies([{"name": SIGNED_IN, "value": "staff", "url": address}])
    for path in ("/desk/", f"/desk/cases/{sent.id}", "/desk/procedures"):
        page.goto(address + path)
        assert_no_sideways_scroll(page)
        assert_axe_clean(page)


def test_a_claim_is_made_without_a_mouse(address: str, town: Town, browser_page: Callable[..., Page]) -> None:  # noqa: F811
    """Keyboard only, from the procedure's page to the receipt."""
    page = browser_page(375)
    page.goto(f"{address}/event-moushikomi/")
    press_on(page, "申し込みを始める")
    for label, text in (("イベントの名前", "古文書講座"), ("代表の方の氏名", "髙橋 𠮷郎"), ("フリガナ", "たかはし よしろう"),
                        ("電話番号", "0942-30-9000"), ("参加する人数", "2")):  # fmt: skip
        tab_to(page, label)
        page.keyboard.insert_text(text)
    page.keyboard.press("Enter")
    page.wait_for_url("**/confirm")
    press_on(page, "この内容で送る")
    page.get_by_text("この画面でしか表示しません").wait_for()
    assert len(town.events("eapply.application.submitted.v1")) == 1


def tab_to(page: Page, words: str) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        here = page.evaluate(
            "(document.activeElement.labels?.[0]?.textContent || document.activeElement.textContent || '').trim()"
        )
        if here.startswith(words):
            return
    raise AssertionError(f"{words} cannot be reached with the Tab key")


def press_on(page: Page, words: str) -> None:
    before = page.url
    tab_to(page, words)
    page.keyboard.press("Enter")
    page.wait_for_function("before => location.href !== before", arg=before)
    page.wait_for_load_state()
