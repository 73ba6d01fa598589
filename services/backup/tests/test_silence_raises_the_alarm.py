"""Nobody reports a backup that was never tried: the absence of success must."""

import re
from datetime import date, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from libs.common.audit import AuditEntryRow
from libs.common.clock import JST
from libs.common.errors import Conflict
from libs.common.notices import NoticeRow
from libs.common.outbox import OutboxRow
from libs.common.room import RoomRow
from services.backup.db import AlertRow
from services.backup.db import repositories as db
from services.backup.domain.points import FLOOD_LEAST, Day, days, is_drop, is_flood, is_mass_deletion
from services.backup.tests.town import HOME, MIB, Cloud, Machine, named
from services.backup.use_cases import alerts, repositories, sites, watch


def open_kinds(cloud: Cloud) -> list[str]:
    with cloud.database.reading(tenant=HOME) as session:
        return [alert.kind for alert in db.open_alerts(session)]


def watch_now(cloud: Cloud) -> int:
    with cloud.database.transaction(tenant=HOME) as session:
        return watch.watch(session, cloud.clock.now())


def snapshot(machine: Machine, content: bytes) -> None:
    with machine.client as client:
        assert client.post(f"snapshots/{named(content)}", content=content).status_code == 200


def test_a_town_whose_backups_stop_is_told_once_and_the_alert_ends_with_the_next(cloud: Cloud) -> None:
    machine = cloud.machine(cloud.repository(), "append")
    snapshot(machine, b"one")
    assert sites.copy_some(cloud.service, HOME) == 1
    cloud.clock.advance(hours=25)
    assert (watch_now(cloud), open_kinds(cloud)) == (0, [])
    cloud.clock.advance(hours=2)
    assert (watch_now(cloud), open_kinds(cloud)) == (1, ["overdue"])
    cloud.clock.advance(hours=2)
    assert watch_now(cloud) == 0, "the same alarm is raised once"
    with cloud.database.reading() as session:
        notices = list(session.scalars(select(NoticeRow)))
        assert len(notices) == 1 and "約束した間隔" in notices[0].subject
        assert "そのまま保管しています" in notices[0].body
    snapshot(machine, b"two")
    assert (watch_now(cloud), open_kinds(cloud)) == (0, [])


def test_a_clock_that_jumps_a_day_and_back_raises_one_alarm_and_no_flapping(small_cloud: Cloud) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "append")
    snapshot(machine, b"one")
    raised = []
    for step in (2, -2, 2, -2):
        small_cloud.clock.advance(days=step)
        raised.append(watch_now(small_cloud))
    assert (raised, sorted(open_kinds(small_cloud))) == ([2, 0, 0, 0], ["lag", "overdue"])
    sites.copy_some(small_cloud.service, HOME)
    assert (watch_now(small_cloud), open_kinds(small_cloud)) == (0, ["overdue"])
    snapshot(machine, b"two")
    assert open_kinds(small_cloud) == []


def test_a_watch_that_has_stopped_is_seen_on_every_page_and_from_outside(small_cloud: Cloud) -> None:
    sites.advance_trusted_time(small_cloud.service)
    headers = small_cloud.issuers.headers(small_cloud.staff(), "backup", html=True)
    client = TestClient(small_cloud.app, headers=headers)
    desk = f"/t/{HOME}/backup/desk/"
    assert client.get("/internal/backup/watch").status_code == 200
    assert "見張りが止まっています" not in client.get(desk).text
    small_cloud.clock.advance(minutes=16)
    assert client.get("/internal/backup/watch").status_code == 503
    assert "見張りが止まっています" in client.get(desk).text
    assert "見張りが止まっています" in client.get(f"/t/{HOME}/backup/fragments/desk").text


def test_the_days_on_which_a_promise_was_broken() -> None:
    def at(day: int, hour: int) -> datetime:
        return datetime(2026, 11, day, hour, tzinfo=JST)

    arrivals = [at(2, 1), at(3, 1), at(6, 12)]
    seen = days(arrivals, created_at=at(1, 12), promised_hours=26, now=at(7, 9), count=14)
    assert [(day.day.day, day.arrived, day.kept) for day in seen] == [
        (7, 0, True), (6, 1, False), (5, 0, False), (4, 0, False), (3, 1, True), (2, 1, True), (1, 0, True),
    ]  # fmt: skip
    assert days([], at(1, 0), 26, at(1, 5), 14) == [Day(date(2026, 11, 1), 0, True)]


