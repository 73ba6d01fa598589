"""The six steps a municipality, a citizen, its staff and the council walk together, on the whole running cloud, in a real browser.

The citizen has a phone of 375 px, everybody else a desk of 1280 px. Once on SQLite with the embedded bus, once on PostgreSQL
with RabbitMQ.
"""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from libs.common.clock import SystemClock, fiscal_year, local_date
from tests.browser import people
from tests.browser.people import JOINING, JOINING_NAME, NAME, USING, USING_NAME, Receipt, says

Open = Callable[..., Page]
PUBLISHED = {
    "共同利用センターサービス": 27,
    "電子申請サービス": 50,
    "遠隔地データバックアップサービス": 19,
    "電子入札サービス": 3,
    "ふくおか自治体クラウド": 17,
}
"""The plan's table for 2018-09 (福岡県官民データ活用推進計画, March 2019)."""
BIRTH, HOLDER = "お子さん1　生年月日", "口座名義（カナ）"
"""The two fields that staff return."""


def test_a_municipality_joins_a_citizen_applies_staff_decide_and_everybody_counts(
    cloud: Any, browser_page: Open, tmp_path: Path
) -> None:
    council = browser_page(people.DESK)
    people.sign_in(council, cloud.url, people.COUNCIL)
    before = the_council_counts(council, cloud.url)
    admin = browser_page(people.DESK)
    the_municipality_opts_in(admin, browser_page(people.DESK), cloud.url)
    the_service_is_on(admin, browser_page(people.PHONE), cloud.url)
    assert people.counted(council, cloud.url)["電子申請サービス"] == before + 1

    receipt = the_citizen_applies(browser_page, cloud.url, tmp_path)
    the_administrator_becomes_a_reviewer(admin, cloud.url)
    nobody_else_sees_it(browser_page(people.DESK), cloud.url, receipt)
    staff_return_two_fields(admin, cloud.url, receipt)
    phone = browser_page(people.PHONE)
    the_citizen_changes_only_those(phone, cloud.url, receipt)
    staff_compare_and_decide(admin, cloud.url, receipt)
    the_citizen_reads_notice_and_history(phone, cloud.url, receipt)
    the_mails_have_come(browser_page(people.DESK), cloud.url)
    the_application_is_counted(admin, council, cloud.url)


def the_council_counts(council: Page, url: str) -> int:
    """Steps 1 and 2: the published table at a past date, with that day's names; today's count is what step 3 changes."""
    then = people.counted(council, url, "2018-09-15")
    assert {name: count for name, count in then.items() if name in PUBLISHED} == PUBLISHED
    council.get_by_text("市町村を表で見る").click()
    assert "那珂川町" in council.inner_text("main"), "the town as it was called on that day"
    today = people.counted(council, url)["電子申請サービス"]
    council.get_by_text("市町村を表で見る").click()
    assert "那珂川市" in council.inner_text("main")
    return today


def the_municipality_opts_in(admin: Page, operator: Page, url: str) -> None:
    """Step 3: asked for now, approved by the operator, watched live on a page nobody reloads."""
    people.sign_in(admin, url, people.JOINING_ADMIN)
    admin.goto(f"{url}/portal/")
    admin.wait_for_url(f"**/portal/{JOINING}/")
    offer = admin.get_by_role("article", name="電子申請サービス")
    assert "費用" in offer.inner_text() and "効果" in offer.inner_text()
    people.follow(admin, "電子申請を申し込む")
    admin.get_by_label("承認されたら、すぐ").check()
    people.press(admin, "電子申請を申し込む")
    assert "/requests/" in admin.url
    people.sign_in(operator, url, people.OPERATOR)
    operator.goto(f"{url}/operator/")
    people.press(operator, f"{JOINING_NAME}の電子申請サービスを承認する")
    progress = admin.locator("#progress")
    progress.get_by_text("使えるようになりました").first.wait_for(timeout=people.PATIENCE * 1000)
    assert "協議会が承認しました" in progress.inner_text()


def the_service_is_on(admin: Page, phone: Page, url: str) -> None:
    """Nothing was started again: the citizens' page, the portal and the gateway know it within seconds."""
    people.open_when(phone, f"{url}/t/{JOINING}/eapply/", says("児童手当 認定請求"), "e-application is on")
    admin.goto(f"{url}/portal/{JOINING}/")
    assert "電子申請サービス" in admin.locator("section[aria-labelledby=now]").inner_text()


