"""共同企業体 on paper: members stand on the envelope, two persons type what is in it, and nobody is bound before the round closes."""

from typing import Any

import pytest

from services.ebid.tests.ocds_schema import findings
from services.ebid.tests.people import Company, Town, visible
from services.ebid.tests.test_companies_join_for_a_tender import NAME, RULE, joined
from services.ebid.tests.test_officials_publish_and_open import result
from services.ebid.tests.test_paper_bids_are_mixed_in import second, waiting
from services.ebid.verify.check import check

pytestmark = pytest.mark.any_store

PAPER = {**RULE, "paper": "1"}


def envelope(leader: Company, partner: Company, **changed: str) -> dict[str, str]:
    given = {"corporate_number": leader.number, "serial": "紙-1", "name": NAME, "own_share": "60"}
    return given | {"number-1": partner.number, "share-1": "40"} | changed


def received(town: Town, tender: str, given: dict[str, str]) -> Any:
    return town.officer.post(f"desk/tenders/{tender}/papers", given)


def typed(town: Town, tender: str, paper: str, **changed: str) -> list[int]:
    given = {"amount": "8500000", "lottery_number": "733", "agreement": "1"} | changed
    people = (town.officer, second(town))
    return [each.post(f"desk/tenders/{tender}/papers/{paper}", given).status_code for each in people]


def test_its_envelope_is_typed_by_two_and_wins_and_the_result_names_its_members(town: Town):
    tender = town.publish(**PAPER)
    leader, partner, other = (town.company(serial) for serial in (1, 2, 3))
    answer = received(town, tender, envelope(leader, partner))
    assert answer.status_code == 200 and "受付番号" in visible(answer.text), visible(answer.text)
    other.bid(tender, 9_000_000)
    town.close()
    page = visible(town.officer.get(f"desk/tenders/{tender}/papers").text)
    assert NAME in page and f"{leader.name}（代表者） 60%" in page and f"{partner.name} 40%" in page
    [paper] = waiting(town, tender)
    assert typed(town, tender, paper, agreement="") == [422, 422], "nobody has compared the agreement"
    assert typed(town, tender, paper) == [200, 200]
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    public = visible(town.guest().get(f"tenders/{tender}/").text)
    assert NAME in public and f"{partner.name} 40%" in public
    assert "落札者に決定しました" in leader.letters() and "落札者に決定しました" in partner.letters()
    report = check(town.guest().get(f"tenders/{tender}/bundle.json", page=False).json())
    assert report.codes() == set(), report.problems
    package = town.guest().get("ocds/releases").json()
    assert findings("release", package) == []
    suppliers = [each["id"] for each in package["releases"][-1]["awards"][0]["suppliers"]]
    assert suppliers[1:] == [f"JP-JCN-{each.number}" for each in (leader, partner)]


@pytest.mark.parametrize("alone", [0, 1])
def test_a_member_who_bids_electronically_is_not_bound_and_the_envelope_is_left_out(town: Town, alone: int):
    tender = town.publish(**PAPER)
    companies = town.company(1), town.company(2)
    assert received(town, tender, envelope(*companies)).status_code == 200
    companies[alone].bid(tender, 9_000_000)
    town.close()
    assert waiting(town, tender) == []
    town.open(tender)
    assert [place["amount"] for place in result(town, tender)["places"]] == [9_000_000]


def test_a_company_is_on_one_envelope_alone_or_in_a_venture(town: Town):
    tender = town.publish(**PAPER)
    first, second_, third = (town.company(serial) for serial in (1, 2, 3))
    assert received(town, tender, envelope(first, second_)).status_code == 200
    alone = {"corporate_number": second_.number, "serial": "紙-2"}
    for given in (alone, envelope(second_, third), envelope(third, first), envelope(first, second_)):
        assert received(town, tender, given).status_code == 409
    assert received(town, tender, {"corporate_number": third.number, "serial": "紙-3"}).status_code == 200


def test_a_venture_formed_electronically_may_send_its_envelope_and_bids_once(town: Town):
    tender = town.publish(**PAPER)
    leader, partner = town.company(1), town.company(2)
    venture = joined(tender, leader, partner)
    assert received(town, tender, envelope(leader, partner, name="同じ企業体")).status_code == 200
    town.close()
    assert waiting(town, tender) == [venture]
    assert typed(town, tender, venture) == [200, 200]
    town.open(tender)
    assert [place["bidder"] for place in result(town, tender)["places"]] == [venture]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"own_share": "80", "share-1": "20"}, "どの構成員も30%以上"),
        ({"share-1": "30"}, "合計を100パーセント"),
        ({"own_share": "40", "share-1": "60"}, "代表者の出資比率"),
        ({"number-1": "1234567890123"}, "法人番号"),
        ({"name": " "}, "共同企業体の名称"),
        ({"number-1": "", "share-1": ""}, "構成員は"),
    ],
)
def test_an_envelope_that_is_no_venture_as_announced_is_refused_and_nothing_is_kept(
    town: Town, changed: dict[str, str], said: str
):
    tender = town.publish(**PAPER)
    leader, partner = town.company(1), town.company(2)
    answer = received(town, tender, envelope(leader, partner, **changed))
    assert answer.status_code == 422 and said in visible(answer.text), visible(answer.text)
    assert received(town, tender, envelope(leader, partner)).status_code == 200, "nothing stands in its way"


def test_where_only_single_companies_bid_no_venture_s_envelope_is_taken(town: Town):
    tender = town.publish(paper="1")
    assert "共同企業体の封筒" not in town.officer.get(f"desk/tenders/{tender}/papers").text
    assert received(town, tender, envelope(town.company(1), town.company(2))).status_code == 409
