"""Unmodified restic, start to end."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from services.backup.tests.lossy import losing_replies
from services.backup.tests.town import Cloud, current_restic, fill, named, restored
from tests.bench import peers


def test_init_backup_check_restore_forget_prune(cloud: Cloud, tmp_path: Path) -> None:
    machine = cloud.machine(cloud.repository(), "full")
    source, target = tmp_path / "町のデータ", tmp_path / "back"
    original = fill(source)
    machine.restic("init")
    machine.restic("backup", str(source))
    (source / "課0" / "新しい.txt").write_text("あとから")
    machine.restic("backup", str(source))
    machine.restic("check", "--read-data")
    machine.restic("restore", "latest", "--target", str(target))
    assert restored(target, source) == original | {"課0/新しい.txt": named("あとから".encode())}
    machine.restic("forget", "--keep-last", "1", "--prune")
    machine.restic("check", "--read-data")
    assert cloud.fresh(machine.repository).last_point_at == cloud.clock.now()


def test_a_current_restic_does_the_same(small_cloud: Cloud, tmp_path: Path) -> None:
    machine, program = small_cloud.machine(small_cloud.repository(), "full"), current_restic()
    source, target = tmp_path / "src", tmp_path / "back"
    original = fill(source)
    machine.restic("init", program=program)
    for keep in (["backup", str(source)], ["backup", str(source / "課1")], ["forget", "--keep-last", "1", "--prune"]):
        machine.restic(*keep, program=program)
    machine.restic("check", "--read-data", program=program)
    machine.restic("restore", "latest", "--target", str(target), program=program)
    assert restored(target, source) == {name: value for name, value in original.items() if name.startswith("課1/")}
    assert "snapshots" in machine.restic("snapshots").stdout, "and Debian's 0.14 reads what it wrote"


def test_replies_are_lost_and_an_append_only_backup_still_completes(small_cloud: Cloud, tmp_path: Path) -> None:
    """rest-server and rclone answer 403 to the same bytes sent again, and the whole backup aborts."""
    machine = small_cloud.machine(small_cloud.repository(), "append")
    source, target = tmp_path / "src", tmp_path / "back"
    original = fill(source)
    machine.restic("init")
    with losing_replies(int(machine.url.rpartition(":")[2]), times=3) as proxy:
        through = replace(machine, url=f"http://127.0.0.1:{proxy.port}")
        through.restic("backup", str(source))
        assert proxy.lost > 0, "planted: replies were lost"
    machine.restic("check", "--read-data")
    machine.restic("restore", "latest", "--target", str(target))
    assert restored(target, source) == original


def test_a_town_that_lost_everything_gets_back_the_same_bytes_with_a_read_key(cloud: Cloud, tmp_path: Path) -> None:
    repository = cloud.repository()
    writer, reader = cloud.machine(repository, "append"), cloud.machine(repository, "read")
    source, target = tmp_path / "src", tmp_path / "back"
    original = fill(source)
    writer.restic("init")
    writer.restic("backup", str(source))
    reader.restic("restore", "latest", "--target", str(target), "--no-lock")
    assert restored(target, source) == original


def test_a_town_moves_here_what_lay_behind_rclone(small_cloud: Cloud, tmp_path: Path) -> None:
    """rclone has no client of this protocol: restic speaks to it (`rclone:…`), and carries every snapshot over from there."""
    machine, program = small_cloud.machine(small_cloud.repository(), "append"), current_restic()
    rclone = peers.found("rclone") or shutil.which("rclone")
    if not rclone:
        pytest.skip("no rclone: run `python -m tests.bench.peers`, or install it")
    (tmp_path / "password").write_text("of before")
    source, target, before = tmp_path / "src", tmp_path / "back", f"rclone::local:{tmp_path / 'before'}"
    through = [program, "-o", f"rclone.program={rclone}", "-r", before, "-p", str(tmp_path / "password"), "--no-cache"]
    for seed in (1, 2):
        original = fill(source, files=10, seed=seed)
        for arguments in ([["init"]] if seed == 1 else []) + [["backup", str(source)]]:
            subprocess.run([*through, *arguments], check=True, capture_output=True)
    told = ["-o", f"rclone.program={rclone}", "--from-repo", before, "--from-password-file", str(tmp_path / "password")]
    machine.restic("init", "--copy-chunker-params", *told, program=program)
    machine.restic("copy", *told, program=program)
    machine.restic("check", "--read-data")
    assert len(json.loads(machine.restic("snapshots", "--json").stdout)) == 2
    machine.restic("restore", "latest", "--target", str(target))
    assert restored(target, source) == original
