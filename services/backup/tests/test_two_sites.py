"""Everything is at a second site, verified; one is lost, one rots, and the bytes still come back."""

import json
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from sqlalchemy import delete, select

from libs.common.notices import NoticeRow
from libs.common.outbox import OutboxRow
from libs.common.telemetry import metrics
from services.backup.db import ObjectRow, RecoveryPointRow, TrustedTimeRow
from services.backup.db import objects as objects_db
from services.backup.db import repositories as db
from services.backup.domain.asof import write_moment
from services.backup.domain.protocol import V1
from services.backup.settings import renew_site
from services.backup.sites import FolderSite, SiteBroken, SiteFull
from services.backup.sites.folder import FileReader
from services.backup.tests.town import HOME, OTHER, Cloud, Machine, fill, hashes, named, restored
from services.backup.use_cases import sites
from services.backup.use_cases.sites import key_of


def rows(cloud: Cloud) -> list[ObjectRow]:
    with cloud.database.reading(tenant=HOME) as session:
        return list(session.scalars(select(ObjectRow).where(ObjectRow.type != "locks")))


def copy_all(cloud: Cloud) -> int:
    total = 0
    while copied := sites.copy_some(cloud.service, HOME):
        total += copied
    return total


def events(cloud: Cloud, type_: str) -> list[dict]:
    with cloud.database.reading() as session:
        return [row.envelope["data"] for row in session.scalars(select(OutboxRow).where(OutboxRow.type == type_))]


def flip_a_bit(site: FolderSite, row: ObjectRow) -> None:
    path = site.path(key_of(row))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def planted(cloud: Cloud, count: int = 3) -> Machine:
    machine = cloud.machine(cloud.repository(), "append")
    with machine.client as client:
        for number in range(count):
            content = bytes([number]) * 1000
            assert client.post(f"data/{named(content)}", content=content).status_code == 200
    return machine


def test_the_first_site_burns_and_restic_restores_from_the_second(cloud: Cloud, tmp_path: Path) -> None:
    machine = cloud.machine(cloud.repository(), "append")
    source, target = tmp_path / "src", tmp_path / "back"
    original = fill(source)
    machine.restic("init")
    machine.restic("backup", str(source))
    with cloud.database.reading(tenant=HOME) as session:
        waiting, size, oldest = objects_db.lag(session)
    assert waiting > 3 and size > 0 and oldest == cloud.clock.now(), "the lag is seen before it is gone"
    assert copy_all(cloud) == waiting
    with cloud.database.reading(tenant=HOME) as session:
        assert objects_db.lag(session) == (0, 0, None)
    shutil.rmtree(cloud.places.first.root)
    shutil.rmtree(tmp_path / "cache")
    machine.restic("restore", "latest", "--target", str(target))
    assert restored(target, source) == original
    assert machine.restic("list", "locks", "--no-lock").stdout == "", (
        "the lock it took at the second site is gone again"
    )
    with machine.client as client:
        assert client.post(f"data/{named(b'new')}", content=b"new").status_code == 503, "nothing is accepted meanwhile"


@pytest.mark.parametrize("by", ["append", "read", "full, as of a moment"])
def test_the_first_site_burns_in_the_middle_of_a_backup_and_the_one_before_is_restored(
    small_cloud: Cloud, tmp_path: Path, by: str
) -> None:
    """What was not copied yet is listed by nobody meanwhile: restic would ask for it for a quarter of an hour, and give up."""
    mode, _, past = by.partition(", ")
    repository = small_cloud.repository()
    machine = small_cloud.machine(repository, "append")
    source, target = tmp_path / "src", tmp_path / "back"
    original = fill(source)
    machine.restic("init")
    machine.restic("backup", str(source))
    assert copy_all(small_cloud) > 3
    fill(source, seed=2)
    machine.restic("backup", str(source))
    with machine.client as client:
        assert (
            client.post(f"locks/{named(b'of the backup that burnt')}", content=b"of the backup that burnt").status_code
            == 200
        )
    with small_cloud.database.reading(tenant=HOME) as session:
        assert objects_db.lag(session)[0] > 3, "planted: a snapshot that the second site does not have"
    small_cloud.clock.advance(hours=1)
    shutil.rmtree(small_cloud.places.first.root)
    shutil.rmtree(tmp_path / "cache")
    helper = small_cloud.machine(repository, mode)  # type: ignore[arg-type]
    moment = write_moment(small_cloud.clock.now()) if past else None
    alone = ["--no-lock"] if past or mode == "read" else []
    assert len(json.loads(helper.restic("snapshots", "--json", *alone, moment=moment).stdout)) == 1
    helper.restic("restore", "latest", "--target", str(target), *alone, moment=moment)
    assert restored(target, source) == original


