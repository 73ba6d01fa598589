"""Ransomware with full credentials: everything is deleted, forged snapshots are added, and yesterday is still there."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from libs.common.clock import JST
from libs.common.errors import Invalid
from services.backup.db import TrustedTimeRow
from services.backup.db import objects as objects_db
from services.backup.db import repositories as db
from services.backup.domain.asof import write_moment
from services.backup.domain.retention import LONGEST_STEP, keep_until, trusted
from services.backup.tests.town import HOME, Cloud, fill, named, restored
from services.backup.use_cases import repositories, sites


def test_everything_deleted_comes_back_from_a_moment_before(cloud: Cloud, tmp_path: Path) -> None:
    repository = cloud.repository()
    owner, thief = cloud.machine(repository, "append"), cloud.machine(repository, "full")
    source, target = tmp_path / "src", tmp_path / "back"
    original = fill(source)
    owner.restic("init")
    owner.restic("backup", str(source))
    before = write_moment(cloud.clock.now() + timedelta(minutes=1))
    cloud.clock.advance(hours=5)
    for year in (2031, 2032, 2033):
        (source / "課0" / "台帳0.dat").write_text(f"forged {year}")
        owner.restic("backup", str(source), "--time", f"{year}-01-01 00:00:00", "--host", "forged")
    assert cloud.fresh(repository).last_point_at == cloud.clock.now(), "a point is as old as its arrival"
    thief.restic("forget", "--keep-last", "1", "--group-by", "", "--prune")
    assert [s["hostname"] for s in json.loads(owner.restic("snapshots", "--json").stdout)] == ["forged"], "planted"
    with thief.client as client:
        for type_ in ("data", "index", "keys", "snapshots"):
            for name in client.get(f"{type_}/", headers={"accept": "application/vnd.x.restic.rest.v1"}).json():
                assert client.delete(f"{type_}/{name}").status_code == 200
        assert client.delete("config").status_code == 200
    shutil.rmtree(tmp_path / "cache")
    assert owner.restic("snapshots", check=False).returncode != 0, "now everything is gone"
    cloud.clock.advance(days=20)
    owner.restic("restore", "latest", "--target", str(target), "--no-lock", moment=before)
    assert restored(target, source) == original


def test_the_past_cannot_be_written(small_cloud: Cloud) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "full")
    with machine.client as client:
        assert client.post(f"data/{named(b'a')}", content=b"a").status_code == 200
        small_cloud.clock.advance(hours=1)
        base = f"{machine.url}/t/{HOME}/backup/restic-asof/{write_moment(small_cloud.clock.now())}/juki/"
        assert client.get(f"{base}data/{named(b'a')}").content == b"a"
        assert client.delete(f"{base}data/{named(b'a')}").status_code == 403
        assert client.post(f"{base}data/{named(b'b')}", content=b"b").status_code == 403
        assert client.post(f"{base}locks/{named(b'b')}", content=b"b").status_code == 403
        assert client.get(f"data/{named(b'a')}").content == b"a"
        for moment in ("2026-13-01T00:00", "2999-01-01T00:00", "2026-11-20", "now", "2026-11-20T10:52Z", "%2e%2e"):
            assert client.get(base.replace(base.split("/")[7], moment) + "data/").status_code == 404, moment


def test_each_moment_shows_what_was_there_then(small_cloud: Cloud) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "full")
    moments = []
    with machine.client as client:
        for step in (lambda: client.post(f"data/{named(b'a')}", content=b"a"),
                     lambda: client.post(f"data/{named(b'b')}", content=b"b"),
                     lambda: client.delete(f"data/{named(b'a')}")):  # fmt: skip
            moments.append(write_moment(small_cloud.clock.now()))
            small_cloud.clock.advance(minutes=2)
            assert step().status_code == 200
            small_cloud.clock.advance(minutes=2)
        moments.append(write_moment(small_cloud.clock.now()))
        seen = [
            {o["name"] for o in client.get(
                f"{machine.url}/t/{HOME}/backup/restic-asof/{moment}/juki/data/",
                headers={"accept": "application/vnd.x.restic.rest.v2"}).json()}
            for moment in moments
        ]  # fmt: skip
    a, b = named(b"a"), named(b"b")
    assert seen == [set(), {a}, {a, b}, {b}]


def test_at_the_very_second_what_arrived_is_there_and_what_was_deleted_is_gone(small_cloud: Cloud) -> None:
    """The second of an arrival shows it, the second of a deletion no longer does, the one before still does."""
    machine = small_cloud.machine(small_cloud.repository(), "full")
    small_cloud.clock.advance(seconds=7)  # a moment that has seconds in its address

    def status(at: datetime) -> int:
        moment = at.astimezone(JST).strftime("%Y-%m-%dT%H:%M:%S")
        return client.get(f"{machine.url}/t/{HOME}/backup/restic-asof/{moment}/juki/data/{named(b'a')}").status_code

    with machine.client as client:
        arrived = small_cloud.clock.now()
        client.post(f"data/{named(b'a')}", content=b"a")
        small_cloud.clock.advance(seconds=30)
        deleted = small_cloud.clock.now()
        client.delete(f"data/{named(b'a')}")
        small_cloud.clock.advance(seconds=30)
        second = timedelta(seconds=1)
        seen = [status(at) for at in (arrived - second, arrived, deleted - second, deleted)]
    assert seen == [404, 200, 200, 404]


@pytest.mark.parametrize(("before", "purged"), [(timedelta(microseconds=1), 0), (timedelta(), 1)])
def test_the_time_of_keeping_ends_at_its_very_moment_and_not_before(
    small_cloud: Cloud, before: timedelta, purged: int
) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "full")
    with machine.client as client:
        client.post(f"data/{named(b'a')}", content=b"a")
        client.delete(f"data/{named(b'a')}")
    with small_cloud.database.transaction(tenant=HOME) as session:
        ends = objects_db.to_purge(session, small_cloud.clock.now() + timedelta(days=99), 1)[0].keep_until
        assert ends is not None
    while (left := ends - before - small_cloud.clock.now()) > timedelta():
        small_cloud.clock.advance(seconds=min(left, timedelta(hours=2)).total_seconds())
        sites.advance_trusted_time(small_cloud.service)
    sites.purge_some(small_cloud.service, HOME)
    assert small_cloud.fresh(machine.repository).held == (0 if purged else 1)


def test_nothing_is_purged_while_a_site_is_away(small_cloud: Cloud) -> None:
    """Its copy would stay behind without a row, and be taken for something nobody was promised."""
    machine = small_cloud.machine(small_cloud.repository(), "full")
    with machine.client as client:
        client.post(f"data/{named(b'a')}", content=b"a")
        assert sites.copy_some(small_cloud.service, HOME) == 1
        client.delete(f"data/{named(b'a')}")
    for _ in range(31 * 12):
        small_cloud.clock.advance(hours=2)
        sites.advance_trusted_time(small_cloud.service)
    for site in small_cloud.places.sites:
        root = site.root  # type: ignore[attr-defined]
        root.rename(root.with_name("away"))
        assert sites.purge_some(small_cloud.service, HOME) == 0 and small_cloud.fresh(machine.repository).held == 1
        root.with_name("away").rename(root)
    assert sites.purge_some(small_cloud.service, HOME) == 1
    assert [list(site.files(HOME, machine.repository.id)) for site in small_cloud.places.sites] == [[], []]


def test_bytes_go_only_after_the_time_of_keeping_and_then_from_both_sites(small_cloud: Cloud) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "full")
    service, content = small_cloud.service, b"x" * 1000
    with machine.client as client:
        client.post(f"data/{named(content)}", content=content)
        assert sites.copy_some(service, HOME) == 1
        client.delete(f"data/{named(content)}")
    sites.advance_trusted_time(service)
    assert (small_cloud.fresh(machine.repository).live, small_cloud.fresh(machine.repository).held) == (0, 1000)
    for _ in range(29 * 24 // 2):
        small_cloud.clock.advance(hours=2)
        sites.advance_trusted_time(service)
    assert sites.purge_some(service, HOME) == 0
    for _ in range(13):
        small_cloud.clock.advance(hours=2)
        sites.advance_trusted_time(service)
    assert sites.purge_some(service, HOME) == 1
    assert small_cloud.fresh(machine.repository).held == 0
    assert [list(site.files(HOME, machine.repository.id)) for site in small_cloud.places.sites] == [[], []]


def test_a_clock_that_jumps_ahead_purges_nothing(small_cloud: Cloud) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "full")
    sites.advance_trusted_time(small_cloud.service)
    with machine.client as client:
        client.post(f"data/{named(b'x')}", content=b"x")
        client.delete(f"data/{named(b'x')}")
        small_cloud.clock.advance(days=400)
        sites.advance_trusted_time(small_cloud.service)
        assert sites.purge_some(small_cloud.service, HOME) == 0
    with small_cloud.machine(machine.repository, "full").client as client:
        client.post(f"data/{named(b'x')}", content=b"x")
        assert client.get(f"data/{named(b'x')}").content == b"x", "and it can be brought back"


def test_trusted_time_never_hurries_and_never_goes_back(small_cloud: Cloud) -> None:
    now = small_cloud.clock.now()
    assert trusted(now, now, now + timedelta(minutes=10)) == now + timedelta(minutes=10)
    assert trusted(now, now, now + timedelta(days=365)) == now + LONGEST_STEP
    assert trusted(now, now, now - timedelta(days=365)) == now
    assert keep_until(now - timedelta(days=365), now, 30) == now + timedelta(days=30)


def test_nobody_can_shorten_the_time_of_keeping(small_cloud: Cloud) -> None:
    row = small_cloud.repository()
    with small_cloud.database.transaction(tenant=HOME) as session:
        repositories.raise_retention(session, small_cloud.staff(), row.id, 60, small_cloud.clock.now())
    with pytest.raises(Invalid, match="短くできません"), small_cloud.database.transaction(tenant=HOME) as session:
        repositories.raise_retention(session, small_cloud.staff(), row.id, 59, small_cloud.clock.now())
    with small_cloud.database.reading(tenant=HOME) as session:
        assert db.by_id(session, row.id).retention_days == 60


def test_a_time_of_keeping_that_grew_holds_for_what_was_deleted_before(small_cloud: Cloud) -> None:
    """Who has just been robbed, and asks for more days to look into it, means what was deleted just now."""
    machine = small_cloud.machine(small_cloud.repository(), "full")
    with machine.client as client:
        for content in (b"x", b"y"):
            client.post(f"data/{named(content)}", content=content)
        client.delete(f"data/{named(b'x')}")
        small_cloud.clock.advance(days=1)
        client.delete(f"data/{named(b'y')}")
    with small_cloud.database.transaction(tenant=HOME) as session:
        repositories.raise_retention(session, small_cloud.staff(), machine.repository.id, 40, small_cloud.clock.now())
    for days, kept in ((33, 2), (5, 2), (1.5, 1), (1, 0)):
        small_cloud.clock.advance(days=days)
        with small_cloud.database.transaction() as session:
            session.merge(TrustedTimeRow(id=1, at=small_cloud.clock.now(), seen=small_cloud.clock.now()))
        while sites.purge_some(small_cloud.service, HOME):
            pass
        with small_cloud.database.reading(tenant=HOME) as session:
            assert len(objects_db.live_and_kept(session, machine.repository.id)) == kept, days