def the_citizen_applies(browser_page: Open, url: str, folder: Path) -> Receipt:
    """Step 4, as a guest: begun on one phone, put aside, resumed on another by the link, sent once."""
    phone = browser_page(people.PHONE)
    people.begin_claim(phone, url, JOINING)
    people.fill_start(phone)
    people.go_on(phone)
    people.fill_claimant(phone)
    assert phone.get_by_label("市区町村").input_value() == "福岡県三潴郡大木町"
    people.press(phone, "中断して、あとで続ける")
    link = phone.locator("section.ticket a").inner_text()
    other = browser_page(people.PHONE)
    other.goto(link)
    people.press(other, "続きから入力する")
    assert other.get_by_label("氏名").input_value() == NAME
    for fill in (None, people.fill_child, people.fill_account):
        if fill:
            fill(other)
        people.go_on(other)
    people.fill_papers(other, folder)
    people.go_on(other)
    return sent_once(other)


def sent_once(phone: Page) -> Receipt:
    """A double click, a reload and the way back: one application, and the receipt says so."""
    phone.get_by_role("heading", name="内容の確認").wait_for()
    confirmed = phone.inner_text("main")
    assert NAME in confirmed and "タカハシ　カヨコ" in confirmed and "平成4年8月17日" in confirmed
    assert "tsucho.png" in confirmed
    phone.get_by_label("結果の通知を、郵送ではなく、この画面で受け取ることに同意します").check()
    phone.get_by_role("button", name="この内容で送る").dblclick()
    receipt = people.receipt_on(phone)
    phone.reload()
    assert people.receipt_on(phone) == receipt, "a reload shows the same receipt"
    phone.go_back()
    phone.wait_for_load_state()
    again = phone.get_by_role("button", name="この内容で送る")
    if again.count():  # the browser kept the page
        again.click()
        phone.wait_for_load_state()
    assert receipt.number in phone.inner_text("main")
    return receipt


def the_administrator_becomes_a_reviewer(admin: Page, url: str) -> None:
    """Rights given in the portal are in force within seconds, in the session that is open."""
    admin.goto(f"{url}/portal/{JOINING}/members/")
    me = admin.locator("main li", has_text="（あなた）")
    me.get_by_label("電子申請の審査").check()
    me.get_by_role("button", name="この権限にする").click()
    admin.wait_for_load_state()
    queue = f"{url}/t/{JOINING}/eapply/desk/"
    people.open_when(admin, queue, lambda page: "受け付けた申請" in page.inner_text("h1"), "the queue opens")


def nobody_else_sees_it(other: Page, url: str, receipt: Receipt) -> None:
    """Staff of another municipality: not in their queue, and not by its address."""
    people.sign_in(other, url, people.USING_STAFF)
    other.goto(f"{url}/t/{USING}/eapply/desk/?q={receipt.number}")
    assert USING_NAME in other.inner_text("header") and receipt.number not in other.inner_text("main")
    answer = other.goto(f"{url}/t/{JOINING}/eapply/desk/?q={receipt.number}")
    assert answer and answer.status in (403, 404)
    assert receipt.number not in other.inner_text("main") and "髙橋" not in other.content()


def staff_return_two_fields(staff: Page, url: str, receipt: Receipt) -> None:
    """Step 5: the queue holds one, however often it was sent; two fields go back, each with its reason."""
    staff.goto(f"{url}/t/{JOINING}/eapply/desk/")
    assert staff.locator("table.queue tbody tr").count() == 1
    assert NAME in staff.inner_text("table.queue")
    people.follow(staff, re.compile(receipt.number))
    people.press(staff, "自分が担当する")
    staff.get_by_text("項目を選ぶ", exact=True).click()
    for label in (BIRTH, HOLDER):
        staff.get_by_label(label, exact=True).check()
    people.press(staff, "選んだ項目の理由を書く")
    staff.get_by_label(f"「{BIRTH}」を直していただく理由").fill("出生届の日付と異なるようです。")
    staff.get_by_label(f"「{HOLDER}」を直していただく理由").fill("通帳の写しと読みが異なります。")
    people.press(staff, "補正を求める")
    assert "補正待ち" in staff.inner_text("main")


