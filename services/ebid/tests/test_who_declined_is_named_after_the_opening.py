"""辞退 stands in the result, its paper and the open data once the round is opened, and nowhere before."""

import io

import pytest
from pypdf import PdfReader

from services.ebid.tests.ocds_schema import findings, last_release
from services.ebid.tests.people import Town, visible

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
