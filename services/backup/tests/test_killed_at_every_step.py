"""SIGKILL before each step of an upload: what was promised is there, what was not is not there half, and it can be sent again."""

import subprocess
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from infra.local.processes import wait_until
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.outbox import OutboxRow
from libs.common.service import Service
from libs.common.testing.service import Issuers
from services.backup.db import ObjectRow, RepositoryRow
from services.backup.domain.protocol import V2
from services.backup.settings import Settings, furnish, held
from services.backup.tests.test_nothing_acknowledged_is_lost import ORDER, Alone, alone  # noqa: F401 (a fixture)
from services.backup.tests.town import HOME, fill, named, restic_program, restored
from services.backup.use_cases import sites

pytestmark = pytest.mark.fault
PATHS = {"snapshot": ("snapshots/{}", ORDER), "config": ("config", ["write", "commit"])}


def beside(alone: Alone) -> Service:  # noqa: F811
    """The same store and folders, seen from this process."""
    issuers = Issuers("backup")
    made = Service(
        name="backup",
        settings=Settings(data_dir=alone.folder / "data", keys_dir=alone.folder / "keys"),
        database=Database(f"sqlite:///{alone.folder / 'backup.sqlite'}", "backup"),
        verifier=issuers.verifier("backup"),
        signer=issuers.signer("backup"),
        clock=SystemClock(),
    )
    furnish(made)
    return made


@pytest.mark.parametrize("what", PATHS)
@pytest.mark.slow
def test_killed_before_each_step_an_upload_is_whole_or_absent_and_can_be_sent_again(alone: Alone, what: str) -> None:  # noqa: F811
    service = beside(alone)
    alone.start()
    path_of, steps = PATHS[what]
    content = {step: (b"config" if what == "config" else f"content of {step}".encode() * 100) for step in steps}
    for step in steps:
        path = path_of.format(named(content[step]))
        with alone.client() as client, pytest.raises(httpx.HTTPError):
            client.post(path, content=content[step], headers={"x-die": step})
        assert alone.process and alone.process.wait() == -9, step
        alone.start()
        with alone.client() as client:
            there = client.get(path)
            assert (there.status_code == 200) == (step == "reply"), step
            assert there.status_code == 404 or there.content == content[step]
            listed = client.get("snapshots/", headers={"accept": V2}).json()
            assert [entry for entry in listed if entry["name"] == named(content[step])] == (
                [{"name": named(content[step]), "size": len(content[step])}]
                if step == "reply" and what == "snapshot"
                else []
            )
    with alone.client() as client:
        for step in steps:
            path = path_of.format(named(content[step]))
            assert client.post(path, content=content[step]).status_code == 200
            assert client.get(path).content == content[step]
    check_books(service)
    first = held(service).first
    assert first.sweep(older_than=-1) > 0, "what killed uploads left is found"
    assert list((Path(first.root) / "uploads").iterdir()) == []  # type: ignore[attr-defined]


def check_books(service: Service) -> None:
    """Counted bytes are those of the rows, every point was told of once, and no file is without a row."""
    with service.database.reading(tenant=HOME) as session:
        rows = list(session.scalars(select(ObjectRow)))
        repository = session.execute(select(RepositoryRow)).scalar_one()
        assert repository.live == sum(row.size for row in rows)
    with service.database.reading() as session:
        told = select(func.count()).where(OutboxRow.type == "backup.recovery_point.arrived.v1")
        assert session.scalar(told) == sum(row.type == "snapshots" for row in rows)
    assert sites.set_aside_unknown(service, HOME) == 0


def test_a_file_whose_commit_never_came_is_seen_by_nobody_and_can_still_be_sent(alone: Alone) -> None:  # noqa: F811
    service = beside(alone)
    alone.start()
    with alone.client() as client, pytest.raises(httpx.HTTPError):
        client.post(f"data/{named(b'x')}", content=b"x", headers={"x-die": "commit"})
    assert sites.set_aside_unknown(service, HOME) == 1
    assert sites.set_aside_unknown(service, HOME) == 0
    alone.start()
    with alone.client() as client:
        assert client.get(f"data/{named(b'x')}").status_code == 404
        assert client.get("data/").json() == []
        assert client.post(f"data/{named(b'x')}", content=b"x").status_code == 200
        assert client.get(f"data/{named(b'x')}").content == b"x"
    check_books(service)


def test_killed_while_restic_backs_up_the_backup_goes_on_and_every_byte_comes_back(
    alone: Alone,  # noqa: F811
    tmp_path: Path,
) -> None:
    """restic tries again by itself; what had been acknowledged before the kill it does not send again."""
    source, environment = tmp_path / "src", alone.restic_environment()
    original = fill(source, files=80)

    def restic(*arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([restic_program(), *arguments], env=environment, stdout=subprocess.DEVNULL)

    alone.start()
    assert restic("init").wait(timeout=60) == 0
    backup = restic("--limit-upload", "6000", "backup", str(source))
    assert wait_until(lambda: alone.packs() > 0, seconds=60), "planted: it is in the middle"
    alone.kill()
    alone.start()
    assert backup.poll() is None, "planted: it is not at its end"
    assert backup.wait(timeout=120) == 0
    assert restic("--no-cache", "check", "--read-data").wait(timeout=60) == 0
    assert restic("restore", "latest", "--target", str(tmp_path / "back")).wait(timeout=60) == 0
    assert restored(tmp_path / "back", source) == original
