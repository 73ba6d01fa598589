"""Somebody prunes or purges at the moment in which somebody else brings the same bytes: what was acknowledged stays."""

import random
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from infra.local.processes import wait_until
from services.backup.db import ObjectRow
from services.backup.sites import FolderSite, Key
from services.backup.tests.town import HOME, MIB, Cloud, Machine, fill, hashes, named, restic_program
from services.backup.use_cases import sites

CONTENT = b"old bytes that come back" * 1000
NAME = named(CONTENT)


def send(machine: Machine) -> int:
    with machine.client as client:
        return client.post(f"data/{NAME}", content=CONTENT).status_code


def test_bytes_that_are_brought_again_while_they_are_purged_are_there(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = cloud.machine(cloud.repository(), "full")
    assert send(machine) == 200
    with machine.client as client:
        assert client.delete(f"data/{NAME}").status_code == 200
    with cloud.database.transaction(tenant=HOME) as session:
        row = session.get_one(ObjectRow, (HOME, machine.repository.id, "data", NAME))
        row.keep_until = cloud.clock.now() - timedelta(days=1)
        row.deleted_at = row.keep_until - timedelta(days=30)
    remove, brought = FolderSite.remove, list[Future[int]]()

    with ThreadPoolExecutor(1) as pool:

        def while_it_is_brought(site: FolderSite, key: Key) -> None:
            if not brought:
                brought.append(pool.submit(send, machine))
                with pytest.raises(TimeoutError):
                    brought[0].result(timeout=0.5)  # it waits for the purge's end, or it would rely on these very bytes
            remove(site, key)

        monkeypatch.setattr(FolderSite, "remove", while_it_is_brought)
        assert sites.purge_some(cloud.service, HOME) == 1
        assert brought[0].result(timeout=60) == 200
    with machine.client as client:
        assert client.get(f"data/{NAME}").content == CONTENT
    assert (cloud.fresh(machine.repository).live, cloud.fresh(machine.repository).held) == (len(CONTENT),) * 2


def test_restic_prunes_while_restic_backs_up(small_cloud: Cloud, tmp_path: Path) -> None:
    """The prune is refused by the backup's lock, which lies here; when the backup has ended it has its turn."""
    repository = small_cloud.repository()
    writer, tidier = (small_cloud.machine(repository, mode) for mode in ("append", "full"))
    fill(tmp_path / "src", files=4)
    writer.restic("init")
    writer.restic("backup", str(tmp_path / "src"))
    first, second = (random.Random(seed).randbytes(20 * MIB) for seed in (1, 2))
    command = [restic_program(), "backup", "--stdin", "--stdin-filename", "dump.sql"]
    small_packs = writer.environment() | {"RESTIC_PACK_SIZE": "4"}
    backup = subprocess.Popen(command, env=small_packs, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert backup.stdin
    backup.stdin.write(first)  # more than a pack: some of it is there already, and no index speaks of it yet
    with tidier.client as client:
        assert wait_until(lambda: len(client.get("data/").json()) > 2, seconds=60)
    refused = tidier.restic("forget", "--keep-last", "1", "--prune", check=False)
    assert refused.returncode != 0 and "lock" in refused.stderr
    backup.stdin.write(second)
    backup.stdin.close()
    assert backup.wait(timeout=60) == 0
    tidier.restic("forget", "--group-by", "", "--keep-last", "1", "--prune")
    tidier.restic("check", "--read-data", "--no-cache")
    writer.restic("restore", "latest", "--target", str(tmp_path / "back"))
    assert hashes(tmp_path / "back") == {"dump.sql": named(first + second)}
