"""共同企業体: formed by its members' agreement, one bidder, judged member by member, shown when the result is public."""

import json
import re
from fractions import Fraction
from typing import Any

import pytest

from libs.common.errors import Invalid
from services.ebid.db import SubmissionRow
from services.ebid.domain import venture as rules
from services.ebid.tests.ocds_schema import findings
from services.ebid.tests.people import Company, Town, visible
from services.ebid.tests.test_bids_stay_sealed import everything_shown
from services.ebid.tests.test_companies_bid import submissions
from services.ebid.tests.test_officials_publish_and_open import result

pytestmark = pytest.mark.any_store

RULE = {"venture": "allowed", "venture_members": "3", "venture_least": "60", "venture_qualified": "each"}
NAME = "久留米・八女特定建設工事共同企業体"


def proposal(partner: Company, **changed: str) -> dict[str, str]:
    given = {"act": "venture", "name": NAME, "own_share": "60", "number-1": partner.number, "share-1": "40"}
    return given | changed


def venture_in(text: str) -> str:
    found = re.search(r'name="venture" value="([^"]+)"', text)
    assert found, visible(text)
    return found.group(1)


def joined(tender: str, leader: Company, partner: Company) -> str:
    """A formed venture; its id."""
    page = leader.post(f"tenders/{tender}/send", proposal(partner))
    assert page.status_code == 200 and "全社の同意を待って" in page.text, visible(page.text)
    venture = venture_in(partner.get(f"tenders/{tender}/venture").text)
    answer = partner.post(f"tenders/{tender}/send", {"act": "venture_agree", "venture": venture})
    assert "結成しました" in answer.text, visible(answer.text)
    return venture


def test_two_companies_bid_as_one_and_the_result_names_both(town: Town):
    tender = town.publish(**RULE)
    leader, partner, other = (town.company(serial) for serial in (1, 2, 3))
    assert "均等割の60%以上" in town.guest().get(f"tenders/{tender}/").text
    joined(tender, leader, partner)
    leader.bid(tender, 8_500_000)
    other.bid(tender, 9_000_000)
    assert submissions(town) == 2
    receipt = partner.get(f"tenders/{tender}/receipt.json", page=False)
    assert receipt.status_code == 200, "every member holds the receipt"
    town.close()
    town.open(tender)
    officers = town.officer.get(f"desk/tenders/{tender}").text
    assert NAME in officers and f"{partner.name} 40%" in visible(officers)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    public = visible(town.guest().get(f"tenders/{tender}/").text)
    assert f"{leader.name}（代表者） 60%" in public and NAME in public
    assert "落札者に決定しました" in leader.letters() and "落札者に決定しました" in partner.letters()
    assert NAME in partner.get(re.findall(r'href="([^"]*/letters/[^"]+)"', partner.get("mine").text)[0]).text
    package = town.guest().get("ocds/releases").json()
    assert findings("release", package) == []
    release = package["releases"][-1]
    bid = next(each for each in release["bids"]["details"] if each["value"]["amount"] == 8_500_000)
    assert [each["name"] for each in bid["tenderers"]] == [NAME, leader.name, partner.name]
    assert [each["id"] for each in release["awards"][0]["suppliers"]][1:] == [
        f"JP-JCN-{each.number}" for each in (leader, partner)
    ]
    parties = {each["name"]: each["roles"] for each in release["parties"]}
    assert parties[partner.name] == ["tenderer", "supplier"] and parties[other.name] == ["tenderer"]
    assert release["tender"]["numberOfTenderers"] == 2
    assert town.events("ebid.result.published.v1")[-1]["data"]["winner_name"] == NAME