def test_the_first_site_is_replaced_and_the_machine_goes_on_where_the_second_had_come(
    small_cloud: Cloud, tmp_path: Path
) -> None:
    """What burnt before it was copied is there for nobody, so restic sends again what it finds missing."""
    machine = small_cloud.machine(small_cloud.repository(), "append")
    source, target = tmp_path / "src", tmp_path / "back"
    fill(source)
    machine.restic("init")
    machine.restic("backup", str(source))
    assert copy_all(small_cloud) > 3
    original = fill(source, seed=2)
    machine.restic("backup", str(source))
    shutil.rmtree(small_cloud.places.first.root)
    renew_site(small_cloud.service, small_cloud.places.first)
    while sites.repair_some(small_cloud.service, HOME):
        pass
    assert damage_alerts(small_cloud) == ["damage"], "planted: a snapshot that no site has"
    machine.restic("backup", str(source))
    machine.restic("check", "--read-data", "--no-cache")
    machine.restic("restore", "latest", "--target", str(target), "--no-cache")
    assert restored(target, source) == original


def test_whoever_can_delete_sees_all_there_is_while_the_first_site_is_away(small_cloud: Cloud) -> None:
    """From a part of it, `prune` would take what it sees nobody use for rubbish."""
    machine = planted(small_cloud, 2)
    copy_all(small_cloud)
    keeper = small_cloud.machine(machine.repository, "full")
    lock = named(b"just taken")
    with machine.client as client, keeper.client as other:
        for path, content in ((f"data/{named(b'new')}", b"new"), (f"locks/{lock}", b"just taken")):
            assert client.post(path, content=content).status_code == 200
        shutil.rmtree(small_cloud.places.first.root)
        assert named(b"new") not in client.get("data/", headers={"accept": V1}).json()
        assert client.get("locks/", headers={"accept": V1}).json() == [lock], "its holder may still be at work"
        assert named(b"new") in other.get("data/", headers={"accept": V1}).json()


def test_a_lost_site_is_filled_again_from_the_other(small_cloud: Cloud) -> None:
    machine = planted(small_cloud)
    copy_all(small_cloud)
    root = small_cloud.places.first.root
    shutil.rmtree(root)
    assert not small_cloud.places.first.up
    root.mkdir()
    assert not small_cloud.places.first.up, "an empty mount point is not taken for the site"
    renew_site(small_cloud.service, small_cloud.places.first)
    while sites.repair_some(small_cloud.service, HOME):
        pass
    assert all(sites.state_of(small_cloud.places.first, row)[0] == "ok" for row in rows(small_cloud))
    with machine.client as client:
        assert client.post(f"data/{named(b'new')}", content=b"new").status_code == 200


