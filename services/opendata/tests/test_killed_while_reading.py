"""kill -9 in the middle of an import: what is published stays whole, the draft is read again, nothing is left behind."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common import keys
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.jobs import JobRow
from libs.common.testing.database import open_database
from services.opendata.db import datasets
from services.opendata.tests.people import Town, visible
from services.opendata.use_cases import drafts

pytestmark = pytest.mark.fault
ROWS = 150_000


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A file that the child can open, too."""
    yield from open_database("sqlite", "opendata", "services.opendata", tmp_path, tmp_path_factory)


def test_the_version_before_stays_whole_and_the_file_is_read_again(town: Town, tmp_path: Path):
    dataset = town.publish("番号,町\n1,大木\n".encode(), "old.csv", title="大きくなる表")
    visitor = town.visitor()
    resource = visitor.result("package_show", id=dataset)["resources"][0]["id"]
    draft = large_draft(town, dataset, resource)
    keys.ensure(tmp_path / "keys", ["opendata"])

    killed = start_reading(town, tmp_path, draft)
    half_written = tmp_path / "opendata" / "tables"
    end = time.monotonic() + 120
    while not list(half_written.glob("*.new")) and killed.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    assert list(half_written.glob("*.new")), "the import had begun"
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(30) == -signal.SIGKILL

    assert visitor.get(f"/opendata/data/{resource}.json").json()["rows"] == [{"_id": 1, "番号": 1, "町": "大木"}]
    assert "ファイルを読み取っています" in visible(town.staff().get(f"desk/drafts/{draft}").text)
    drafts.read_now(town.service, town.code, draft)  # as the next worker does when the lease has run out
    assert town.staff().publish(f"/t/{town.code}/opendata/desk/drafts/{draft}").status_code == 303
    assert visitor.get(f"/opendata/data/{resource}.json?limit=1").json()["total"] == ROWS
    assert town.service.extras["tables"].sweep(time.time() + 60) > 0
    assert list(half_written.glob("*.new")) == []
    assert visitor.get(f"/opendata/data/{resource}.json?limit=1").json()["total"] == ROWS, "copies come back when asked"


def large_draft(town: Town, dataset: str, resource: str) -> str:
    """A file too large to be read while the clerk waits: it is on the list of jobs."""
    clerk = Actor("staff", "s", tenant=town.code, code=town.code)
    content = "番号,町\n" + "".join(f"{n},大木町大字福土{n}番地の{n % 97}\n" for n in range(ROWS))
    stored = drafts.keep(town.service, clerk, io.BytesIO(content.encode()))
    assert stored.size > drafts.AT_ONCE
    now = town.service.clock.now()
    with town.service.database.transaction(tenant=town.code) as session:
        draft = drafts.begin(session, clerk, drafts.Sent("large.csv", dataset, resource), stored, now)
        assert session.query(JobRow).count() == 1
        return datasets.draft(session, draft.id).id


def start_reading(town: Town, folder: Path, draft: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "DATA_DIR": str(folder), "KEYS_DIR": str(folder / "keys")}
    environment.pop("DATABASE_URL", None)
    command = [sys.executable, "-m", "services.opendata.tests.reading_child", town.code, draft]
    return subprocess.Popen(command, env=environment)