def test_a_member_bids_once_alone_or_together(town: Town):
    tender = town.publish(**RULE)
    leader, partner, third = (town.company(serial) for serial in (1, 2, 3))
    third.bid(tender, 9_500_000)
    early = leader.post(f"tenders/{tender}/send", proposal(third))
    venture = venture_in(third.get(f"tenders/{tender}/venture").text)
    refused = third.post(f"tenders/{tender}/send", {"act": "venture_agree", "venture": venture}, page=False)
    assert early.status_code == 200 and refused.status_code == 409 and refused.json()["code"] == "already-alone"
    again = leader.post(f"tenders/{tender}/send", proposal(partner), page=False)
    assert again.status_code == 409, "one proposal at a time"
    leader.post(f"tenders/{tender}/send", {"act": "venture_leave", "venture": venture})
    venture = joined(tender, leader, partner)
    for each in (leader, partner):
        own = each.get(f"tenders/{tender}/head.json", page=False).json()["bidder"]
        assert own == venture, "what a member seals is bound to the venture"
    answer = partner.send(tender, partner.sealed(tender, 8_000_000))
    assert answer.status_code == 403 and answer.json()["code"] == "not-the-representative"
    assert partner.get(f"tenders/{tender}/bid").status_code == 403
    leader.bid(tender, 8_000_000)
    assert leader.send(tender, leader.sealed(tender, 7_900_000)).status_code == 409
    left = partner.post(f"tenders/{tender}/send", {"act": "venture_leave", "venture": venture}, page=False)
    assert left.status_code == 409 and left.json()["code"] == "already-sent"
    second = partner.post(f"tenders/{tender}/send", proposal(third), page=False)
    assert second.status_code == 409 and second.json()["code"] == "already-joined"
    assert submissions(town) == 2


def test_a_member_s_envelope_of_paper_does_not_count_beside_the_venture_s_bid(town: Town):
    tender = town.publish(**RULE, paper="1")
    leader, partner = town.company(1), town.company(2)
    joined(tender, leader, partner)
    leader.bid(tender, 8_500_000)
    given = {"corporate_number": partner.number, "serial": "A-1"}
    taken = town.officer.post(f"desk/tenders/{tender}/papers", given)
    assert taken.status_code == 200
    page = visible(taken.text)
    assert "封筒を受け付けました" in page
    assert leader.name not in page and leader.number not in page, (
        "the desk learns nothing of whom the company has joined"
    )
    town.close()
    town.open(tender)
    assert [place["amount"] for place in result(town, tender)["places"]] == [8_500_000]


def test_each_member_is_judged_as_announced(town: Town):
    each, leading = (
        town.publish(**RULE),
        town.publish(title="別の工事", **RULE | {"venture_qualified": "representative"}),
    )
    leader, partner = town.company(1), town.company(2)
    partner.post("/ebid/company", partner.form(categories=["goods"]))
    for tender, status in ((each, 403), (leading, 200)):
        joined(tender, leader, partner)
        answer = leader.send(tender, leader.sealed(tender, 8_500_000))
        assert answer.status_code == status, visible(answer.text)
        assert status == 200 or partner.name in answer.json()["detail"]
    partner.post("/ebid/company", partner.form())
    given = {
        "corporate_number": partner.number,
        "first": "2026-11-01",
        "last": "2026-12-31",
        "reason": "安全管理の不備",
    }
    assert town.officer.post("desk/suspensions", given).status_code == 200
    suspended = leader.send(each, leader.sealed(each, 8_500_000))
    assert suspended.status_code == 403 and "指名停止" in suspended.json()["detail"]


