"""A disk that is full, a pack of the largest size, thousands of small requests: memory and descriptors stay where they were."""

import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from infra.local.processes import wait_until
from services.backup.db import repositories
from services.backup.sites import FolderSite, SiteDown
from services.backup.tests.test_nothing_acknowledged_is_lost import Alone, alone  # noqa: F401 (a fixture)
from services.backup.tests.town import HOME, MIB, Cloud, named, open_files

CONTENT = b"x" * 1000


@pytest.fixture
def full_disk(small_cloud: Cloud, tmp_path: Path) -> Iterator[Cloud]:
    """The first site on a disk of 4 MiB of its own."""
    root = tmp_path / "small-disk"
    root.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(root)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        first = small_cloud.places.first
        first.root = root
        first.prepare()
        yield small_cloud
    finally:
        small_cloud.app.state.memory.forget()  # a file that was just read is open for a moment more
        subprocess.run(["umount", str(root)], check=True)


def test_a_full_disk_is_said_so_and_leaves_nothing_half(full_disk: Cloud) -> None:
    machine = full_disk.machine(full_disk.repository(), "append")
    large = bytes(6 * MIB)
    with machine.client as client:
        assert client.post(f"data/{named(CONTENT)}", content=CONTENT).status_code == 200
        for _ in range(3):
            assert client.post(f"data/{named(large)}", content=large).status_code == 507
        assert client.get(f"data/{named(CONTENT)}").content == CONTENT, "reading goes on"
        assert client.get(f"data/{named(large)}").status_code == 404
        assert client.post(f"locks/{named(b'l')}", content=b"l").status_code == 200, "and small things still fit"
    assert list((full_disk.places.first.root / "uploads").iterdir()) == []
    assert full_disk.fresh(machine.repository).live == len(CONTENT) + 1


@pytest.mark.parametrize(
    "where", ["/first/uploads/", f"/data/{named(CONTENT)[:2]}/"], ids=["of the file", "of its folder"]
)
def test_a_disk_that_fails_is_refused_told_and_not_tried_again(
    small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """EIO from fsync: the pages may be gone, so the upload is, and the client sends it again."""
    machine = small_cloud.machine(small_cloud.repository(), "append")
    fsync, failed = os.fsync, []

    def broken(fd: int) -> None:
        if where in f"{Path(f'/proc/self/fd/{fd}').readlink()}/" and not failed:
            failed.append(fd)
            raise OSError(5, "Input/output error")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", broken)
    with machine.client as client:
        assert client.post(f"data/{named(CONTENT)}", content=CONTENT).status_code == 503
        assert client.get(f"data/{named(CONTENT)}").status_code == 404
        with small_cloud.database.reading(tenant=HOME) as session:
            assert [alert.kind for alert in repositories.open_alerts(session)] == ["disk"]
        assert client.post(f"data/{named(CONTENT)}", content=CONTENT).status_code == 200
    assert len(failed) == 1


class Watch:
    """The largest resident memory of a process while the block runs, in bytes."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self.before = self.most = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._stop.wait(0.01):
            self.most = max(self.most, self._process.memory_info().rss)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_memory_is_flat_however_large_the_pack(alone: Alone) -> None:  # noqa: F811
    alone.start()
    assert alone.process
    small, large = b"s" * MIB, bytes(range(256)) * (512 * 1024)
    name = named(large)
    with alone.client() as client:
        client.post(f"data/{named(small)}", content=small)
        client.get(f"data/{named(small)}")
        with Watch(alone.process.pid) as watch:
            assert client.post(f"data/{name}", content=large).status_code == 200
            with client.stream("GET", f"data/{name}") as answer:
                assert sum(len(chunk) for chunk in answer.iter_bytes()) == len(large)
    assert len(large) == 128 * MIB
    assert watch.most - watch.before < 32 * MIB, "the pack was never held whole"
    assert watch.most < 200 * MIB


@pytest.mark.parametrize("requests", [1_800, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_thousands_of_small_requests_at_once_leave_no_descriptor_open(alone: Alone, requests: int) -> None:  # noqa: F811
    alone.start()
    assert alone.process

    def ask(number: int) -> int:
        content = str(number % 50).encode()
        with alone.client() as client:
            answers = [client.post(f"locks/{named(content)}", content=content).status_code]
            answers += [client.get(f"locks/{named(content)}").status_code for _ in range(4)]
            answers.append(client.post(f"locks/{named(content)}", content=b"wrong").status_code)
        return sum(status not in (200, 400) for status in answers)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(requests // 6))) == 0
    assert wait_until(lambda: not left_open(alone.process), seconds=30), left_open(alone.process)


def left_open(process: subprocess.Popen[bytes] | None) -> list[str]:
    """What is sent is remembered open for a moment (`exchange.py · Memory`), and then no more."""
    assert process
    return [path for path in open_files(process.pid) if "/uploads/" in path or "/locks/" in path]


def test_a_site_without_its_mark_takes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "mount"
    site = FolderSite("first", root)
    site.prepare()
    site.begin().abandon()
    (root / "site-mark").unlink()
    with pytest.raises(SiteDown):
        site.begin()
