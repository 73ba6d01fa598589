"""紙入札: envelopes come in unseen, two persons type them before anything is opened, and they are ranked with the others."""

import io
import re
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from libs.common.audit.table import AuditEntryRow
from services.ebid.tests.people import OFFICER, Browser, Company, Town, visible
from services.ebid.tests.test_a_scored_tender import applied, published, score
from services.ebid.use_cases import bids
from services.ebid.verify.check import check

pytestmark = pytest.mark.any_store


def received(town: Town, tender: str, company: Company, serial: str = "紙-1") -> Any:
    given = {"corporate_number": company.number, "serial": serial}
    return town.officer.post(f"desk/tenders/{tender}/papers", given)


def second(town: Town) -> Browser:
    return town.staff("second", "別の担当", OFFICER)


def entered(browser: Browser, tender: str, company_id: str, amount: str, number: str = "", invalid: str = "") -> Any:
    given = {"amount": amount, "lottery_number": number, "invalid": invalid}
    return browser.post(f"desk/tenders/{tender}/papers/{company_id}", given)


def waiting(town: Town, tender: str) -> list[str]:
    page = town.officer.get(f"desk/tenders/{tender}/papers").text
    return [part.split('"')[0] for part in page.split('id="p-')[1:]]


def test_a_paper_bid_is_typed_by_two_and_wins(town: Town):
    tender = town.publish(paper="1")
    paper, other = town.company(1), town.company(2)
    answer = received(town, tender, paper)
    assert "受付番号" in visible(answer.text)
    assert paper.name not in town.officer.get(f"desk/tenders/{tender}/papers").text, "nobody sees who has bid"
    assert received(town, tender, paper).status_code == 409
    other.bid(tender, 9_000_000)
    town.close()
    early = town.trustee("trustee-1").get(f"desk/trustees/{tender}/opening.json", page=False)
    assert early.status_code == 409 and "紙で届いたもの" in early.json()["detail"]
    [company] = waiting(town, tender)
    assert "立ち会って開けます（施行令167条の8第1項）" in town.officer.get(f"desk/tenders/{tender}/papers").text
    assert entered(town.officer, tender, company, "８，５００，０００円", "733").status_code == 200
    assert entered(town.officer, tender, company, "8500000", "733").status_code == 409, "the second is another person"
    differs = entered(second(town), tender, company, "8400000", "733")
    assert differs.status_code == 422 and "2人とも入力し直して" in visible(differs.text)
    for browser in (second(town), town.officer):
        assert entered(browser, tender, company, "8500000", "733").status_code == 200
    assert "一致しました" in town.officer.get(f"desk/tenders/{tender}/papers").text
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    assert f"落札者 {paper.name}" in visible(town.guest().get(f"tenders/{tender}/").text)
    bundle = town.guest().get(f"tenders/{tender}/bundle.json", page=False).json()
    report = check(bundle)
    assert report.codes() == set(), report.problems
    assert any("紙の入札" in line for line in report.taken)
    bundle["rounds"][0]["bids"][0 if "paper" in bundle["rounds"][0]["bids"][0] else 1]["paper"]["serial"] = "紙-2"
    assert "bid-changed" in check(bundle).codes()


def test_an_envelope_without_a_name_is_invalid_and_the_round_goes_on(town: Town):
    tender = town.publish(paper="1")
    received(town, tender, town.company(1))
    town.company(2).bid(tender, 9_000_000)
    town.close()
    [company] = waiting(town, tender)
    for browser in (town.officer, second(town)):
        entered(browser, tender, company, "", invalid="記名がない")
    town.open(tender)
    page = visible(town.officer.get(f"desk/tenders/{tender}").text)
    assert "記名がない" in page and "保留" in page


def test_who_bids_electronically_too_has_bid_once_and_nobody_learns_it_before(town: Town):
    """Registering an envelope must not be a way to ask whether somebody has bid."""
    tender = town.publish(paper="1")
    company = town.company(1)
    company.bid(tender, 9_000_000)
    assert received(town, tender, company).status_code == 200
    town.close()
    assert waiting(town, tender) == []
    town.open(tender)
    assert visible(town.officer.get(f"desk/tenders/{tender}").text).count("9,000,000円") == 1


def test_a_refusal_after_ones_own_envelope_takes_nothing_back_and_is_told_to_its_sender_alone(town: Town):
    """施行令167条の8第3項: no withdrawal of what was submitted."""
    tender, company = town.publish(paper="1"), town.company(1)
    page = town.officer.get(f"desk/tenders/{tender}").text
    received(town, tender, company)
    town.advance(minutes=5)
    refused = company.post(f"tenders/{tender}/send", {"act": "decline"})
    assert "この辞退届より前に受け付けています" in visible(refused.text)
    assert company.get(f"tenders/{tender}/receipt.json", page=False).status_code == 409, "nothing was taken in"
    assert town.officer.get(f"desk/tenders/{tender}").text == page
    town.close()
    assert len(waiting(town, tender)) == 1, "the envelope stands"


def test_a_refusal_before_the_envelope_stands_and_the_envelope_is_left_out(town: Town):
    tender, company = town.publish(paper="1"), town.company(1)
    company.post(f"tenders/{tender}/send", {"act": "decline"})
    town.advance(minutes=5)
    assert received(town, tender, company).status_code == 200, "the desk learns nothing of the 辞退届"
    again = company.post(f"tenders/{tender}/send", {"act": "decline"})
    assert "受付票" in visible(again.text), "the same 辞退届 again is the same one"
    town.close()
    assert waiting(town, tender) == []


