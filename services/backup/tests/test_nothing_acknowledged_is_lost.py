"""SIGKILL in the middle of uploads, and the order of system calls that makes a 200 true."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from infra.local import processes
from libs.common import keys
from libs.common.db import Database
from libs.common.room import RoomRow
from libs.common.testing.database import open_database
from libs.common.testing.service import NOW
from services.backup.db import AllowanceRow
from services.backup.domain.protocol import TYPES, V2
from services.backup.sites import FolderSite, Key, SiteBroken
from services.backup.tests.town import HOME, named
from services.backup.use_cases import repositories

ROOT = Path(__file__).parents[3]
KEY = "k1"
OBJECTS = [type_ for type_ in TYPES if type_ != "locks"]
pytestmark = pytest.mark.fault


@dataclass
class Alone:
    folder: Path
    port: int
    prefix: list[str] = field(default_factory=list)
    process: subprocess.Popen | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/t/{HOME}/backup/restic/juki/"

    def start(self) -> None:
        command = [
            *self.prefix,
            sys.executable,
            "-m",
            "services.backup.tests.serve_alone",
            str(self.port),
            str(self.folder),
        ]
        log = (self.folder / "alone.log").open("ab")
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        assert processes.wait_until(self.is_ready, seconds=60), (self.folder / "alone.log").read_text()

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health/ready", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.base, headers={"x-key": KEY}, trust_env=False, timeout=30)

    def restic_environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RESTIC_REPOSITORY": f"rest:http://x:{KEY}@{self.base.removeprefix('http://')}",
            "RESTIC_PASSWORD": "only the town knows this",
            "RESTIC_CACHE_DIR": str(self.folder / "cache"),
            "NO_PROXY": "127.0.0.1",
        }

    def packs(self) -> int:
        """How many packs lie at the first site."""
        return sum(1 for _ in (self.folder / "data" / "backup" / "first").glob("*/*/data/??/*"))


@pytest.fixture
def alone(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    keys.ensure(tmp_path / "keys", ["backup", "gateway"])
    for database in open_database("sqlite", "backup", "services.backup", tmp_path, tmp_path_factory):
        prepare(database)
        told = {"database": str(database.engine.url), "tenant": HOME}
        (tmp_path / "alone.json").write_text(json.dumps(told))
        made = Alone(tmp_path, processes.free_port())
        yield made
        if made.process and made.process.poll() is None:
            processes.kill_group(made.process)  # strace and what it traces


def prepare(database: Database) -> None:
    """A room, a repository, a key: all through their use cases but the room's state."""
    from libs.common.actor import Actor
    from services.backup.tokens import Token

    staff = Actor("staff", "s", tenant=HOME, code=HOME)
    with database.transaction(tenant=HOME) as session:
        session.add(AllowanceRow(quota=10**12, live=0, held=0))
        session.add(RoomRow(tenant=HOME, state="provisioned", changed_at=NOW))
        session.flush()
        row = repositories.create(session, staff, repositories.Wish("juki", "住民記録", 10**11, 30, 26), NOW)
        token = Token(KEY, "", NOW.replace(year=2099))
        repositories.add_key(session, staff, row.id, token, "full", "機械", NOW)