def test_a_folder_that_is_suddenly_empty_is_told_from_a_quiet_weekend() -> None:
    week = [(m * MIB, 500 * MIB) for m in (40, 50, 60, 45, 55, 3, 2)]
    assert is_drop(50_000, 501 * MIB, week), "less than a twentieth of the quietest day"
    assert not is_drop(2 * MIB, 501 * MIB, week)
    assert not is_drop(0, 501 * MIB, week[:6]), "nobody knows yet what is usual"
    assert not is_drop(0, 3 * MIB, [(0, 3 * MIB)] * 7), "data that never changes is no alarm"
    assert is_drop(50 * MIB, 200 * MIB, week), "most of what was stored is gone"


def test_a_repository_that_never_got_anything_is_overdue_too(small_cloud: Cloud) -> None:
    small_cloud.repository()
    small_cloud.clock.advance(hours=27)
    assert watch_now(small_cloud) == 1


def test_a_recovery_point_is_told_with_its_bytes_and_its_arrival_counts(cloud: Cloud) -> None:
    machine = cloud.machine(cloud.repository(), "append")
    with machine.client as client:
        client.post(f"data/{named(b'a' * 500)}", content=b"a" * 500)
    snapshot(machine, b"one")
    snapshot(machine, b"one")
    with cloud.database.reading() as session:
        told = [r.envelope for r in session.scalars(select(OutboxRow)) if "recovery_point" in r.type]
    assert len(told) == 1, "sent again it is one point"
    assert told[0]["tenantid"] == HOME
    assert (told[0]["data"]["added"], told[0]["data"]["stored_by_municipality"]) == (500, 503)


def test_most_recovery_points_deleted_in_a_day_is_an_alarm(small_cloud: Cloud) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "full")
    points = [str(n).encode() for n in range(5)]
    for point in points:
        snapshot(machine, point)
    with machine.client as client:
        for number, point in enumerate(points[:3]):
            assert open_kinds(small_cloud) == [], number
            client.delete(f"snapshots/{named(point)}")
    assert open_kinds(small_cloud) == ["mass-deletion"]


CONFIG, OWN_KEY = b"config", b"key one"


def filled(machine: Machine) -> None:
    with machine.client as client:
        assert client.post("config", content=CONFIG).status_code == 200
        assert client.post(f"keys/{named(OWN_KEY)}", content=OWN_KEY).status_code == 200


@pytest.mark.parametrize("what", ["config", f"keys/{named(OWN_KEY)}"])
def test_without_its_config_or_its_last_key_nobody_opens_a_repository_and_that_is_told_at_once(
    cloud: Cloud, what: str
) -> None:
    machine = cloud.machine(cloud.repository(), "full")
    filled(machine)
    with machine.client as client:
        assert client.delete(what).status_code == 200
        assert open_kinds(cloud) == ["unopenable"]
        client.delete(what)
        with cloud.database.reading() as session:
            assert len(list(session.scalars(select(NoticeRow)))) == 1, "told once"
        cloud.clock.advance(minutes=1)
        other = b"somebody else's"
        address = "config" if what == "config" else f"keys/{named(other)}"
        assert client.post(address, content=other).status_code == 200
        assert open_kinds(cloud) == ["unopenable"], "with another one nobody opens what was there"
        client.delete(address)
        assert client.post(what, content=CONFIG if what == "config" else OWN_KEY).status_code == 200
    assert open_kinds(cloud) == []


def test_a_password_that_is_changed_leaves_a_key_and_raises_nothing(small_cloud: Cloud) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "full")
    filled(machine)
    with machine.client as client:
        client.post(f"keys/{named(b'key two')}", content=b"key two")
        client.delete(f"keys/{named(OWN_KEY)}")
    assert open_kinds(small_cloud) == []


