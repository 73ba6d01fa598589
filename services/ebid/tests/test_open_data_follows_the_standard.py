"""Every published step as OCDS 1.1.5: valid, append-only, and silent about bidders until the result is public."""

import copy
import json
import threading
from typing import Any

import pytest

from services.ebid.tests.ocds_schema import dangling, findings
from services.ebid.tests.people import Town


def package(town: Town, cursor: str = "") -> dict[str, Any]:
    return town.guest().get("ocds/releases", params={"cursor": cursor}).json()


def concluded(town: Town, count: int = 3) -> str:
    tender = town.publish(method="open_counter", category="goods")
    for serial in range(1, count + 1):
        town.company(serial).bid(tender, 9_000_000 + serial)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    return tender


def test_releases_and_records_are_valid_at_every_step(town: Town):
    tender = town.publish()
    town.company(9).post(f"tenders/{tender}/send", {"act": "ask", "question": "工期は延びますか。"})
    question = town.officer.get(f"desk/tenders/{tender}").text.split("/questions/")[1].split('"')[0]
    town.officer.post(f"desk/tenders/{tender}/questions/{question}", {"answer": "延びません。"})
    concluded(town)
    found = package(town)
    assert [each["tag"] for each in found["releases"]] == [["tender"], ["tenderUpdate"], ["tender"], ["award"]]
    assert findings("release", found) == []
    for ocid in {each["ocid"] for each in found["releases"]}:
        record = town.guest().get(f"ocds/records/{ocid}").json()
        assert findings("record", record) == []
        assert record["records"][0]["compiledRelease"]["tag"] == ["compiled"]
    award = found["releases"][-1]
    assert [bid["status"] for bid in award["bids"]["details"]] == ["valid"] * 3
    assert award["awards"][0]["value"] == {"amount": 9_900_001, "currency": "JPY"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda release: release.pop("ocid"),
        lambda release: release["tender"].update(status="開始"),
        lambda release: release["tender"].update(extra=1),
        lambda release: release.update(tag="tender"),
        lambda release: release["tender"]["tenderPeriod"].update(endDate=5),
    ],
)
def test_the_check_finds_what_is_wrong(town: Town, damage: Any):
    town.publish()
    found = package(town)
    assert findings("release", found) == []
    broken = copy.deepcopy(found)
    damage(broken["releases"][0])
    assert findings("release", broken) != []


WHOLE = {
    "parties": [{"id": "a"}],
    "tender": {"tenderers": [{"id": "a"}]},
    "bids": {"details": [{"id": "1-a", "tenderers": [{"id": "a"}]}]},
    "awards": [{"id": "w", "suppliers": [{"id": "a"}], "relatedBid": "1-a"}],
    "contracts": [{"awardID": "w"}],
}


@pytest.mark.parametrize(
    "part",
    [
        {"parties": []},
        {"parties": [{"id": "a"}, {"id": "a"}]},
        {"bids": {}},
        {"awards": []},
        {"tender": {"tenderers": [{"id": "b"}]}},
    ],
)
def test_the_check_finds_references_to_nothing(part: dict[str, Any]):
    assert dangling(WHOLE) == []
    assert dangling(WHOLE | part) != []


def test_nothing_tells_of_bids_before_the_result(town: Town):
    tender = town.publish()
    silent = package(town)["releases"]
    town.company(1).bid(tender, 9_000_000)
    assert package(town)["releases"] == silent
    town.close()
    town.open(tender)
    assert package(town)["releases"] == silent, "opened, but not yet decided"
    text = str(silent)
    assert "11000000" not in text and "10000000" not in text and "tenderers" not in text


def test_a_reader_with_a_cursor_misses_nothing_and_gets_nothing_twice(town: Town):
    for number in range(3):
        town.publish(title=f"工事{number}")
    first = package(town)
    cursor = first["links"]["next"].split("cursor=")[1]
    assert package(town, cursor)["releases"] == []
    town.publish(title="工事3")
    later = package(town, cursor)["releases"]
    assert [each["tender"]["title"] for each in later] == ["工事3"]
    lines = town.guest().get("ocds/releases.jsonl").text.splitlines()
    assert len(lines) == 4
    whole = town.guest().get("ocds/releases.json").json()
    assert (
        findings("release", whole) == []
        and [json.dumps(each, ensure_ascii=False) for each in whole["releases"]] == lines
    )
    assert town.guest().get("ocds/releases", page=False, params={"cursor": "xx"}).status_code == 422


def test_concurrent_publications_become_visible_in_order(town: Town):
    """A reader that follows while many publish sees every release once."""
    town.register_trustees()
    tenders = [_ready(town, number) for number in range(6)]
    seen: list[str] = []
    done = threading.Event()

    def follow() -> None:
        cursor = ""
        while True:
            last = done.is_set()
            page = package(town, cursor)
            seen.extend(each["id"] for each in page["releases"])
            cursor = page["links"]["next"].split("cursor=")[1]
            if last and not page["releases"]:
                return

    reader = threading.Thread(target=follow)
    writers = [threading.Thread(target=_publish, args=(town, tender)) for tender in tenders]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert len(seen) == len(set(seen)) == len(tenders)


def _ready(town: Town, number: int) -> str:
    tender = town.draft(title=f"工事{number}", limits="none")
    town.seal_limits(tender)
    town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    return tender


def _publish(town: Town, tender: str) -> None:
    manager = town.staff("manager-2", "課長 二", frozenset({"ebid.manager"}))
    page = manager.get(f"desk/approvals/{tender}").text
    version = page.split('name="version" value="')[1].split('"')[0]
    assert manager.post(f"desk/approvals/{tender}/publish", {"version": version}).status_code == 200
