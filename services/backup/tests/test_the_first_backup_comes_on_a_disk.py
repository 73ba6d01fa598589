"""A town copies its data to a disk with restic, the disk is brought, and from then on backups go over the line."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from libs.common.errors import Forbidden, NotFound
from libs.common.service import Service
from services.backup.db import ObjectRow, RecoveryPointRow, RepositoryRow
from services.backup.domain.layout import place_of, target_of_place
from services.backup.settings import held
from services.backup.sites import Key
from services.backup.tests.test_killed_at_every_step import beside, check_books
from services.backup.tests.test_nothing_acknowledged_is_lost import ORDER, ROOT, Alone, alone  # noqa: F401 (a fixture)
from services.backup.tests.town import HOME, MIB, Cloud, fill, hashes, named, restic_program, restored
from services.backup.use_cases import store
from services.backup.use_cases.seed import seed


def on_disk(folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "RESTIC_REPOSITORY": str(folder), "RESTIC_PASSWORD": "only the town knows this"}
    command = [restic_program(), "--no-cache", *arguments]
    subprocess.run(command, env=environment, check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    fill(tmp_path / "src", files=30)
    on_disk(tmp_path / "disk", "init")
    on_disk(tmp_path / "disk", "backup", str(tmp_path / "src"))
    return tmp_path / "disk"


def test_a_disk_is_taken_in_stopped_half_way_and_finished_later(small_cloud: Cloud, disk: Path, tmp_path: Path) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "append")

    def pull_the_plug(done: int, total: int) -> None:
        if done == total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed(small_cloud.service, HOME, "juki", disk, pull_the_plug)
    (disk / "lost+found").mkdir()
    (disk / "lost+found" / "note.txt").write_text("of the disk, not of restic")
    done = seed(small_cloud.service, HOME, "juki", disk)
    assert done.already > 0 and done.taken > 0 and done.refused == []
    assert done.unknown == ["lost+found/note.txt"]
    machine.restic("check", "--read-data")
    (tmp_path / "src" / "新しい.txt").write_text("あとから")
    machine.restic("backup", str(tmp_path / "src"))
    machine.restic("restore", "latest", "--target", str(tmp_path / "back"))
    assert "新しい.txt" in restored(tmp_path / "back", tmp_path / "src")
    again = seed(small_cloud.service, HOME, "juki", disk)
    assert again.taken <= 1, "only the config, whose name cannot be asked for, is looked at again"


@pytest.fixture
def long_disk(disk: Path, tmp_path: Path) -> Path:
    """Three backups, so several files of each kind that speak of each other."""
    for number in range(2):
        (tmp_path / "src" / f"追加{number}.dat").write_bytes(random.Random(number).randbytes(MIB))
        on_disk(disk, "backup", str(tmp_path / "src"))
    return disk


def parts_of(disk: Path) -> dict[str, str]:
    """Place → SHA-256 of what belongs to the repository, in the order in which it is taken in."""
    order = ("config", "keys", "data", "index", "snapshots")
    found = {place: value for place, value in hashes(disk).items() if place.partition("/")[0] in order}
    return dict(sorted(found.items(), key=lambda each: (order.index(each[0].partition("/")[0]), each[0])))


def check_so_far(service: Service, parts: dict[str, str]) -> None:
    """Whatever counts was verified, and lies there whole; a point is shown only when everything before it is there."""
    with service.database.reading(tenant=HOME) as session:
        rows = list(session.scalars(select(ObjectRow)))
        repository = session.execute(select(RepositoryRow)).scalar_one()
        points = list(session.scalars(select(RecoveryPointRow)))
    for row in rows:
        with held(service).first.open(Key(HOME, repository.id, row.type, row.name)) as reader:
            assert named(b"".join(reader.blocks(0, reader.size))) == row.name, "half of it counts"
    assert {row.name for row in rows} <= set(parts.values())
    assert repository.live == repository.held == sum(row.size for row in rows)
    needed = {value for place, value in parts.items() if not place.startswith("snapshots/")}
    assert not points or needed <= {row.name for row in rows}
    assert {point.snapshot for point in points} == {row.name for row in rows if row.type == "snapshots"}


def check_taken_in_once(service: Service, alone: Alone, disk: Path, source: Path) -> None:  # noqa: F811
    """After the last run: nothing twice, nothing left over, and restic brings every byte back over the line."""
    done = seed(service, HOME, "juki", disk)
    assert (done.refused, done.waiting) == ([], 0) and done.taken <= 1
    with service.database.reading(tenant=HOME) as session:
        assert sorted(session.scalars(select(ObjectRow.name))) == sorted(parts_of(disk).values())
    check_so_far(service, parts_of(disk))
    check_books(service)
    held(service).first.sweep(older_than=-1)
    assert list((alone.folder / "data" / "backup" / "first" / "uploads").iterdir()) == []
    alone.start()
    for arguments in (["check", "--read-data"], ["restore", "latest", "--target", str(alone.folder / "back")]):
        subprocess.run([restic_program(), *arguments], env=alone.restic_environment(), check=True, capture_output=True)
    assert restored(alone.folder / "back", source) == hashes(source)


EVERY = [(step, after) for after in (0, 3, 7, 10, 13) for step in ORDER[:-1]]


@pytest.mark.fault
@pytest.mark.parametrize("kills", [EVERY[::6], pytest.param(EVERY, marks=pytest.mark.slow)], ids=["some", "every"])
def test_killed_before_each_step_of_a_disk_the_next_run_takes_in_the_rest_and_nothing_twice(
    alone: Alone,  # noqa: F811
    long_disk: Path,
    kills: list[tuple[str, int]],
) -> None:
    service, parts = beside(alone), parts_of(long_disk)
    assert len(parts) >= 14, "planted: the last kill meets a snapshot, and each before it another kind"
    for step, after in kills:
        command = [sys.executable, "-m", "services.backup.tests.seed_alone", alone.folder, long_disk, step, after]
        ended = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)
        assert ended.returncode == -9, f"not killed before {step} after {after}: {ended.stderr}"
        check_so_far(service, parts)
    assert seed(service, HOME, "juki", long_disk).taken > 0, "planted: something was left to be done"
    check_taken_in_once(service, alone, long_disk, alone.folder / "src")


@pytest.mark.fault
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_the_command_for_a_disk_goes_on_and_counts_nothing_unverified(
    alone: Alone,  # noqa: F811
    long_disk: Path,
    kills: int,
) -> None:
    """One file has suffered: it never counts, and what speaks of it waits, however often the run is killed and begun again."""
    service, parts = beside(alone), parts_of(long_disk)
    victim = long_disk / next(place for place in reversed(parts) if place.startswith("data/"))
    whole = spoil(victim)
    for number in range(kills):
        rng = random.Random(number)
        process = seeding(alone, long_disk)
        hear(process, times=1 + rng.randrange(5))
        time.sleep(rng.random() * 0.02)
        process.kill()
        assert process.wait() == -9, "planted: it was in the middle"
        check_so_far(service, parts)
    ended = seeding(alone, long_disk)
    told = ended.communicate()[0].decode()
    assert ended.returncode == 1 and victim.relative_to(long_disk).as_posix() in told, told
    check_so_far(service, {place: value for place, value in parts.items() if value != victim.name})  # it does not count
    check_so_far(service, parts)  # and no point is shown that needs it
    victim.write_bytes(whole)
    assert seed(service, HOME, "juki", long_disk).refused == []
    check_taken_in_once(service, alone, long_disk, alone.folder / "src")


def spoil(victim: Path) -> bytes:
    """One bit is another. Returns what was there."""
    victim.chmod(0o600)
    whole = victim.read_bytes()
    victim.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    return whole


def seeding(alone: Alone, disk: Path) -> "subprocess.Popen[bytes]":  # noqa: F811
    """The operator's command."""
    environment = {
        **os.environ,
        "DATA_DIR": str(alone.folder / "data"),
        "KEYS_DIR": str(alone.folder / "keys"),
        "BACKUP_DATABASE_URL": f"sqlite:///{alone.folder / 'backup.sqlite'}",
    }
    command = [sys.executable, "-m", "services.backup", "seed", HOME, "juki", str(disk)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def hear(process: "subprocess.Popen[bytes]", times: int) -> None:
    """Until it has said so many times how far it is."""
    assert process.stdout
    said = b""
    while said.count(b"/") < times:
        byte = process.stdout.read(1)
        assert byte, said.decode()
        said += byte


def test_a_link_on_the_disk_leads_nowhere(small_cloud: Cloud, disk: Path, tmp_path: Path) -> None:
    """Whoever lays out the disk must not read files of the machine that takes it in."""
    (tmp_path / "secret").write_bytes(b"of this machine")
    name = named(b"of this machine")
    (disk / "data" / name[:2]).mkdir(exist_ok=True)
    (disk / "data" / name[:2] / name).symlink_to(tmp_path / "secret")
    machine = small_cloud.machine(small_cloud.repository(), "append")
    seed(small_cloud.service, HOME, "juki", disk)
    with machine.client as client:
        assert client.get(f"data/{name}").status_code == 404


def test_a_file_that_suffered_on_the_way_is_named_and_not_taken_in(small_cloud: Cloud, disk: Path) -> None:
    """Nor is a recovery point shown that could not come back; with the file brought again the rest follows."""
    machine = small_cloud.machine(small_cloud.repository(), "append")
    victim = next(path for path in (disk / "data").rglob("*") if path.is_file())
    victim.chmod(0o600)
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1])
    done = seed(small_cloud.service, HOME, "juki", disk)
    assert (done.refused, done.waiting) == ([victim.relative_to(disk).as_posix()], 2)
    assert small_cloud.fresh(machine.repository).last_point_at is None
    victim.write_bytes(whole)
    assert seed(small_cloud.service, HOME, "juki", disk).refused == []
    assert small_cloud.fresh(machine.repository).last_point_at == small_cloud.clock.now()
    machine.restic("check", "--read-data")


def test_another_repository_s_disk_no_repository_and_no_room_are_refused(
    small_cloud: Cloud, disk: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotFound):
        seed(small_cloud.service, HOME, "juki", disk)
    machine = small_cloud.machine(small_cloud.repository(), "append")
    with pytest.raises(NotFound, match="config"):
        seed(small_cloud.service, HOME, "juki", tmp_path / "src")
    machine.restic("init")
    with pytest.raises(Forbidden):
        seed(small_cloud.service, HOME, "juki", disk)
    small_cloud.repository("small", quota=MIB)
    with pytest.raises(store.Full):
        seed(small_cloud.service, HOME, "small", disk)


@pytest.mark.parametrize(
    "place", ["data/ab/x", "data/" + "a" * 64, "index/aa/" + "a" * 64, "config/x", "a/b/config", "x"]
)
def test_only_places_of_restic_s_layout_mean_something(place: str) -> None:
    name = "ab" * 32
    for type_ in ("data", "index", "keys", "snapshots", "locks"):
        target = target_of_place(place_of(type_, name))
        assert target and (target.type, target.name) == (type_, name), "planted"
    assert target_of_place(place) is None