def test_the_mail_of_an_alert_leads_to_the_page_of_its_repository(small_cloud: Cloud) -> None:
    repository = small_cloud.repository()
    with small_cloud.database.transaction() as session:
        session.get_one(RoomRow, HOME).code = "402311"  # the town became a city
    small_cloud.clock.advance(hours=27)
    watch_now(small_cloud)
    with small_cloud.database.reading() as session:
        (notice,) = session.scalars(select(NoticeRow))
    assert f"/t/402311/backup/desk/{repository.id}" in notice.body.splitlines(), (
        "alone on its line it becomes an address"
    )


def test_unusual_changes_are_told_from_usual_ones() -> None:
    usual = [10_000_000] * 5
    assert is_flood(FLOOD_LEAST, usual)
    assert not is_flood(FLOOD_LEAST - 1, usual)
    assert not is_flood(FLOOD_LEAST, [FLOOD_LEAST] * 5)
    assert not is_flood(10**12, usual[:4]), "the first backups are always large"
    assert is_mass_deletion(3, 5) and not is_mass_deletion(2, 5) and not is_mass_deletion(1, 1)


def test_most_deleted_once_more_is_told_once_more_after_somebody_has_looked(small_cloud: Cloud) -> None:
    """Else the first alarm ever, taken for what it was, would hide the attack a year later."""
    repository = small_cloud.repository()
    machine = small_cloud.machine(repository, "full")
    desk = TestClient(
        small_cloud.app,
        headers=small_cloud.issuers.headers(small_cloud.staff(), "backup", html=True),
        follow_redirects=False,
    )
    here = f"/t/{HOME}/backup/desk/{repository.id}"
    for turn in range(2):
        delete_most(machine, turn)
        assert open_kinds(small_cloud) == ["mass-deletion"]
        seen = re.search(r'action="([^"]+/alerts/[^"]+)"', desk.get(here).text)
        assert seen
        for _ in range(2):
            assert desk.post(seen[1]).status_code == 303, "twice is once"
        assert open_kinds(small_cloud) == []
        assert "この表示を消す" not in desk.get(here).text
        small_cloud.clock.advance(days=2)
    with small_cloud.database.reading(tenant=HOME) as session:
        assert len(list(session.scalars(select(NoticeRow)))) == 2, "each was mailed once"
        assert [row.action for row in session.scalars(select(AuditEntryRow))].count("backup.alert.seen") == 2


def delete_most(machine: Machine, turn: int) -> None:
    points = [f"{turn}-{number}".encode() for number in range(9)]
    for point in points:
        snapshot(machine, point)
    with machine.client as client:
        for point in points:
            client.delete(f"snapshots/{named(point)}")


def test_an_alarm_that_ends_by_itself_cannot_be_waved_away(small_cloud: Cloud) -> None:
    repository = small_cloud.repository()
    small_cloud.clock.advance(hours=27)
    watch_now(small_cloud)
    with small_cloud.database.transaction(tenant=HOME) as session:
        (alert,) = db.open_alerts(session)
        with pytest.raises(Conflict):
            alerts.note_seen(session, small_cloud.staff(), repository.id, alert.id, small_cloud.clock.now())
    desk = TestClient(small_cloud.app, headers=small_cloud.issuers.headers(small_cloud.staff(), "backup", html=True))
    here = f"/t/{HOME}/backup/desk/{repository.id}"
    assert "この表示を消す" not in desk.get(here).text
    assert desk.post(f"{here}/alerts/unknown").status_code == 404
    other = small_cloud.repository("other")
    assert desk.post(f"/t/{HOME}/backup/desk/{other.id}/alerts/{alert.id}").status_code == 404
    assert open_kinds(small_cloud) == ["overdue"]


def test_a_second_site_that_is_a_day_behind_is_told_once_and_the_alert_ends_with_the_copy(small_cloud: Cloud) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "append")
    for hours in (0, 12, 13):
        small_cloud.clock.advance(hours=hours)
        snapshot(machine, str(hours).encode())
    assert (watch_now(small_cloud), open_kinds(small_cloud)) == (1, ["lag"])
    assert watch_now(small_cloud) == 0
    desk = TestClient(small_cloud.app, headers=small_cloud.issuers.headers(small_cloud.staff(), "backup", html=True))
    assert "1日たっても2か所目に写せていません" in desk.get(f"/t/{HOME}/backup/desk/").text
    assert sites.copy_some(small_cloud.service, HOME) == 3
    assert (watch_now(small_cloud), open_kinds(small_cloud)) == (0, [])