@pytest.mark.parametrize("kills", [2, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_killed_at_random_moments_nothing_acknowledged_is_lost_and_nothing_half_is_seen(
    alone: Alone, kills: int
) -> None:
    rng = random.Random(7)
    acknowledged: set[str] = set()
    stop = threading.Event()

    def upload(seed: int) -> None:
        own = random.Random(seed)
        while not stop.is_set():
            content, type_ = own.randbytes(own.randrange(1, 3_000_000)), own.choice(OBJECTS)
            try:
                with alone.client() as client:
                    if client.post(f"{type_}/{named(content)}", content=content).status_code == 200:
                        acknowledged.add(f"{type_}/{named(content)}")
            except httpx.HTTPError:
                time.sleep(0.05)

    alone.start()
    threads = [threading.Thread(target=upload, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(kills):
            before = len(acknowledged)
            assert processes.wait_until(lambda before=before: len(acknowledged) > before + 3, seconds=60)
            time.sleep(rng.random() * 0.3)
            alone.kill()
            alone.start()
    finally:
        stop.set()  # a run that fails ends, too
        for thread in threads:
            thread.join()
    with alone.client() as client:
        listed = {
            f"{type_}/{entry['name']}": entry["size"]
            for type_ in OBJECTS
            for entry in client.get(f"{type_}/", headers={"accept": V2}).json()
        }
        assert acknowledged <= set(listed)
        for path, size in listed.items():
            content = client.get(path).content
            assert (len(content), named(content)) == (size, path.partition("/")[2])
    assert len(acknowledged) > 3 * kills, "planted: uploads were acknowledged before each kill"


def test_what_a_killed_upload_leaves_is_swept_and_what_still_runs_is_not(alone: Alone) -> None:
    site = FolderSite("first", alone.folder / "site")
    site.prepare()
    running = site.begin()
    running.write([b"half"])
    (site.root / "uploads" / "left-behind").write_bytes(b"half")
    assert site.sweep(older_than=-1) == 1
    assert [p.name for p in (site.root / "uploads").iterdir()] == [running.path.name]
    running.abandon()


ORDER = ["write", "fsync file", "link", "fsync folder", "commit", "reply"]


def traced(alone: Alone) -> list[str]:
    """What the service did with one upload, in order, as the kernel saw it."""
    assert shutil.which("strace"), "strace is not installed: `apt-get install strace`"
    log = alone.folder / "strace.log"
    calls = "trace=openat,write,pwrite64,fsync,fdatasync,link,linkat,sendto,sendmsg,close"
    alone.prefix = ["strace", "-f", "-y", "-qq", "-s", "64", "-e", calls, "-o", str(log)]
    alone.start()
    content = random.Random(1).randbytes(300_000)
    with alone.client() as client:
        assert client.post(f"data/{named(b'warm')}", content=b"warm").status_code == 200
        start = len(log.read_text(errors="replace").splitlines())
        assert client.post(f"data/{named(content)}", content=content).status_code == 200
    time.sleep(0.2)
    return log.read_text(errors="replace").splitlines()[start:]


def steps(lines: list[str], name: str) -> list[str]:
    """The steps of ORDER in the order in which they were completed. Reading is all that tells them apart."""
    found = []
    for line in lines:
        if re.search(r"\bwrite\(\d+<[^>]*/uploads/", line):
            found.append("write")
        elif re.search(r"\bfsync\(\d+<[^>]*/uploads/", line):
            found.append("fsync file")
        elif re.search(r"\blink(at)?\(", line) and name in line:
            found.append("link")
        elif re.search(rf"\bfsync\(\d+<[^>]*/data/{name[:2]}>", line):
            found.append("fsync folder")
        elif re.search(r"\bf(data)?sync\(\d+<[^>]*\.sqlite-wal>", line):
            found.append("commit")
        elif "HTTP/1.1 200" in line:
            found.append("reply")
    return found


def in_order(found: list[str]) -> bool:
    """Whether every step is there, and each one's last time before the next one's first, the commit after the folder."""
    if not set(ORDER) <= set(found):
        return False
    last = {step: len(found) - 1 - found[::-1].index(step) for step in ORDER}
    return all(last[a] < last[b] for a, b in pairwise(ORDER))


def test_the_order_that_makes_a_200_true_is_the_kernel_s_order(alone: Alone) -> None:
    lines = traced(alone)
    name = hashlib.sha256(random.Random(1).randbytes(300_000)).hexdigest()
    found = steps(lines, name)
    assert in_order(found), found
    for missing in ORDER:
        assert not in_order([step for step in found if step != missing]), f"planted: without {missing} it is noticed"


def test_a_failed_fsync_is_a_refusal_and_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = FolderSite("first", tmp_path / "site")
    site.prepare()
    key = Key(HOME, "r", "data", named(b"bytes"))
    upload = site.begin()
    upload.write([b"bytes"])
    asked = []

    def broken(fd: int) -> None:
        asked.append(fd)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(SiteBroken, match="Input/output"):
        upload.seal(key)
    upload.abandon()
    assert len(asked) == 1
    assert site.size(key) is None
    assert list((site.root / "uploads").iterdir()) == []