def the_citizen_changes_only_those(phone: Page, url: str, receipt: Receipt) -> None:
    """On another device, by number and key. What was not asked for cannot be changed."""
    people.enquire(phone, url, JOINING, receipt)
    assert "出生届の日付と異なるようです。" in phone.inner_text("main")
    people.follow(phone, "直す")
    names = phone.locator("form.fields .input").evaluate_all("inputs => inputs.map((input) => input.name)")
    assert {name.rpartition("_")[0] if "birth" in name else name for name in names} == {
        "children.1.birth",
        "account_holder",
    }
    people.fill_date(phone, "children.1.birth", "reiwa", 8, 11, 12)
    phone.locator('[name="account_holder"]').fill("タカハシ カヨ")
    people.go_on(phone)
    assert "直した内容が届きました" in phone.inner_text("main")


def staff_compare_and_decide(staff: Page, url: str, receipt: Receipt) -> None:
    """Old and new stand side by side; a refusal needs its reason, then carries it and the instruction about remedies."""
    staff.goto(f"{url}/t/{JOINING}/eapply/desk/")
    people.follow(staff, re.compile(receipt.number))
    changed = staff.locator("table.diff")
    assert changed.locator("del").all_inner_texts() == ["令和8年11月13日", "タカハシ　カヨコ"]
    assert changed.locator("ins").all_inner_texts() == ["令和8年11月12日", "タカハシ　カヨ"]
    staff.get_by_label("一部認定").check()
    people.press(staff, "この結果に決めて、知らせる")
    assert "理由" in staff.locator("[role=alert]").inner_text(), "not everything granted: the law asks for the reason"
    staff.get_by_label("理由", exact=False).first.fill(
        "請求の日より前の月の分は、児童手当法第8条により支給できません。"
    )
    people.press(staff, "この結果に決めて、知らせる")
    assert "一部認定" in staff.locator("section[aria-labelledby=decided]").inner_text()


def the_citizen_reads_notice_and_history(phone: Page, url: str, receipt: Receipt) -> None:
    people.enquire(phone, url, JOINING, receipt)
    notice = phone.locator("section.ticket").inner_text()
    assert "一部認定" in notice and "児童手当法第8条" in notice
    assert f"{JOINING_NAME}長に対して審査請求" in notice, "教示 names who is asked"
    history = phone.locator("section[aria-labelledby=history] li").all_inner_texts()
    assert len(history) >= 5, history


def the_mails_have_come(page: Page, url: str) -> None:
    """Received, returned, decided: three mails, none with what was written in the form."""
    enough = lambda shown: shown.locator("main li", has_text="takahashi@home.example").count() >= 3  # noqa: E731
    people.open_when(page, f"{url}/mail/", enough, "three mails to the citizen")
    page.locator("main li", has_text="takahashi@home.example").first.get_by_role("link").click()
    page.wait_for_load_state()
    assert "髙橋" not in page.inner_text("main")


def the_application_is_counted(admin: Page, council: Page, url: str) -> None:
    """Step 6: over the bus to the portal and the council's page."""
    year = fiscal_year(local_date(SystemClock().now()))
    people.open_when(admin, f"{url}/portal/{JOINING}/usage/?year={year}", says("申請 1件"), "the portal counts")

    def row_counts(page: Page) -> bool:
        cells = page.locator("tbody tr", has=page.get_by_role("rowheader", name=JOINING_NAME)).locator("td")
        return cells.first.inner_text() == "1"

    people.open_when(council, f"{url}/council/applications?year={year}", row_counts, "the council counts")
    assert "実績がある市町村数" in council.inner_text("main")


def test_a_service_from_april_is_counted_from_that_day_on(cloud: Any, browser_page: Open) -> None:
    """Asked for and approved today: the count stays as it is until 1 April."""
    today = local_date(SystemClock().now())
    april, name = date(fiscal_year(today) + 1, 4, 1), "共同利用センターサービス"
    council, admin, operator = (browser_page(people.DESK) for _ in range(3))
    people.sign_in(council, cloud.url, people.COUNCIL)
    then = people.counted(council, cloud.url, april.isoformat())[name]
    now = people.counted(council, cloud.url)[name]
    people.sign_in(admin, cloud.url, people.USING_ADMIN)
    admin.goto(f"{cloud.url}/portal/{USING}/services/center")
    admin.get_by_label("4月1日").check()
    people.press(admin, "共同利用センターを申し込む")
    people.sign_in(operator, cloud.url, people.OPERATOR)
    operator.goto(f"{cloud.url}/operator/")
    people.press(operator, f"{USING_NAME}の{name}を承認する")
    assert people.counted(council, cloud.url)[name] == now
    assert people.counted(council, cloud.url, april.isoformat())[name] == then + 1
