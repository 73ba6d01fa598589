"""辞退 stands in the result, its paper, the open data and the verifier's file once the round is opened, and nowhere before."""

import copy
import io
from typing import Any

import pytest
from pypdf import PdfReader

from services.ebid.tests.ocds_schema import findings, last_release
from services.ebid.tests.people import Town, visible
from services.ebid.verify.check import check

A_BID_OF_ANOTHER = {"bid-changed", "bid-opened-wrong", "result-award", "result-outcome", "result-ranking"}
"""What else is said of an envelope under another's name."""
NAME = "株式会社筑後2組"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_who_declined_is_named_in_page_paper_and_open_data_after_the_opening_only(town: Town):
    tender = town.publish(method="open_counter", category="goods")
    town.company(1).bid(tender, 9_000_000)
    declining = town.company(2)
    declining.post(f"tenders/{tender}/send", {"act": "decline"})
    town.close()
    assert NAME not in town.officer.get(f"desk/tenders/{tender}").text
    town.open(tender)
    desk = visible(town.officer.get(f"desk/tenders/{tender}").text)
    assert f"{NAME} － 辞退" in desk
    assert NAME not in town.guest().get(f"tenders/{tender}/").text, "opened, but not yet decided"
    assert NAME not in town.guest().get("ocds/releases").text
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    assert f"{NAME} － 辞退" in visible(town.guest().get(f"tenders/{tender}/").text)
    paper = PdfReader(io.BytesIO(town.guest().get(f"tenders/{tender}/result.pdf").content))
    assert "辞退" in "".join(page.extract_text() for page in paper.pages)
    told = last_release(town)
    assert findings("release", town.guest().get("ocds/releases").json()) == []
    assert [(bid["status"], bid.get("value")) for bid in told["bids"]["details"]] == [
        ("valid", {"amount": 9_000_000, "currency": "JPY"}),
        ("withdrawn", None),
    ]
    roles = {each["name"]: each["roles"] for each in told["parties"]}
    assert roles[NAME] == ["interestedParty"] and told["tender"]["numberOfTenderers"] == 1, "who declined has not bid"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_who_declined_checks_offline_that_it_stands_there_and_no_bid_of_its_own(town: Town):
    tender = town.publish(method="open_counter", category="goods")
    bidder, declining, other = (town.company(serial) for serial in (1, 2, 3))
    bidder.bid(tender, 9_000_000)
    for each in (declining, other):
        each.post(f"tenders/{tender}/send", {"act": "decline"})
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert declining.get(f"tenders/{tender}/bundle.json").status_code == 404, "no file before the conclusion"
    assert town.conclude(tender).status_code == 200
    bundle = town.guest().get(f"tenders/{tender}/bundle.json", page=False).json()
    receipt = declining.get(f"tenders/{tender}/receipt.json", page=False).json()
    report = check(bundle, [receipt])
    assert report.codes() == set(), report.problems
    assert any("辞退届2件" in line for line in report.passed)
    assert any("あなたの辞退届" in line for line in report.passed)
    assert {
        name: check(altered, [receipt]).codes()
        for name, altered in alterations(bundle, receipt["receipt"]["index"]).items()
    } == {
        "left out": {"decline-dropped", "my-decline-missing"},
        "left out of the closing list, too": {"closing-changed", "my-decline-missing"},
        "exchanged in the closing list": {"closing-changed", "decline-changed"},
        "added": {"decline-added", "decline-not-logged"},
        "another bidder's name": {"decline-changed", "decline-and-bid"},
        "another place in the log": {"decline-not-logged", "my-decline-missing", "decline-dropped", "decline-added"},
        "later": {"decline-not-logged", "decline-changed", "bid-late", "my-decline-missing"},
        "a bid beside it": {"decline-and-bid", *A_BID_OF_ANOTHER},
        "no refusals at all": {"decline-dropped"},
    }


def alterations(bundle: dict[str, Any], index: int) -> dict[str, dict[str, Any]]:
    names = (
        "left out", "left out of the closing list, too", "exchanged in the closing list", "added", "another bidder's name",
        "another place in the log", "later", "a bid beside it", "no refusals at all",
    )  # fmt: skip
    made = {name: copy.deepcopy(bundle) for name in names}
    rounds = {name: document["rounds"][0] for name, document in made.items()}
    own = {
        name: next(each for each in told["declined"] if each["logged"]["index"] == index)
        for name, told in rounds.items()
    }
    for name in ("left out", "left out of the closing list, too"):
        rounds[name]["declined"].remove(own[name])
    hidden, exchanged = (rounds[name]["closing"]["declines"] for name in names[1:3])
    hidden[:] = [each for each in hidden if each[0] != index]
    exchanged[0][1] = "00" * 32
    rounds["added"]["declined"].append(copy.deepcopy(own["added"]))
    rounds["added"]["declined"][-1]["logged"]["index"] += 64
    own["another bidder's name"]["bidder"] = bundle["rounds"][0]["bids"][0]["envelope"]["head"]["bidder"]
    own["another place in the log"]["logged"]["index"] += 1
    own["later"]["logged"]["entry"]["at"] = "2099-01-01T00:00:00.000000Z"
    rounds["a bid beside it"]["bids"][0]["envelope"]["head"]["bidder"] = own["a bid beside it"]["bidder"]
    del rounds["no refusals at all"]["declined"]
    return made


def test_a_refusal_left_out_is_seen_by_everybody_without_its_receipt(town: Town):
    tender = town.publish(method="open_counter", category="goods")
    town.company(1).bid(tender, 9_000_000)
    town.company(2).post(f"tenders/{tender}/send", {"act": "decline"})
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    bundle = town.guest().get(f"tenders/{tender}/bundle.json", page=False).json()
    assert check(bundle).codes() == set()
    bundle["rounds"][0]["declined"] = []
    assert check(bundle).codes() == {"decline-dropped"}