@pytest.mark.parametrize("look", ["to_copy", "to_check"])
def test_a_site_that_goes_away_in_the_middle_of_the_work_is_no_fault(
    small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    planted(small_cloud)
    root, found = small_cloud.places.first.root, getattr(objects_db, look)

    def and_then_it_is_away(*asked: Any) -> Any:
        rows = found(*asked)
        if root.exists():
            root.rename(root.with_name("away"))
        return rows

    monkeypatch.setattr(objects_db, look, and_then_it_is_away)
    if look == "to_copy":
        assert sites.copy_some(small_cloud.service, HOME) == 0
    else:
        assert sites.check_some(small_cloud.service, HOME, small_cloud.clock.now(), 10**9).damaged == 0
    monkeypatch.undo()
    root.with_name("away").rename(root)
    assert {row.first_state for row in rows(small_cloud)} <= {None, "ok"}, "nothing was noted of what nobody could read"
    copy_all(small_cloud)


def test_every_flipped_bit_is_found_mended_and_told(cloud: Cloud) -> None:
    planted(cloud)
    copy_all(cloud)
    first, second, _ = rows(cloud)
    flip_a_bit(cloud.places.first, first)
    cloud.places.second.path(key_of(second)).unlink()
    cloud.clock.advance(days=8)
    told = metrics.INTEGRITY.labels("backup", "damaged-object")
    before = told._value.get()
    result = sites.check_some(cloud.service, HOME, cloud.clock.now() - timedelta(days=7), 10**9)
    assert (result.objects, result.damaged, result.repaired) == (6, 2, 2)
    assert told._value.get() - before == 2, "what was mended is told to the alerts, too"
    for site in cloud.places.sites:
        assert all(sites.state_of(site, row)[0] == "ok" for row in rows(cloud))
    found = events(cloud, "backup.damage.found.v1")
    assert sorted((e["site"], e["repaired"]) for e in found) == [("first", True), ("second", True)]
    assert sites.check_some(cloud.service, HOME, cloud.clock.now() - timedelta(days=7), 10**9).objects == 0


def test_what_one_municipality_does_not_need_of_the_rate_of_checks_goes_to_another(small_cloud: Cloud) -> None:
    """Else a large one would be read again only after months, while the others' part of the rate is left unused."""
    planted(small_cloud, 1)
    other = small_cloud.machine(small_cloud.repository("large", OTHER), "append")
    with other.client as client:
        for number in range(20):
            assert client.post(f"data/{named(bytes([number]) * 1000)}", content=bytes([number]) * 1000).is_success
    small_cloud.clock.advance(days=8)
    before = small_cloud.clock.now() - timedelta(days=7)
    found = sites.check_in_turn(small_cloud.service, [HOME, OTHER], before, 12_000, lambda: True)
    assert (found.objects, found.bytes) == (12, 12_000)
    assert [row.first_checked_at for row in rows(small_cloud)] == [small_cloud.clock.now()], (
        "the small one had its turn"
    )
    rest = sites.check_in_turn(small_cloud.service, [OTHER, HOME], before, 10**9, lambda: False)
    assert rest.objects == 9, "when the time is over everybody has had one turn"


def spoil(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    match how:
        case "a flipped bit":
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
        case "cut short":
            path.write_bytes(content[:-1])
        case "emptied":
            path.write_bytes(b"")
        case "gone":
            path.unlink()
        case _:
            elsewhere = path.parents[2] / "elsewhere"  # of the same length: only that it is a link tells
            elsewhere.write_bytes(bytes(byte ^ 1 for byte in content))
            path.unlink()
            path.symlink_to(elsewhere)


HOWS = ["a flipped bit", "cut short", "emptied", "gone", "a link to another file"]


def test_one_file_of_each_type_spoiled_behind_our_back_is_mended(small_cloud: Cloud, tmp_path: Path) -> None:
    """data, index, keys, snapshots and config, each in each way; afterwards restic itself finds nothing wrong."""
    machine = small_cloud.machine(small_cloud.repository(), "append")
    machine.restic("init")
    fill(tmp_path / "src", files=6)
    machine.restic("backup", str(tmp_path / "src"))
    copy_all(small_cloud)
    chosen = {row.type: row for row in rows(small_cloud)}
    assert set(chosen) == {"data", "index", "keys", "snapshots", "config"}
    stray = small_cloud.places.first.path(replace(key_of(chosen["data"]), name=named(b"stray")))
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"stray")
    for turn in range(len(HOWS)):
        for number, row in enumerate(chosen.values()):
            spoil(small_cloud.places.first.path(key_of(row)), HOWS[(number + turn) % len(HOWS)])
        small_cloud.clock.advance(days=8)
        found = sites.check_some(small_cloud.service, HOME, small_cloud.clock.now(), 10**9)
        assert (found.damaged, found.repaired) == (5, 5)
    with machine.client as client:
        assert named(b"stray") not in client.get("data/").json(), "a file nobody was promised is not listed"
    small_cloud.app.state.memory.forget()  # a file that was just read, as it was before it was mended, is open for a moment more
    machine.restic("check", "--read-data", "--no-cache")


def test_two_workers_copying_at_once_copy_each_object_once(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(cloud, 20)
    both, begin = threading.Barrier(2), FolderSite.begin

    def together(site: FolderSite) -> Any:
        upload = begin(site)
        both.wait(30)  # each object is on its way twice
        return upload

    monkeypatch.setattr(FolderSite, "begin", together)
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(sites.copy_some, cloud.service, HOME) for _ in range(2)]
        assert all(future.exception() is None for future in done)
    with cloud.database.reading(tenant=HOME) as session:
        assert objects_db.lag(session) == (0, 0, None)
        assert db.open_alerts(session) == [], "that another was quicker is no fault of a disk"
    assert all(sites.state_of(cloud.places.second, row)[0] == "ok" for row in rows(cloud))
    assert len(list(cloud.places.second.files(HOME, rows(cloud)[0].repository_id))) == 20


def test_the_second_site_is_lost_and_filled_again_and_is_not_counted_as_safe_meanwhile(small_cloud: Cloud) -> None:
    planted(small_cloud)
    copy_all(small_cloud)
    shutil.rmtree(small_cloud.places.second.root)
    assert sites.copy_some(small_cloud.service, HOME) == 0
    renew_site(small_cloud.service, small_cloud.places.second)
    with small_cloud.database.reading(tenant=HOME) as session:
        assert objects_db.lag(session)[0] == 3
    assert copy_all(small_cloud) == 3
    assert all(sites.state_of(small_cloud.places.second, row)[0] == "ok" for row in rows(small_cloud))


def test_whoever_empties_the_first_site_does_not_empty_the_second(small_cloud: Cloud) -> None:
    planted(small_cloud)
    copy_all(small_cloud)
    shutil.rmtree(small_cloud.places.first.root / HOME)
    small_cloud.clock.advance(days=8)
    sites.check_some(small_cloud.service, HOME, small_cloud.clock.now(), 10**9)
    sites.set_aside_unknown(small_cloud.service, HOME)
    sites.purge_some(small_cloud.service, HOME)
    for site in small_cloud.places.sites:
        assert all(sites.state_of(site, row)[0] == "ok" for row in rows(small_cloud)), site.name


def test_bytes_known_to_be_bad_are_never_given_out(small_cloud: Cloud) -> None:
    machine = planted(small_cloud, 1)
    (row,) = rows(small_cloud)
    flip_a_bit(small_cloud.places.first, row)
    small_cloud.clock.advance(days=8)
    result = sites.check_some(small_cloud.service, HOME, small_cloud.clock.now(), 10**9)
    assert (result.damaged, result.repaired) == (1, 0)
    with machine.client as client:
        assert client.get(f"data/{row.name}").status_code == 404
        assert client.get("data/", headers={"accept": V1}).json() == [], "what no site has is not there"
        with small_cloud.database.reading(tenant=HOME) as session:
            assert [a.kind for a in db.open_alerts(session)] == ["damage"]
        content = bytes([0]) * 1000
        assert client.post(f"data/{row.name}", content=content).status_code == 200, "the client brings it once more"
        assert client.get(f"data/{row.name}").content == content


@pytest.mark.parametrize("how", ["cut short", "emptied", "gone", "a link to another file"])
def test_a_file_spoiled_behind_our_back_is_read_from_the_other_site(small_cloud: Cloud, how: str) -> None:
    machine = planted(small_cloud, 1)
    copy_all(small_cloud)
    (row,) = rows(small_cloud)
    spoil(small_cloud.places.first.path(key_of(row)), how)
    with machine.client as client:
        assert client.get(f"data/{row.name}").content == bytes([0]) * 1000


def test_rotten_bytes_are_not_copied(small_cloud: Cloud) -> None:
    planted(small_cloud, 2)
    bad, good = rows(small_cloud)
    flip_a_bit(small_cloud.places.first, bad)
    assert copy_all(small_cloud) == 1
    assert small_cloud.places.second.size(key_of(good)) == 1000
    assert small_cloud.places.second.size(key_of(bad)) is None
    with small_cloud.database.reading(tenant=HOME) as session:
        assert objects_db.lag(session)[0] == 1, "what is not safe is not counted as safe"


def test_files_nobody_was_promised_go_after_the_time_of_keeping_and_others_stay(small_cloud: Cloud) -> None:
    machine = planted(small_cloud, 1)
    (row,) = rows(small_cloud)
    first = small_cloud.places.first
    strays = {  # whole, rotten, a lock
        first.path(replace(key_of(row), name=named(b"stray"))): True,
        first.path(replace(key_of(row), name=named(b"other"))): False,
        first.path(replace(key_of(row), type="locks", name=named(b"stray"))): False,
    }
    for path in strays:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"stray")
    assert sites.set_aside_unknown(small_cloud.service, HOME) == 3
    assert {path: path.exists() for path in strays} == strays
    with machine.client as client:
        assert client.get(f"data/{named(b'stray')}").status_code == 404
        assert client.get("data/").json() == [row.name]
        assert client.get(f"data/{row.name}").status_code == 200
    repository = small_cloud.fresh(machine.repository)
    assert (repository.live, repository.held) == (1000, 1005)
    small_cloud.clock.advance(days=31)
    with small_cloud.database.transaction() as session:
        session.merge(TrustedTimeRow(id=1, at=small_cloud.clock.now(), seen=small_cloud.clock.now()))
    assert sites.purge_some(small_cloud.service, HOME) == 1
    assert not any(path.exists() for path in strays)
    assert small_cloud.fresh(machine.repository).held == 1000