def test_a_refusal_of_an_earlier_version_that_came_after_the_envelope_does_not_take_it_back(
    town: Town, monkeypatch: pytest.MonkeyPatch
):
    """As a tender under way has it when this version comes: at the close the envelope counts, and the verifier says why both stand."""
    tender, company = town.publish(paper="1"), town.company(1)
    received(town, tender, company)
    town.advance(minutes=5)
    monkeypatch.setattr(bids, "_require_no_paper", lambda *_: None)
    company.post(f"tenders/{tender}/send", {"act": "decline"})
    mine = company.get(f"tenders/{tender}/receipt.json", page=False).json()
    town.company(2).bid(tender, 9_000_000)
    town.close()
    [paper] = waiting(town, tender)
    for browser in (second(town), town.officer):
        entered(browser, tender, paper, "8500000", "733")
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    page = visible(town.guest().get(f"tenders/{tender}/").text)
    assert f"落札者 {company.name}" in page and f"{company.name} － 辞退" not in page
    bundle = town.guest().get(f"tenders/{tender}/bundle.json", page=False).json()
    report = check(bundle, [mine])
    assert report.codes() == set(), report.problems
    assert any("辞退届より先に受け付けられた" in line for line in report.taken)
    earlier = bundle["rounds"][0]["declined"][0]["logged"]["entry"]
    earlier["at"] = "2020-01-01T00:00:00.000000Z"
    assert "decline-and-bid" in check(bundle).codes(), "a 辞退届 that came first leaves no room for a bid"


def test_papers_are_taken_where_announced_until_the_deadline_from_who_may_bid(town: Town):
    plain, tender = town.publish(), town.publish(paper="1")
    company = town.company(1)
    assert received(town, plain, company).status_code == 409
    assert received(town, tender, company, " ").status_code == 422
    stranger = town.officer.post(f"desk/tenders/{tender}/papers", {"corporate_number": "1", "serial": "x"})
    assert stranger.status_code == 422
    assert entered(town.officer, tender, "none", "1").status_code == 409, "nothing is typed before the opening"
    town.close()
    late = received(town, tender, company)
    assert late.status_code == 409 and "締切を過ぎて" in visible(late.text)


def test_no_audit_entry_tells_of_a_received_envelope(town: Town):
    tender, company = town.publish(paper="1"), town.company(1)
    with town.service.database.reading(tenant=town.code) as session:
        before = len(list(session.scalars(select(AuditEntryRow))))
    received(town, tender, company)
    with town.service.database.reading(tenant=town.code) as session:
        assert len(list(session.scalars(select(AuditEntryRow)))) == before
    town.officer.post(f"desk/tenders/{tender}/cancel", {"version": town.version(tender), "cancel_reason": "x"})
    with town.service.database.reading(tenant=town.code) as session:
        assert len(list(session.scalars(select(AuditEntryRow)))) > before, "what is recorded can be seen"


def test_a_paper_bid_carries_its_companys_technical_points(town: Town):
    tender = published(town, paper="1")
    paper, other = applied(town, tender, 1), applied(town, tender, 2)
    for company, points in ((paper, ("20", "10", "5")), (other, ("0", "0", "0"))):
        assert score(town, tender, company, *points).status_code == 200
    assert town.officer.post(f"desk/tenders/{tender}/scores").status_code == 200
    received(town, tender, paper)
    other.bid(tender, 9_000_000)
    town.close()
    [company] = waiting(town, tender)
    for browser in (town.officer, second(town)):
        assert entered(browser, tender, company, "9500000").status_code == 200
    town.open(tender)
    town.conclude(tender)
    page = visible(town.guest().get(f"tenders/{tender}/").text)
    assert f"落札者 {paper.name}" in page, "135 points over 9.5 million are more than 100 over 9 million"
    assert check(town.guest().get(f"tenders/{tender}/bundle.json", page=False).json()).codes() == set()


def test_the_notices_of_who_bid_on_paper_are_printed_at_the_desk(town: Town, neighbour: Town):
    """After the opening they stand first and are marked; before it the page is the same whether anybody bid on paper or not."""
    tender = town.publish(paper="1")
    other, paper = town.company(1), town.company(2)
    empty = town.officer.get(f"desk/tenders/{tender}/letters").text
    received(town, tender, paper)
    other.bid(tender, 9_000_000)
    assert town.officer.get(f"desk/tenders/{tender}/letters").text == empty
    town.close()
    [company] = waiting(town, tender)
    for browser in (town.officer, second(town)):
        entered(browser, tender, company, "8500000", "733")
    assert "紙で入札<" not in town.officer.get(f"desk/tenders/{tender}/letters").text
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    page = town.officer.get(f"desk/tenders/{tender}/letters").text
    words = visible(page)
    assert words.index(f"{paper.name} 紙で入札") < words.index(other.name)
    addresses = re.findall(r'href="[^"]*/(desk/tenders/[^"]+/letters/[^"]+\.pdf)"', page)
    texts = [_text(town.officer.get(each).content) for each in addresses]
    assert any("落札者に決定しました" in text and paper.name in text and "久留米市城南町" in text for text in texts)
    assert "印刷する" in visible(town.officer.get(f"desk/tenders/{tender}").text)
    for stranger in (other, town.manager, town.guest()):
        assert stranger.get(addresses[0]).status_code in (401, 403)
    assert neighbour.officer.get(addresses[0]).status_code == 404
    another = town.publish()
    moved = addresses[0].replace(tender, another)
    assert town.officer.get(moved).status_code == 404, "a notice of another tender"


def _text(paper: bytes) -> str:
    return "".join("".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(paper)).pages)
