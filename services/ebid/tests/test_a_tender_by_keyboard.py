"""A works tender from the empty form to the receipt of a bid without a mouse: Tab, arrows, Space, Enter and typing, all that has the
focus seen. The form's mistakes are found and mended by keyboard, too; limits and bid are sealed as ever."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from libs.common.clock import JST
from services.ebid.tests.people import Town
from services.ebid.tests.test_the_story_in_a_browser import (  # noqa: F401
    Scene,
    browser,
    browser_page,
    database,
    scene,
)
from tests.browser import keys

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TITLE, AMOUNT, WITH_TAX, MINIMUM = "市道中央線舗装工事", "9123457", "11234575", "8345671"


def test_an_official_makes_seals_and_publishes_a_works_tender_by_keyboard(scene: Scene):  # noqa: F811
    town = scene.town
    town.register_trustees()
    desk = f"/t/{town.code}/ebid/desk"
    officer = scene.page("officer", town.officer.actor, 1280)
    scene.go(officer, f"{desk}/")
    keys.enter(officer, "案件を作る")
    keys.enter(officer, "下書きを保存する")
    focused = keys.here(officer)
    assert focused and "8か所、直してください" in focused["words"], "the summary of all that is missing is read first"
    fill(officer, town)
    keys.enter(officer, "下書きを保存する")
    assert TITLE in officer.inner_text("h1")
    seal(officer)
    keys.enter(officer, "公告の承認を頼む")
    manager = scene.page("manager", town.manager.actor, 1280)
    scene.go(manager, f"{desk}/approvals")
    keys.enter(manager, TITLE)
    keys.tab_to(manager, "承認して公告する")
    confirmed(manager)
    manager.wait_for_url(re.compile(r"/ebid/tenders/[^/]+/$"))
    assert not any(secret in each for secret in (WITH_TAX, MINIMUM) for each in scene.sent)


def fill(officer: Page, town: Town) -> None:
    """From the summary's first link on; the parts of 総合評価, 随意契約 and JV stay closed, and are passed by with one stop each."""
    now = town.service.clock.now().astimezone(JST)
    keys.step(officer)
    officer.keyboard.press("Enter")
    assert officer.evaluate("document.activeElement.name") == "title", "the summary's link leads to the input"
    officer.keyboard.insert_text(TITLE)
    keys.write(officer, "内容", "延長120mの舗装を打ち換えます。")
    keys.write(officer, "場所", "中央一丁目")
    keys.choose(officer, "区分", "工事")
    keys.choose(officer, "方法", "条件付一般競争入札（事後審査）")
    keys.moment(officer, "質問の締切", now + timedelta(days=2))
    keys.moment(officer, "入札・見積の締切", now + timedelta(days=5))
    keys.moment(officer, "開札・開封", now + timedelta(days=5, hours=1))
    keys.choose(officer, "予定価格の公表", "事後公表")
    keys.choose(officer, "低すぎる入札の扱い", "最低制限価格：公告の前に額に封をする")
    passed = keys.tab_to(officer, "総合評価とプロポーザルのとき")
    assert passed["kind"] == "summary"
    following = keys.step(officer)
    assert following and following["words"] == "随意契約のとき", "what is folded away is no stop"
    for number in (1, 2, 3):
        keys.tab_to(officer, f"第{number}の機関")
        officer.keyboard.press("Space")


def seal(officer: Page) -> None:
    keys.enter(officer, "予定価格に封をする")
    keys.write(officer, "予定価格（税込、円）", WITH_TAX)
    keys.tab_to(officer, "封をして保存する")
    refused(officer, "入力していない価格")
    keys.write(officer, "最低制限価格", MINIMUM)
    keys.enter(officer, "封をして保存する")
    assert "封がしてあります" in officer.inner_text("main")


def confirmed(page: Page) -> None:
    """Enter opens the question, on which the focus then is; the answer that goes on is reached from there."""
    page.keyboard.press("Enter")
    keys.enter(page, "はい、進める")


def test_a_company_bids_by_keyboard_and_another_declines(scene: Scene):  # noqa: F811
    town = scene.town
    tender = town.publish()
    base = f"/t/{town.code}/ebid/tenders/{tender}/"
    company = scene.page("company", town.company(1).actor, 375)
    scene.go(company, base)
    keys.enter(company, "入札書か辞退届を出す")
    keys.write(company, "入札金額", "0")
    keys.write(company, "くじ番号", "733")
    keys.tab_to(company, "封をして入札書を出す")
    refused(company, "1円以上")
    keys.tab_to(company, "入札金額")
    company.keyboard.press("Control+A")
    company.keyboard.insert_text(AMOUNT)
    keys.tab_to(company, "封をして入札書を出す")
    company.keyboard.press("Enter")
    company.get_by_text("入札書受付票").wait_for()  # the page is not left before there is an answer
    expect(company.locator("h1")).to_be_focused()
    other = scene.page("other", town.company(2).actor, 375)
    scene.go(other, base + "bid")
    keys.tab_to(other, "辞退する")
    other.keyboard.press("Enter")
    keys.tab_to(other, "辞退届を出す")
    confirmed(other)
    assert "辞退届受付票" in other.inner_text("main")
    assert not any(AMOUNT in each for each in scene.sent)


def refused(page: Page, words: str) -> None:
    """Enter seals nothing and says why, where the focus then is: above the fields, so that Tab leads into them again."""
    page.keyboard.press("Enter")
    expect(page.locator("[data-seal-error]")).to_contain_text(words)
    expect(page.locator("[data-seal-error]")).to_be_focused()
    expect(page.locator("[data-seal-error]")).to_be_in_viewport()


def test_who_returns_to_a_form_that_has_a_mistake_finds_it_by_keyboard(scene: Scene):  # noqa: F811
    """総合評価 without criteria: the part that was folded away is open, and the summary leads into it."""
    town = scene.town
    town.register_trustees()
    officer = scene.page("officer", town.officer.actor, 1280)
    scene.go(officer, f"/t/{town.code}/ebid/desk/tenders/{town.draft(limits='investigation')}/edit")
    keys.choose(officer, "落札者の決め方", "総合評価・除算方式")
    keys.enter(officer, "下書きを保存する")
    keys.step(officer)
    officer.keyboard.press("Enter")
    assert officer.evaluate("document.activeElement.name") == "criteria"
    officer.keyboard.insert_text("施工計画 20")
    keys.write(officer, "聴いた方（2人以上）", "学識経験者2人から、適当との意見")
