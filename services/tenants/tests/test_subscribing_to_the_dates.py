"""A calendar program, which cannot sign in, subscribes to a municipality's dates by an address that can be ended."""

import re
from datetime import date

import pytest

from libs.common.actor import Actor
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, KURUME, OOKI, OPERATOR
from services.tenants.tests.test_dates_and_notices import unfolded
from services.tenants.tests.test_joining_a_service import answer
from services.tenants.tests.test_pages_in_other_languages import japanese_in
from services.tenants.tests.test_reserving_servers import POOL, joins, reserve
from services.tenants.tests.test_the_register_changes import reasons

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
PAGE = f"/portal/{OOKI}/calendar"
ADDRESS = re.compile(r"http://[\w.:]+(/calendars/[\w-]{43}/dates\.ics)")


def make(cloud: Cloud) -> str:
    found = ADDRESS.search(cloud.post(f"{PAGE}/key", ADMIN).text)
    assert found
    return found.group(1)


def dates(cloud: Cloud, path: str, actor: Actor = GUEST) -> list[tuple[str, str]]:
    """(first day, what) of each entry."""
    sent = cloud.get(path, actor)
    assert sent.headers["content-type"].startswith("text/calendar"), sent.text
    days = [line.split(":")[1] for line in unfolded(sent.text) if line.startswith("DTSTART")]
    return list(zip(days, [li.split(":", 1)[1] for li in unfolded(sent.text) if li.startswith("SUMMARY")], strict=True))


def test_who_has_the_address_reads_the_dates_without_signing_in_until_it_is_ended(cloud: Cloud) -> None:
    first = make(cloud)
    assert dates(cloud, first) == []
    assert ADDRESS.search(cloud.get(PAGE, ADMIN).text) is None, "it is shown once and kept nowhere"
    assert not japanese_in(cloud.get(PAGE, ADMIN, cookie="lang=en").text)
    second = make(cloud)
    assert cloud.get(first, GUEST).status_code == 404, "made anew, the one before ends"
    assert cloud.get(second, GUEST).status_code == 200
    for _ in range(2):
        assert cloud.post(f"{PAGE}/end", ADMIN).status_code == 303
    assert cloud.get(second, GUEST).status_code == 404
    assert [a for a, _ in reasons(cloud.database, OOKI)].count("calendar.key.ended") == 1


def test_only_the_administrators_make_an_address_and_it_opens_their_own_dates(cloud: Cloud) -> None:
    kurume = Actor("staff", "person-kurume", "他 所", KURUME, KURUME, frozenset({"portal.admin"}))
    assert cloud.post(f"{PAGE}/key", kurume).status_code == 404
    cloud.post(f"/portal/{OOKI}/services/center/join", ADMIN, {"when": "april"})
    theirs = ADDRESS.search(cloud.post(f"/portal/{KURUME}/calendar/key", kurume).text)
    assert theirs and "大木町" not in cloud.get(theirs.group(1), GUEST).text
    assert "大木町" in cloud.get(make(cloud), GUEST).text


def test_the_dates_of_a_use_are_its_beginning_what_is_before_it_and_its_end(cloud: Cloud) -> None:
    asked = cloud.post(f"/portal/{OOKI}/services/eapply/join", ADMIN, {"when": "april"}).headers["location"]
    address = make(cloud)
    assert dates(cloud, address) == [], "nothing is agreed yet"
    cloud.post(f"/operator/requests/{asked.rsplit('/', 1)[1]}/approve", OPERATOR)
    answer(cloud.database, asked.rsplit("/", 1)[1], "provisioned")
    begins = ("20270401", "利用開始：電子申請サービス")
    assert set(dates(cloud, address)) == {
        begins,
        ("20270318", "使う職員を招待する：電子申請サービス"),
        ("20270325", "使い方を確かめる：電子申請サービス"),
        ("20270531", "初めの請求：電子申請サービス"),
    }
    cloud.clock.advance(days=(date(2027, 6, 1) - date(2026, 11, 20)).days)
    assert dates(cloud, address) == []
    cloud.post(f"/portal/{OOKI}/services/eapply/leave", ADMIN, {"when": "april"})
    assert dates(cloud, address) == [("20280331", "利用の最後の日：電子申請サービス")]


def test_what_servers_are_for_is_read_by_who_is_signed_in_only(cloud: Cloud) -> None:
    joins(cloud.database)
    cloud.post("/operator/capacity/pool", OPERATOR, POOL)
    assert reserve(cloud)[0] == 303
    assert ("20261122", "サーバーの予約：町長選挙の開票速報") in dates(cloud, f"/portal/{OOKI}/dates.ics", ADMIN)
    assert ("20261122", "サーバーの予約") in dates(cloud, make(cloud))


def test_a_use_stays_the_same_entry_when_its_first_day_moves(cloud: Cloud) -> None:
    """A calendar program knows an entry by its UID: with another one it would show both days."""

    def entries() -> dict[str, str]:
        lines = unfolded(cloud.get(f"/portal/{OOKI}/dates.ics", ADMIN).text)
        named = [[li.split(":", 1)[1] for li in lines if li.startswith(name)] for name in ("SUMMARY", "UID", "DTSTART")]
        return {summary: f"{uid} {day}" for summary, uid, day in zip(*named, strict=True)}

    asked = cloud.post(f"/portal/{OOKI}/services/center/join", ADMIN, {"when": "april"}).headers["location"]
    cloud.post(f"/operator/requests/{asked.rsplit('/', 1)[1]}/approve", OPERATOR)
    begins = next(summary for summary in entries() if summary.startswith("利用開始"))
    before = entries()[begins].split()
    moved = cloud.post(f"/portal/{OOKI}/services/center/move", ADMIN, {"when": "day", "day": "2027-06-01"})
    assert moved.status_code == 303, moved.text
    cloud.post(f"/operator/requests/{moved.headers['location'].rsplit('/', 1)[1]}/approve", OPERATOR)
    after = entries()[begins].split()
    assert (before[1], after[1]) == ("20270401", "20270601") and before[0] == after[0]
