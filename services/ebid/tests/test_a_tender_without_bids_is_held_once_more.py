"""不調: what nobody bid for is announced once more, or becomes a 随意契約 of item 8 (施行令167条の2第1項8号), without typing it again."""

import re

import pytest

from services.ebid.tests.people import Town, local_input_in, visible

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def ended(town: Town, *, bids: bool) -> str:
    """A tender that ended without a winner: nobody bid, or everybody above 予定価格."""
    tender, company = town.publish(title="市道の舗装補修"), town.company(1)
    if bids:
        company.bid(tender, 19_000_000)
    town.close()
    town.open(tender)
    town.conclude(tender, conclusion="落札者がないため")
    return tender


def chosen(page: str, name: str) -> str:
    """Which choice is marked."""
    return "".join(re.findall(rf'name="{name}" value="([^"]*)" checked', page)[:1])


def typed(page: str, name: str) -> str:
    return "".join(re.findall(rf'name="{name}"[^>]* value="([^"]*)"', page)[:1])


def offered(town: Town, tender: str) -> list[str]:
    page = town.officer.get(f"desk/tenders/{tender}").text
    return [found.replace("&amp;", "&") for found in re.findall(r'href="[^"]*/(desk/new\?like=[^"]+)"', page)]


def test_what_nobody_bid_for_becomes_a_request_for_quotations(town: Town):
    tender = ended(town, bids=False)
    same, negotiated = offered(town, tender)
    page = town.officer.get(negotiated).text
    assert (chosen(page, "method"), chosen(page, "ground"), typed(page, "title")) == (
        "quotation",
        "8",
        "市道の舗装補修",
    )
    number = re.search(r"([\w-]+)の競争入札に、入札者", page)
    assert number and number[1] in visible(town.officer.get(f"desk/tenders/{tender}").text), "the reason"
    assert typed(page, "bid_until") == "", "the days are new"
    assert len(re.findall('name="trustees" value="[^"]*" checked', page)) == 3
    made = town.draft(
        title="市道の舗装補修", method="quotation", ground="8", ground_reason="入札者がなかったため", limits="none",
        bid_until=local_input_in(town, days=5), opens_at=local_input_in(town, days=5, hours=1),
    )  # fmt: skip
    assert "8号" in visible(town.officer.get(f"desk/tenders/{made}").text)
    again = town.officer.get(same).text
    assert (chosen(again, "method"), chosen(again, "ground")) == ("open_after", "")


def test_a_tender_in_which_somebody_bid_leads_to_no_negotiation_before_bidding_again(town: Town):
    tender = ended(town, bids=True)
    assert offered(town, tender) == [f"desk/new?like={tender}"]
    refused = town.officer.get(f"desk/new?like={tender}&ground=8")
    assert refused.status_code == 422 and "再度の入札でも落札者がない" in visible(refused.text)


def test_a_running_or_won_tender_and_another_towns_are_not_copied_into_one(town: Town, neighbour: Town):
    tender, company = town.publish(), town.company(1)
    assert offered(town, tender) == []
    company.bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    assert offered(town, tender) == []
    assert neighbour.officer.get(f"desk/new?like={tender}").status_code == 404
