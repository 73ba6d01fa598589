"""OCDS beyond the core: why there was no competition, what the limits were, points of a scored tender, the buyer by its 法人番号."""

import copy
from typing import Any

import pytest

from libs.common import room
from services.ebid.domain.company import number_of_municipality
from services.ebid.tests.ocds_schema import findings, last_release
from services.ebid.tests.people import Town, hidden, visible
from services.ebid.tests.test_a_scored_tender import applied, published, score

pytestmark = pytest.mark.any_store


def award_of(town: Town, tender: str, *amounts: int) -> dict[str, Any]:
    for serial, amount in enumerate(amounts, start=1):
        town.company(serial).bid(tender, amount)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    assert findings("release", town.guest().get("ocds/releases").json()) == []
    return last_release(town)


def test_the_reason_for_a_negotiated_contract_stands_in_every_release(town: Town):
    given = {"method": "direct", "category": "goods", "ground": "2", "ground_reason": "ほかに扱う者がないため"}
    town.publish(**given)
    told = last_release(town)["tender"]
    assert told["procurementMethod"] == "direct"
    assert told["procurementMethodRationale"] == (
        "地方自治法施行令167条の2第1項2号：性質または目的が競争入札に適しない。ほかに扱う者がないため"
    )
    town.publish()
    assert "procurementMethodRationale" not in last_release(town)["tender"], "a competition needs none"


def test_limits_are_told_with_the_result_and_not_before(town: Town):
    tender = town.publish()
    before = town.guest().get("ocds/releases").json()
    assert "limits" not in before["releases"][-1]["tender"]
    told = award_of(town, tender, 9_000_000, 7_900_000)["tender"]
    yen = {"currency": "JPY"}
    assert told["value"] == yen | {"amount": 11_000_000}
    assert told["limits"] == {"reserve": yen | {"amount": 10_000_000}, "minimum": yen | {"amount": 8_000_000}}


def test_a_scored_tender_tells_points_and_values(town: Town):
    tender = published(town)
    companies = [applied(town, tender, serial) for serial in (1, 2)]
    for company, points in zip(companies, (("20", "0", "0"), ("4.5", "0.5", "0")), strict=True):
        assert score(town, tender, company, *points).status_code == 200
    for company, amount in zip(companies, (9_500_000, 9_000_000), strict=True):
        company.bid(tender, amount)
    town.close()
    town.officer.post(f"desk/tenders/{tender}/scores")
    town.open(tender)
    assert town.conclude(tender).status_code == 200
    release = last_release(town)
    assert findings("release", town.guest().get("ocds/releases").json()) == []
    first, second = sorted(release["bids"]["details"], key=lambda bid: -bid["technicalPoints"])
    assert (first["technicalPoints"], first["evaluationValue"]) == (20, 1263.1579), "(100 + 20) ÷ 9 500 000 × 10⁸"
    assert (second["technicalPoints"], second["evaluationValue"]) == (5, 1166.6667), "(100 + 5) ÷ 9 000 000 × 10⁸"


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("130001", "8000020130001"),  # 東京都
        ("401307", "3000020401307"),  # 福岡市
        ("094111", "2000020094111"),  # 栃木県那珂川町
    ],
)
def test_a_municipalitys_number_follows_from_its_code(code: str, number: str):
    """As the bodies give it themselves, 東京都 and 福岡市 in their timetables' open data (agency_id), or a list of subsidies does."""
    assert number_of_municipality(code) == number


def test_the_buyer_is_named_by_its_corporate_number(town: Town):
    town.publish()
    release = last_release(town)
    assert release["buyer"]["id"] == release["tender"]["procuringEntity"]["id"] == "JP-JCN-8000020402036"
    party = release["parties"][0]
    assert party["identifier"] == {"scheme": "JP-JCN", "id": "8000020402036", "legalName": "久留米市"}
    assert party["additionalIdentifiers"][0]["id"] == "402036"


def test_a_town_that_became_a_city_enters_its_number(town: Town):
    with town.service.database.transaction(tenant=town.code) as session:
        place = session.get(room.RoomRow, town.code)
        assert place is not None
        place.code = "402311"  # its code changed: the number it was given stays
    town.publish()
    assert last_release(town)["buyer"]["id"] == "JP-LGC-402036", "no number rather than a wrong one"
    page = town.manager.get("desk/profile").text
    form = {"version": hidden(page, "version"), "tax_percent": "10", "comparison": "floor", "lottery": "core", "first": "00:00",
            "last": "23:59:59", "random-low": "0.995", "random-high": "1.005", "random-step": "0.0001"}  # fmt: skip
    wrong = town.manager.post("desk/profile", form | {"corporate_number": "8000020402037"})
    assert wrong.status_code == 422 and "打ちまちがい" in visible(wrong.text)
    saved = town.manager.post("desk/profile", form | {"corporate_number": "８-0000-2040-2036"})
    assert saved.status_code == 200, visible(saved.text)
    town.publish(title="市道東線舗装工事", limits="none")
    assert last_release(town)["buyer"]["id"] == "JP-JCN-8000020402036"


def test_our_extension_is_where_the_package_says_and_the_check_knows_it(town: Town):
    tender = town.publish()
    award_of(town, tender, 9_000_000)
    package = town.guest().get("ocds/releases").json()
    own = package["extensions"][1]
    assert own.endswith("/ebid/ocds/extension/extension.json")
    path = own[own.index("/ebid/ocds/") :]
    assert town.guest().get(path, page=False).json()["schemas"] == ["release-schema.json"]
    schema = town.guest().get(path.replace("extension.json", "release-schema.json"), page=False).json()
    assert set(schema["definitions"]["BidLimits"]["properties"]) == {
        "reserve",
        "minimum",
        "investigation",
        "disqualify",
    }
    assert town.guest().get(path.replace("extension.json", "README.md"), page=False).status_code == 404
    broken = copy.deepcopy(package)
    broken["releases"][-1]["tender"]["limits"]["lowest"] = {"amount": 1, "currency": "JPY"}
    assert findings("release", package) == [] and findings("release", broken) != []
