"""共同企業体, 受任者, 予備価格 and the outage ledger, by hand in a real browser, on a phone and at a desk."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from services.ebid.tests.people import Town
from services.ebid.tests.test_a_branch_bids_for_its_company import NAME
from services.ebid.tests.test_companies_join_for_a_tender import NAME as VENTURE
from services.ebid.tests.test_companies_join_for_a_tender import RULE, joined
from services.ebid.tests.test_outages_are_written_down import down
from services.ebid.tests.test_points_that_bidders_give_themselves import SELF
from services.ebid.tests.test_the_story_in_a_browser import (  # noqa: F401
    Scene,
    browser,
    browser_page,
    database,
    look,
    scene,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def posted(page: Page, button: str) -> None:
    """Press it and wait for the answer: a form that is silently refused sends nothing, and this fails."""
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_load_state()


def test_a_limit_is_sealed_by_hand_beside_a_reserve_that_is_told(scene: Scene):  # noqa: F811
    town = scene.town
    town.register_trustees()
    tender = town.draft(limits="sealed", disclosure="before", reserve_with_tax="11000000")
    officer = scene.page("officer", town.officer.actor, 1280)
    scene.go(officer, f"/t/{town.code}/ebid/desk/tenders/{tender}")
    officer.get_by_role("link", name="最低制限価格などに封をする").click()
    expect(officer.get_by_label(re.compile("入札書比較価格"))).to_have_value("10000000")
    officer.get_by_role("button", name="封をして保存する").click()
    expect(officer.get_by_role("alert")).to_contain_text("入力していない価格")
    officer.get_by_label(re.compile("最低制限価格")).fill("8345671")
    look(officer, "told-limits-1280")
    posted(officer, "封をして保存する")
    expect(officer.get_by_text("最低制限価格などには封がしてあります", exact=False)).to_be_visible()
    assert not any("8345671" in each for each in scene.sent)


def test_the_reserve_is_sealed_and_drawn_by_hand(scene: Scene):  # noqa: F811
    town = scene.town
    town.register_trustees()
    tender = town.draft(limits="drawn_reserve")
    base = f"/t/{town.code}/ebid"
    officer = scene.page("officer", town.officer.actor, 1280)
    scene.go(officer, f"{base}/desk/tenders/{tender}/limits")
    officer.get_by_label(re.compile("予定価格（税込")).fill("10,285,000")
    posting = officer.get_by_role("button", name="封をして保存する")
    posting.click()
    expect(officer.get_by_role("alert")).to_contain_text("入力していない価格")
    officer.get_by_role("button", name="15個をつくる").click()
    expect(officer.get_by_label("予備価格 15")).not_to_have_value("")
    look(officer, "drawn-limits-1280")
    posted(officer, "封をして保存する")
    expect(officer.get_by_text("予定価格には封がしてあります", exact=False)).to_be_visible()
    town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    version = town.manager.get(f"desk/approvals/{tender}").text.split('name="version" value="')[1].split('"')[0]
    town.manager.post(f"desk/approvals/{tender}/publish", {"version": version})
    town.company(1)
    company = scene.page("company", town.company_actor(1), 375)
    scene.go(company, f"{base}/tenders/{tender}/bid")
    company.get_by_label(re.compile("入札金額")).fill("9150000")
    company.get_by_label(re.compile("くじ番号")).fill("418")
    company.get_by_label("3", exact=True).check()
    company.get_by_role("button", name="封をして入札書を出す").click()
    expect(company.get_by_role("alert")).to_contain_text("2つ選んで")
    company.get_by_label("11", exact=True).check()
    look(company, "drawn-bid-375")
    posted(company, "封をして入札書を出す")
    expect(company.get_by_text("入札書受付票")).to_be_visible()
    assert not any("9150000" in each or "pick-" in each for each in scene.sent)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    for width in (375, 1280):
        guest = scene.page(f"guest-{width}", town.guest().actor, width)
        scene.go(guest, f"{base}/tenders/{tender}/")
        expect(guest.get_by_role("row", name=re.compile("^3 .*はい"))).to_be_visible()
        look(guest, f"drawn-result-{width}")


def test_a_branch_is_entrusted_and_joins_a_venture_by_hand(scene: Scene):  # noqa: F811
    town = scene.town
    tender = town.publish(**RULE)
    base = f"/t/{town.code}/ebid"
    leader, partner = town.company(1), town.company(2)
    company = scene.page("company", partner.actor, 375)
    scene.go(company, "/ebid/company")
    company.get_by_role("link", name=re.compile("受任者")).click()
    posted(company, "この内容で委任する")
    expect(company.get_by_text("受任者の氏名を入力してください。").first).to_be_visible()
    look(company, "delegates-errors-375")
    typed: dict[str, Any] = {"支店・営業所の名称": "筑後支店", "役職": "支店長", "受任者の氏名": NAME,
             "支店・営業所の所在地": "福岡県筑後市", "任せる期間の初日": "2026-11-01", "任せる期間の末日": "2027-03-31"}  # fmt: skip
    for label, value in typed.items():
        company.get_by_label(re.compile(f"^{label}")).fill(value)
    company.get_by_label("工事", exact=True).check()
    posted(company, "この内容で委任する")
    code = company.locator("p.code b").inner_text()
    look(company, "delegates-375")
    branch = scene.page("branch", town.company_actor(51), 1280)
    scene.go(branch, "/ebid/delegate")
    look(branch, "delegate-empty-1280")
    branch.get_by_label(re.compile("委任のコード")).fill(code)
    posted(branch, "受任者になる")
    expect(branch.get_by_text("受任者として登録されています")).to_be_visible()
    look(branch, "delegate-1280")
    first = scene.page("leader", leader.actor, 375)
    scene.go(first, f"{base}/tenders/{tender}/")
    first.get_by_role("link", name="共同企業体（JV）で参加する").click()
    posted(first, "この内容で申し出る")
    expect(first.get_by_text("名称を入力してください").first).to_be_visible()
    look(first, "venture-errors-375")
    first.get_by_label(re.compile("共同企業体の名称")).fill(VENTURE)
    first.get_by_label(re.compile("（代表者）の出資比率")).fill("60")
    first.get_by_label(re.compile("構成員1の法人番号")).fill(partner.number)
    first.get_by_label(re.compile("構成員1の出資比率")).fill("40")
    posted(first, "この内容で申し出る")
    expect(first.get_by_text("全社の同意を待っています。")).to_be_visible()
    look(first, "venture-proposed-375")
    scene.go(branch, f"{base}/tenders/{tender}/venture")
    look(branch, "venture-asked-1280")
    branch.get_by_role("button", name="この内容に同意して加わる").click()
    branch.get_by_role("button", name="はい、進める").click()
    expect(branch.get_by_text("結成しました", exact=False)).to_be_visible()
    scene.go(first, f"{base}/tenders/{tender}/bid")
    expect(first.get_by_text(VENTURE).first).to_be_visible()
    look(first, "venture-bid-375")


def test_outages_are_shown_to_everybody_and_at_the_desk(scene: Scene):  # noqa: F811
    town: Town = scene.town
    tender = town.publish(**RULE)
    joined(tender, town.company(1), town.company(2))
    draft = town.draft(**RULE)
    down(town, timedelta(days=4, hours=20), timedelta(days=4, hours=20, minutes=12))
    town.advance(days=4, hours=21)
    for width in (375, 1280):
        guest = scene.page(f"guest-{width}", town.guest().actor, width)
        for path, name in (("/ebid/outages", "outages"), (f"/t/{town.code}/ebid/tenders/{tender}/", "outage-public")):
            scene.go(guest, path)
            look(guest, f"{name}-{width}")
        officer = scene.page(f"officer-{width}", town.officer.actor, width)
        for path, name in ((f"desk/tenders/{tender}", "outage-desk"), (f"desk/tenders/{draft}/edit", "venture-editor")):
            scene.go(officer, f"/t/{town.code}/ebid/{path}")
            look(officer, f"{name}-{width}")
    reason = officer.get_by_label(re.compile("変える理由"))
    scene.go(officer, f"/t/{town.code}/ebid/desk/tenders/{tender}")
    expect(reason).to_have_value(re.compile("^システムの停止"))
    until = "2026-11-27T10:00"
    officer.get_by_label(re.compile("入札の締切")).fill(until)
    officer.get_by_label(re.compile("^開札")).fill("2026-11-27T11:00")
    posted(officer, "日時を変えて公表する")
    expect(officer.get_by_text("11月27日", exact=False).first).to_be_visible()


def test_own_points_are_sealed_by_hand_and_lowered_at_the_desk(scene: Scene):  # noqa: F811
    town = scene.town
    tender = town.publish(**SELF)
    base = f"/t/{town.code}/ebid"
    for serial, width, amount in ((1, 375, "9500000"), (2, 1280, "9400000")):
        company = scene.page(f"company-{serial}", town.company(serial).actor, width)
        scene.go(company, f"{base}/tenders/{tender}/bid")
        company.get_by_label(re.compile("入札金額")).fill(amount)
        company.get_by_label(re.compile("くじ番号")).fill("418")
        company.get_by_role("button", name="封をして入札書を出す").click()
        expect(company.get_by_role("alert")).to_contain_text("自己採点の点数を、0から20まで")
        for label, points in (("施工計画", "２０"), ("企業の実績", "7.5"), ("地域貢献", "0")):
            company.get_by_label(label).fill(points if serial == 1 else "5")
        look(company, f"own-points-{width}")
        company.get_by_role("button", name="封をして入札書を出す").click()
        company.get_by_text("入札書受付票").wait_for()
    town.close()
    town.open(tender)
    officer = scene.page("officer", town.officer.actor, 1280)
    scene.go(officer, f"{base}/desk/tenders/{tender}")
    officer.get_by_text("候補者の自己採点を下げる").click()
    expect(officer.get_by_label("企業の実績")).to_have_value("7.5")
    officer.get_by_label("施工計画").fill("1")
    officer.get_by_label(re.compile("下げる理由")).fill("施工実績の証明がない")
    look(officer, "own-points-lowering-1280")
    posted(officer, "点数を下げる")
    expect(officer.get_by_text("保留（事後審査・総合評価の審査）：株式会社筑後2組", exact=True)).to_be_visible()
    look(officer, "own-points-lowered-1280")
