"""A town copies its data to a disk with restic, the disk is brought, and from then on backups go over the line."""

import os
import subprocess
from pathlib import Path

import pytest

from libs.common.errors import Forbidden, NotFound
from services.backup.domain.layout import place_of, target_of_place
from services.backup.tests.town import HOME, MIB, Cloud, fill, named, restic_program, restored
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
