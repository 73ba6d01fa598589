"""オープンカウンター on a phone and プロポーザル at a desk, sealed, opened, decided by hand: no page speaks of an 入札書 or a 落札者."""

import re

import pytest
from playwright.sync_api import Page, expect

from services.ebid.domain import procedure
from services.ebid.tests.people import Company, local_input_in
from services.ebid.tests.test_a_scored_tender import confirmed, score
from services.ebid.tests.test_every_method_says_its_own_words import PROPOSAL
from services.ebid.tests.test_new_ways_in_a_browser import posted
from services.ebid.tests.test_the_story_in_a_browser import (  # noqa: F401
    Scene,
    browser,
    browser_page,
    database,
    look,
    scene,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FOREIGN = re.compile("入札書|入札金額|入札の締切|落札|入札者")


def seen(page: Page, name: str) -> None:
    assert FOREIGN.findall(page.locator("main").inner_text()) == [], name
    look(page, name)


def quoted(scene: Scene, company: Company, tender: str, amount: str, width: int) -> Page:  # noqa: F811
    page = scene.page(f"company-{amount}", company.actor, width)
    scene.go(page, f"/t/{scene.town.code}/ebid/tenders/{tender}/")
    seen(page, f"quotation-tender-{width}")
    page.get_by_role("link", name="見積書か辞退届を出す").click()
    expect(page.get_by_text("締切までの残り", exact=False)).to_be_visible()
    page.get_by_label(re.compile("見積金額")).fill(amount)
    page.get_by_label(re.compile("くじ番号")).fill("418")
    seen(page, f"quotation-form-{width}")
    posted(page, "封をして見積書を出す")
    expect(page.get_by_text("見積書受付票")).to_be_visible()
    seen(page, f"quotation-receipt-{width}")
    return page


def decided(scene: Scene, tender: str, button: str, name: str) -> Page:  # noqa: F811
    officer = scene.page("officer", scene.town.officer.actor, 1280)
    scene.go(officer, f"/t/{scene.town.code}/ebid/desk/tenders/{tender}")
    seen(officer, f"{name}-desk-1280")
    clear = officer.get_by_role("button", name="審査の結果、適格と認める")
    if clear.count():
        clear.click()
    officer.get_by_role("button", name=button).click()
    officer.get_by_role("button", name="はい、進める").click()
    officer.wait_for_url(f"**/ebid/tenders/{tender}/**")
    guest = scene.page(f"guest-{name}", scene.town.guest().actor, 375)
    scene.go(guest, f"/t/{scene.town.code}/ebid/tenders/{tender}/")
    return guest


def test_an_open_counter_is_quoted_for_on_a_phone_and_decided(scene: Scene):  # noqa: F811
    town = scene.town
    tender = town.publish(method="open_counter", category="goods", title="庁用車用タイヤの購入")
    one, two = town.company(1), town.company(2)
    page = quoted(scene, one, tender, "9150000", 375)
    two.bid(tender, 9_500_000)
    town.close()
    town.open(tender)
    guest = decided(scene, tender, "契約の相手方を決定して公表する", "open-counter")
    expect(guest.get_by_text("契約の相手方").first).to_be_visible()
    expect(guest.get_by_text("決定金額（税込）")).to_be_visible()
    seen(guest, "open-counter-result-375")
    scene.go(page, f"/t/{town.code}/ebid/mine")
    page.get_by_role("link", name="決定通知書").first.click()
    expect(page.get_by_text("契約の相手方に決定しました", exact=False)).to_be_visible()
    seen(page, "open-counter-letter-375")
    assert not any("9150000" in each for each in scene.sent)


def test_a_proposal_is_selected_at_a_desk(scene: Scene):  # noqa: F811
    town = scene.town
    more = PROPOSAL | {"apply_until": local_input_in(town, days=3), "title": "総合計画策定支援業務"}
    tender = town.publish(method="proposal", category="consulting", **more)
    companies = [town.company(serial) for serial in (1, 2)]
    for number, company in enumerate(companies):
        company.post("/ebid/company", company.form(categories=list(procedure.REGISTER)))
        confirmed(town, tender, company, f"提案書{number}.pdf")
        assert score(town, tender, company, "20", str(60 - number)).status_code == 200
    assert town.officer.post(f"desk/tenders/{tender}/scores").status_code == 200
    quoted(scene, companies[0], tender, "9150000", 1280)
    companies[1].bid(tender, 9_500_000)
    town.close()
    town.open(tender)
    guest = decided(scene, tender, "候補者を特定して公表する", "proposal")
    expect(guest.get_by_text("特定した者").first).to_be_visible()
    seen(guest, "proposal-result-375")
    assert "特定通知書" in companies[0].letters() and "非特定通知書" in companies[1].letters()