@pytest.mark.parametrize("kept_at", ["first", "second"])
def test_what_arrived_after_the_database_was_copied_is_there_again(
    small_cloud: Cloud, tmp_path: Path, kept_at: str
) -> None:
    """The database is lost and comes back as it was the night before; the sites have everything. Nothing acknowledged is lost."""
    machine = small_cloud.machine(small_cloud.repository(), "append")
    source, target = tmp_path / "src", tmp_path / "back"
    fill(source, files=6)
    machine.restic("init")
    machine.restic("backup", str(source))
    copy_all(small_cloud)
    night_before = {(row.type, row.name) for row in rows(small_cloud)}
    before = small_cloud.fresh(machine.repository)
    small_cloud.clock.advance(hours=5)
    fill(source, files=12, seed=2)
    machine.restic("backup", str(source))
    original = hashes(source)
    copy_all(small_cloud)
    with small_cloud.database.transaction(tenant=HOME) as session:
        for row in session.scalars(select(ObjectRow)):
            if (row.type, row.name) not in night_before:
                session.delete(row)
                if kept_at == "second":
                    small_cloud.places.first.path(key_of(row)).unlink()
        repository = db.by_id(session, before.id)
        for name in ("live", "held", "added_since_point", "last_point_at"):
            setattr(repository, name, getattr(before, name))
    with small_cloud.database.transaction(tenant=HOME) as session:
        session.execute(delete(RecoveryPointRow).where(RecoveryPointRow.arrived_at > before.last_point_at))
    small_cloud.clock.advance(hours=1)
    assert sites.set_aside_unknown(small_cloud.service, HOME) > 2, "the timer of the day came first"
    assert sites.take_back_set_aside(small_cloud.service, HOME) > 2
    assert sites.take_back_set_aside(small_cloud.service, HOME) == 0
    machine.restic("restore", "latest", "--target", str(target), "--no-cache")
    assert restored(target, source) == original
    fresh = small_cloud.fresh(machine.repository)
    assert fresh.live == fresh.held == sum(row.size for row in rows(small_cloud))
    assert fresh.last_point_at == small_cloud.clock.now()
    sites.repair_some(small_cloud.service, HOME)
    copy_all(small_cloud)
    for site in small_cloud.places.sites:
        assert all(sites.state_of(site, row)[0] == "ok" for row in rows(small_cloud))


