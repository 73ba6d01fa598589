"""Done means, across services: five companies bid, two tie, trustees open, the lottery decides; the result goes over the bus into the
open data catalogue, and from there a reader comes to releases that follow the standard."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from libs.common.testing.database import _sqlite_template
from libs.common.testing.service import NOW
from services.__main__ import DEPLOYABLES
from services.ebid.tests import people as ebid
from services.ebid.tests.ocds_schema import findings
from services.opendata.tests import people as opendata
from tests.integration.installation import Installation

TOWN, NAME = "402036", "久留米市"


@pytest.fixture
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """All services, a municipality with a room in two of them."""
    folder = tmp_path_factory.mktemp("cloud")
    for deployable in DEPLOYABLES:
        template = _sqlite_template(deployable.name, f"services.{deployable.name}", tmp_path_factory)
        shutil.copy(template, folder / f"{deployable.name}.sqlite")
    made = Installation(folder, NOW)
    made.load()
    for people in (ebid, opendata):
        people.open_room(made.services[people.__name__.split(".")[1]], TOWN, NAME)
    yield made
    made.close()


def in_catalogue(reader: opendata.Town) -> dict[str, Any]:
    """The one row about the tender, as a developer finds it."""
    [package] = reader.visitor().result("package_search", q="入札")["results"]
    table = next(each["id"] for each in package["resources"] if each["datastore_active"])
    [row] = reader.visitor().result("datastore_search", resource_id=table)["records"]
    return row | {"feed": next(each["url"] for each in package["resources"] if each["url"].endswith("/ocds/releases"))}


def test_a_result_is_in_the_catalogue_and_its_releases_are_valid(cloud: Installation):
    town = ebid.Town(cloud.services["ebid"], cloud.issuers, TOWN)
    reader = opendata.Town(cloud.services["opendata"], cloud.issuers, TOWN)
    tender = town.publish()
    companies = [town.company(serial) for serial in range(1, 6)]
    amounts = [9_000_000, 9_000_000, 9_500_000, 7_999_999, 10_000_001]
    for company, amount, number in zip(companies, amounts, ("418", "210", "861", "001", "999"), strict=True):
        company.bid(tender, amount, number)
    settled(cloud)
    before = in_catalogue(reader)
    assert (before["結果"], before["入札者数"], before["契約金額（円・税込）"]) == (None, None, None)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    settled(cloud)
    row = in_catalogue(reader)
    assert (row["結果"], row["契約金額（円・税込）"], row["入札者数"]) == ("落札", 9_900_000, 5)
    assert row["落札者名"] in {companies[0].name, companies[1].name}, "the lottery decided between the two"
    feed = town.guest().get(urlsplit(row["feed"]).path).json()
    assert findings("release", feed) == []
    [award] = [release for release in feed["releases"] if "award" in release["tag"]]
    assert award["awards"][0]["value"] == {"amount": 9_900_000, "currency": "JPY"}
    assert len(award["bids"]["details"]) == 5


def settled(cloud: Installation) -> None:
    """Everything that is to be told has been told; data sets are made a moment after."""
    cloud.run()
    cloud.clock._at += timedelta(seconds=5)
    cloud.run()
