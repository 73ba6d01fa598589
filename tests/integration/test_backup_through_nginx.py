"""restic behind an nginx that asks the door and passes bodies on itself (docs/nginx.md): the gateway only decides."""

import os
import random
import subprocess
from pathlib import Path

import pytest

from services.backup.tests.town import fill, named, restic_program, restored
from tests.bench.backup import ours


def test_restic_backs_up_checks_restores_and_prunes_through_nginx(tmp_path: Path) -> None:
    with ours(tmp_path / "ours") as made:
        if made.fronted is None:
            pytest.skip("nginx is not installed (Debian package nginx-light)")
        source, target = tmp_path / "src", tmp_path / "back"
        fill(source)
        (source / "large").write_bytes(random.Random(1).randbytes(40_000_000))  # packs that no buffer on the way holds
        address = made.fronted.fresh()

        def restic(*arguments: str, at: str = address) -> subprocess.CompletedProcess[str]:
            told = {"RESTIC_REPOSITORY": at, "RESTIC_PASSWORD": "only the town knows this", "NO_PROXY": "127.0.0.1"}
            command = [restic_program(), "--cache-dir", str(tmp_path / "cache"), *arguments]
            return subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, check=False)

        def done(*arguments: str) -> None:
            ended = restic(*arguments)
            assert ended.returncode == 0, f"{arguments}: {ended.stderr}"

        done("init")
        done("backup", str(source))
        (source / "large").write_bytes(random.Random(2).randbytes(40_000_000))
        original = fill(source) | {"large": named((source / "large").read_bytes())}
        done("backup", str(source))
        done("forget", "--keep-last", "1", "--prune")
        done("check", "--read-data", "--no-cache")
        done("restore", "latest", "--target", str(target), "--no-cache")
        assert restored(target, source) == original
        stranger = restic("snapshots", "--no-lock", at=address.replace(":kyodo_", ":kyodo_0"))
        assert stranger.returncode != 0 and "401" in stranger.stderr, stranger.stderr