def test_one_file_the_disk_cannot_read_keeps_no_other_from_being_copied(
    small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad sector of one municipality must not end the copying of everybody's data."""
    planted(small_cloud, 3)
    bad, *good = rows(small_cloud)

    def blocks(self: FileReader, start: int, end: int, **_: Any) -> Iterator[bytes]:
        if Path(f"/proc/self/fd/{self.fd}").readlink().name == bad.name:
            raise SiteBroken("EIO")
        yield os.pread(self.fd, end - start, start)

    monkeypatch.setattr(FileReader, "blocks", blocks)
    assert copy_all(small_cloud) == 2
    states = {row.name: (row.first_state, row.copied_at is not None) for row in rows(small_cloud)}
    assert states == {bad.name: ("damaged", False), **{row.name: ("ok", True) for row in good}}


@pytest.mark.parametrize("fault", [SiteFull, SiteBroken])
def test_a_second_site_that_takes_nothing_more_ends_no_timer_and_is_tried_again(
    small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    planted(small_cloud, 2)

    def begin() -> Any:
        raise fault("the second site")

    monkeypatch.setattr(small_cloud.places.second, "begin", begin)
    assert copy_all(small_cloud) == 0
    assert {row.first_state for row in rows(small_cloud)} == {"ok"}, "the first site has done nothing wrong"
    with small_cloud.database.reading(tenant=HOME) as session:
        assert [a.kind for a in db.open_alerts(session)] == (["disk"] if fault is SiteBroken else [])
    monkeypatch.undo()
    assert copy_all(small_cloud) == 2


def test_what_was_lost_before_it_was_copied_is_told_once_until_its_machine_brings_it_again(small_cloud: Cloud) -> None:
    machine = planted(small_cloud, 2)
    shutil.rmtree(small_cloud.places.first.root)
    renew_site(small_cloud.service, small_cloud.places.first)
    for _ in range(3):
        assert sites.repair_some(small_cloud.service, HOME) == 0
    assert damage_alerts(small_cloud) == ["damage"]
    with small_cloud.database.reading() as session:
        (notice,) = session.scalars(select(NoticeRow))  # mailed once
    assert "そのまま保管しています" not in notice.body, "that would not be true"
    assert events(small_cloud, "backup.damage.found.v1") == [
        {"repository_id": machine.repository.id, "site": "first", "repaired": False, "found_at": ANY}
    ]
    for number in range(2):
        assert damage_alerts(small_cloud) == ["damage"], "one is still missing"
        with machine.client as client:
            content = bytes([number]) * 1000
            assert client.post(f"data/{named(content)}", content=content).status_code == 200
    assert damage_alerts(small_cloud) == []
    assert copy_all(small_cloud) == 2


def damage_alerts(cloud: Cloud) -> list[str]:
    with cloud.database.transaction(tenant=HOME) as session:
        sites.end_damage(session, cloud.clock.now())
        return [alert.kind for alert in db.open_alerts(session)]


def test_what_is_acknowledged_lies_there_even_where_its_file_had_rotted_unnoticed(small_cloud: Cloud) -> None:
    """A 200 to bytes that come again speaks of these bytes, not of a file that once had them."""
    machine = planted(small_cloud, 1)
    (row,) = rows(small_cloud)
    flip_a_bit(small_cloud.places.first, row)
    content = bytes([0]) * 1000
    with machine.client as client:
        assert client.post(f"data/{row.name}", content=content).status_code == 200
        assert client.get(f"data/{row.name}").content == content
    assert list((small_cloud.places.first.root / "uploads").iterdir()) == []