def test_only_ventures_where_the_announcement_says_so_and_none_where_it_does_not(town: Town):
    only, none = town.publish(**RULE | {"venture": "only"}), town.publish(title="単体だけの工事")
    alone, partner = town.company(1), town.company(2)
    assert alone.send(only, alone.sealed(only, 9_000_000)).json()["code"] == "ventures-only"
    assert alone.get(f"tenders/{none}/venture").status_code == 409
    refused = alone.post(f"tenders/{none}/send", proposal(partner), page=False)
    assert refused.status_code == 409 and refused.json()["code"] == "no-ventures"
    joined(only, alone, partner)
    assert alone.bid(only, 9_000_000).status_code == 200


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": " "}, "名称を入力"),
        ({"own_share": "40", "share-1": "60"}, "代表者の出資比率を"),
        ({"share-1": "30"}, "合計を100パーセント"),
        ({"own_share": "75", "share-1": "25"}, "30%以上"),
        ({"share-1": "半分"}, "数字（パーセント）"),
        ({"number-1": ""}, "13桁の数字"),
        ({"number-1": "７０００－０１２－０５００－０２"}, "登録されていません"),
        ({"number-1": "own"}, "同じ会社を2回"),
        ({"number-1": "", "share-1": ""}, "2社から3社"),
    ],
)
def test_a_proposal_says_what_to_mend(town: Town, changed: dict[str, str], sentence: str):
    tender = town.publish(**RULE)
    leader, partner = town.company(1), town.company(2)
    given = proposal(partner, **changed)
    given["number-1"] = leader.number if given["number-1"] == "own" else given["number-1"]
    answer = leader.post(f"tenders/{tender}/send", given)
    assert answer.status_code == 422 and sentence in visible(answer.text), visible(answer.text)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"venture_members": "9"}, "2から5まで"),
        ({"venture_least": "0"}, "1から100まで"),
        ({"venture_least": "x"}, "1から100まで"),
        ({"method": "selective"}, "共同企業体は選べません"),
    ],
)
def test_a_rule_that_nobody_could_keep_is_not_announced(town: Town, changed: dict[str, str], sentence: str):
    town.register_trustees()
    answer = town.officer.post("desk/new", town.form(**RULE | changed))
    assert answer.status_code == 422 and sentence in visible(answer.text), visible(answer.text)


def test_nobody_else_sees_that_one_is_formed_nor_takes_part_in_it(town: Town, neighbour: Town):
    tender = town.publish(**RULE)
    leader, partner, stranger = (town.company(serial) for serial in (1, 2, 3))
    before = everything_shown(town, tender, stranger)
    venture = joined(tender, leader, partner)
    assert everything_shown(town, tender, stranger) == before
    assert NAME not in stranger.get(f"tenders/{tender}/venture").text
    for act in ("venture_agree", "venture_leave"):
        answer = stranger.post(f"tenders/{tender}/send", {"act": act, "venture": venture}, page=False)
        assert answer.status_code == 404
    there = Company.of(neighbour, neighbour.company_actor(2), partner.number)
    assert there.get(f"tenders/{tender}/venture").status_code == 404
    town.advance(days=5)
    late = leader.post(f"tenders/{tender}/send", {"act": "venture_leave", "venture": venture}, page=False)
    assert late.status_code == 409 and late.json()["code"] == "too-late"


def test_a_room_is_moved_with_its_ventures(town: Town):
    from services.ebid.rooms import rows

    tender = town.publish(**RULE)
    joined(tender, town.company(1), town.company(2))
    with town.service.database.reading(tenant=town.code) as session:
        carried: list[Any] = [json.loads(line) for line in rows.companies(session)]
    assert {each["name"] for each in carried} >= {NAME, "株式会社筑後1組", "株式会社筑後2組"}
    assert {"ventures", "venture_members"} <= set(rows.CARRIED) and SubmissionRow.__tablename__ in rows.CARRIED


@pytest.mark.parametrize(("members", "least"), [(2, 30), (3, 20), (4, 15)])
def test_the_usual_line_is_the_one_that_cities_write_as_a_table(members: int, least: int):
    rule = rules.rule_of({"venture": rules.USUAL | {"members": 4, "only": False}})
    assert rule
    others = [Fraction(least)] * (members - 1)
    rules.check(rule, [100 - sum(others), *others])
    others[0] -= Fraction(1, 1000)
    with pytest.raises(Invalid, match=f"{least}%以上"):
        rules.check(rule, [100 - sum(others), *others])