def test_a_key_is_told_of_two_weeks_before_it_ends_until_its_machine_has_another(small_cloud: Cloud) -> None:
    repository = small_cloud.repository()
    machine = small_cloud.machine(repository, "append")

    def a_day_later(day: int) -> tuple[int, list[str]]:
        small_cloud.clock.advance(days=1)
        snapshot(machine, f"day {day}".encode())
        sites.copy_some(small_cloud.service, HOME)
        return watch_now(small_cloud), open_kinds(small_cloud)

    assert {a_day_later(day) == (0, []) for day in range(75)} == {True}
    assert a_day_later(75) == (1, ["key-ending"])
    assert a_day_later(76) == (0, ["key-ending"]), "told once"
    with small_cloud.database.reading() as session:
        (notice,) = session.scalars(select(NoticeRow))
        assert "キーの期限" in notice.subject
    machine = small_cloud.machine(repository, "append")
    assert a_day_later(77) == (0, []), "its machine has another"
    assert {a_day_later(day) == (0, []) for day in range(78, 100)} == {True}, "and the first has ended"


def test_a_key_that_was_made_for_a_moment_or_revoked_ends_without_a_word(small_cloud: Cloud) -> None:
    repository, now = small_cloud.repository(), small_cloud.clock.now
    snapshot(small_cloud.machine(repository, "append"), b"one")
    moment = small_cloud.tokens.make(HOME, "整理", "backup.full", 30, "staff")
    with small_cloud.database.transaction(tenant=HOME) as session:
        repositories.add_key(session, small_cloud.staff(), repository.id, moment, "full", "整理", now())
    small_cloud.clock.advance(days=20)
    watch_now(small_cloud)
    assert "key-ending" not in open_kinds(small_cloud)
    small_cloud.clock.advance(days=60)
    watch_now(small_cloud)
    assert "key-ending" in open_kinds(small_cloud), "planted: the machine's own"
    with small_cloud.database.transaction(tenant=HOME) as session:
        for key in db.keys(session, repository.id):
            repositories.revoke_key(session, small_cloud.staff(), repository.id, key.token_id, now())
    watch_now(small_cloud)
    assert "key-ending" not in open_kinds(small_cloud)


def test_a_repository_is_told_of_before_it_is_full_once_until_there_is_room_again(small_cloud: Cloud) -> None:
    """Not when backups are refused already; and with its municipality, which may be full before any of its repositories."""
    one, other = small_cloud.repository("one"), small_cloud.repository("other")

    def used(share: float, of: str = one.id) -> tuple[int, set[tuple[str, str]]]:
        with small_cloud.database.transaction(tenant=HOME) as session:
            row = db.by_id(session, of) if of else db.allowance(session)
            row.live = round(row.quota * share)
        new = watch_now(small_cloud)
        with small_cloud.database.reading(tenant=HOME) as session:
            rows = session.scalars(select(AlertRow).where(AlertRow.cleared_at.is_(None)))
            return new, {(row.repository_id, row.kind) for row in rows}

    told = {(one.id, "nearly-full")}
    assert used(0.89) == (0, set())
    assert used(0.91) == (1, told)
    assert used(1.0) == (0, told), "told once"
    assert used(0.86) == (0, told), "hardly any room"
    assert used(0.84) == (0, set())
    desk = TestClient(small_cloud.app, headers=small_cloud.issuers.headers(small_cloud.staff(), "backup", html=True))
    assert "上限の9割" not in desk.get(f"/t/{HOME}/backup/desk/{one.id}").text
    assert used(0.95, of="") == (2, told | {(other.id, "nearly-full")})
    page = desk.get(f"/t/{HOME}/backup/desk/{one.id}").text
    assert "使っている量が、上限の9割をこえました" in page
    assert "新しいバックアップを受け取れません" in page
