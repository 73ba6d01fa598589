"""Somebody without a mouse fills in the form of a tender, seals its prices, has it approved and published: Tab, arrows, Space, Enter."""

import re
from datetime import timedelta
from typing import Any

from playwright.sync_api import Page, expect

from libs.common.clock import JST
from services.ebid.tests.test_the_story_in_a_browser import (  # noqa: F401
    Scene,
    browser,
    browser_page,
    database,
    look,
    pytestmark,
    scene,
)
from tests.browser.keys import choose, enter, here, step, tab_to, write

TITLE = "市道中央線舗装工事（鍵盤）"


def fill_moment(page: Page, label: str, town: Any, **ahead: float) -> None:
    """A date and time as a keyboard enters them: part by part, from the year to the minute."""
    at = (town.service.clock.now() + timedelta(**ahead)).astimezone(JST)
    tab_to(page, label)
    page.keyboard.type(f"{at:%m%d%Y}")  # the browser under test writes month, day, year
    page.keyboard.press("Tab")
    page.keyboard.type(f"{at:%I%M%p}")
    value = page.evaluate("document.activeElement.value")
    assert value == f"{at:%Y-%m-%dT%H:%M}", f"{label}: {value}"


def test_a_tender_is_drafted_sealed_approved_and_published_without_a_mouse(scene: Scene):  # noqa: F811
    town = scene.town
    town.register_trustees()
    desk = f"/t/{town.code}/ebid/desk"
    officer = scene.page("officer", town.officer.actor, 1280)
    scene.go(officer, f"{desk}/new")
    write(officer, "件名", TITLE)
    write(officer, "内容", "延長120mの舗装を打ち換えます。")
    write(officer, "場所", "中央一丁目")
    choose(officer, "区分", "工事")
    choose(officer, "方法", "条件付一般競争入札（事後審査）")
    fill_moment(officer, "質問の締切", town, days=2)
    fill_moment(officer, "入札の締切", town, days=5)
    fill_moment(officer, "開札", town, days=5, hours=1)
    choose(officer, "予定価格の公表", "事後公表")
    choose(officer, "低すぎる入札の扱い", "最低制限価格：公告の前に額に封をする")
    choose(officer, "同じ価格のときのくじ", "大阪府の方式")
    for _ in range(3):
        stop = tab_to(officer, "", legend="開札のかぎを持つ人")
        officer.keyboard.press("Space")
        assert here(officer)["checked"], stop
    enter(officer, "下書きを保存する")
    officer.wait_for_url("**/desk/tenders/**")
    enter(officer, "予定価格に封をする")
    write(officer, "予定価格（税込）", "11000000")
    write(officer, "最低制限価格", "8000000")
    tab_to(officer, "封をして保存する")
    officer.keyboard.press("Enter")
    expect(officer.get_by_role("button", name="公告の承認を頼む")).to_be_visible()
    enter(officer, "公告の承認を頼む")
    manager = scene.page("manager", town.manager.actor, 1280)
    scene.go(manager, f"{desk}/approvals")
    enter(manager, TITLE)
    tab_to(manager, re.compile("^承認して公告する|公告する"))
    manager.keyboard.press("Enter")
    if manager.get_by_role("button", name="はい、進める").is_visible():
        for _ in range(10):
            if (step(manager) or {}).get("words") == "はい、進める":
                break
        manager.keyboard.press("Enter")
    guest = scene.page("guest-2", town.guest().actor, 375)
    expect(manager.locator("main")).to_contain_text(TITLE)
    scene.go(guest, f"/t/{town.code}/ebid/")
    enter(guest, TITLE)
    assert "大阪府の方式" in guest.inner_text("main") and "最低制限価格" in guest.inner_text("main")
    look(guest, "made-by-keyboard-375")
