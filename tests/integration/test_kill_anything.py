"""Citizens apply while every process, the broker and the database are killed (SIGKILL), one after another.

Nothing that was acknowledged is lost, nothing happens twice: each key that got its 201 is one application in e-application and is
counted once by the registry. Clients behave as ours do: without an answer they send the same thing again, with the same key.
"""

import json
import os
import signal
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import func, select

from infra.local import cloud as clouds
from infra.local import nodes, processes
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.inbox import InboxRow
from libs.common.outbox import OutboxRow
from libs.common.settings import Settings
from services.eapply.db import ApplicationRow
from services.tenants.db.usage import ApplicationRow as CountedRow

TOWNS = ["404012", "403059"]
CODES = {"404012": "404012", "403059": "402311"}
"""The second town's path has its present code."""
DOWN = float(os.environ.get("DOWN_SECONDS", "8"))
"""How long broker and database stay away, in seconds."""

pytestmark = [pytest.mark.fault, pytest.mark.slow]  # `make slow`


@dataclass
class Citizens:
    """Keep applying until told to stop. `acknowledged` is key → (town, application id); `pause` seconds after each."""

    url: str
    pause: float = 0
    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        for town in TOWNS:
            thread = threading.Thread(target=self._keep_applying, args=(town,))
            thread.start()
            self.threads.append(thread)

    def end(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive()

    def wait_for_more(self, count: int) -> None:
        goal = len(self.acknowledged) + count
        assert processes.wait_until(lambda: len(self.acknowledged) >= goal, seconds=180), self.refused[-3:]

    def _keep_applying(self, town: str) -> None:
        cookie = ""
        while not self.stopping.is_set():
            key = new_id()
            end = time.monotonic() + 150 + DOWN
            while time.monotonic() < end:
                status, answer, cookie = self._apply(town, key, cookie)
                if status == 201:
                    self.acknowledged[key] = (town, json.loads(answer)["application_id"])
                    self.stopping.wait(self.pause)
                    break
                if 400 <= status < 500:
                    self.refused.append(f"{status} {answer[:300]}")
                time.sleep(0.2)

    def _apply(self, town: str, key: str, cookie: str) -> tuple[int, str, str]:
        """(status, body, the guest's cookie). 0 for no answer at all."""
        body = {"procedure": "event-moushikomi", "answers": ANSWERS}
        request = urllib.request.Request(
            f"{self.url}/t/{CODES[town]}/eapply/api/applications",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Idempotency-Key": key, "Origin": self.url, "Cookie": cookie},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode(), _guest(answer.headers) or cookie
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), _guest(error.headers) or cookie
        except OSError:
            return 0, "", cookie


def _guest(headers: object) -> str:
    given = headers.get_all("Set-Cookie") or []  # type: ignore[attr-defined]
    return next((c.split(";")[0] for c in given if c.startswith("kyodo_guest=")), "")


ANSWERS = {
    "event": "はじめての手話講座",
    "name": "髙橋 𠮷子",
    "kana": "たかはし よしこ",
    "phone": "0942-30-9000",
    "people": 2,
}


@pytest.fixture(
    scope="module",
    params=["sqlite+embedded", "postgresql+rabbitmq"],
    ids=["sqlite and embedded", "postgresql and rabbitmq"],
)
def own_cloud(request: pytest.FixtureRequest) -> Iterator[clouds.Running]:
    """One of our own: others' stories would not survive it."""
    real = request.param == "postgresql+rabbitmq"
    if real and not (nodes.has_postgresql() and nodes.has_rabbitmq()):
        pytest.skip("no PostgreSQL or no RabbitMQ server is installed here")
    with tempfile.TemporaryDirectory(prefix="kyodo-kill-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with clouds.running(Path(folder), database=real, broker=real) as running:
            watching = threading.Thread(target=running.supervisor.watch)
            watching.start()
            _wait_for_rooms(running)
            yield running
            running.supervisor.stopping.set()
            watching.join(60)


def _wait_for_rooms(running: clouds.Running) -> None:
    def ready() -> bool:
        return all(clouds.is_ready(f"{running.url}/t/{CODES[town]}/eapply/") for town in TOWNS)

    assert processes.wait_until(ready, seconds=180)


def databases(running: clouds.Running) -> tuple[Database, Database]:
    settings = Settings(
        data_dir=running.plan.data, keys_dir=running.plan.data / "keys", database_url=running.plan.database_url
    )
    return (
        Database(settings.database_url_of("eapply"), "eapply"),
        Database(settings.database_url_of("tenants"), "tenants"),
    )


def kill(running: clouds.Running, name: str) -> None:
    os.kill(running.supervisor.children[name].process.pid, signal.SIGKILL)


def test_whatever_is_killed_nothing_acknowledged_is_lost_or_done_twice(own_cloud: clouds.Running) -> None:
    citizens = Citizens(own_cloud.url)
    citizens.begin()
    try:
        citizens.wait_for_more(5)
        for name in [*own_cloud.supervisor.children, *own_cloud.supervisor.children]:
            kill(own_cloud, name)
            citizens.wait_for_more(4)
        for node in own_cloud.nodes.values():
            node.kill()
            time.sleep(DOWN)  # the supervisor brings it back by itself; meanwhile events and citizens pile up
            citizens.wait_for_more(4)
    finally:
        citizens.end()
    assert not citizens.refused, citizens.refused[:3]
    everything_arrived(own_cloud, citizens)
    citizens.acknowledged["planted"] = (TOWNS[0], new_id())  # told of an application that is not there
    with pytest.raises(AssertionError, match="acknowledged and lost"):
        everything_arrived(own_cloud, citizens)


def everything_arrived(running: clouds.Running, citizens: Citizens) -> None:
    """Acknowledged = stored = counted, each once; and nothing is left on the way."""
    eapply, tenants = databases(running)
    try:
        # What the broker holds is in neither database: only the reader's count shows that the last event came through.
        processes.wait_until(lambda: not _waiting(eapply, tenants) and _all_counted(eapply, tenants), seconds=120)
        assert not _waiting(eapply, tenants), _what_waits(eapply, tenants)
        for town in TOWNS:
            promised = Counter(ident for where, ident in citizens.acknowledged.values() if where == town)
            assert max(promised.values()) == 1, "two keys got one application"
            stored = _stored(eapply, town)
            counted = _counted(tenants, town)
            lost = set(promised) - stored
            assert not lost, f"acknowledged and lost: {lost}"
            assert stored == set(promised), f"stored but never acknowledged to anybody: {stored - set(promised)}"
            assert Counter(counted) == Counter(stored), "counted otherwise than stored"
    finally:
        eapply.close()
        tenants.close()


def _what_waits(eapply: Database, tenants: Database) -> list[str]:
    with eapply.reading() as session:
        unsent = session.scalars(select(OutboxRow).where(OutboxRow.published_at.is_(None)))
        told = [f"unsent {row.position} {row.envelope['type']} of {row.added_at}" for row in unsent]
    with tenants.reading() as session:
        unapplied = session.scalars(select(InboxRow).where(InboxRow.status != "done"))
        told += [
            f"{row.status} {row.position} {row.type} tried {row.attempts}, next {row.next_at}: {row.error}"
            for row in unapplied
        ]
    return told


def _stored(eapply: Database, town: str) -> set[str]:
    with eapply.reading(town) as session:
        return set(session.scalars(select(ApplicationRow.id)))


def _counted(tenants: Database, town: str) -> list[str]:
    with tenants.reading(town) as session:
        return list(session.scalars(select(CountedRow.id)))


def _all_counted(eapply: Database, tenants: Database) -> bool:
    return all(len(_counted(tenants, town)) >= len(_stored(eapply, town)) for town in TOWNS)


def _waiting(eapply: Database, tenants: Database) -> int:
    with eapply.reading() as session:
        unsent = session.scalar(select(func.count()).select_from(OutboxRow).where(OutboxRow.published_at.is_(None)))
    with tenants.reading() as session:
        unapplied = session.scalar(select(func.count()).select_from(InboxRow).where(InboxRow.status != "done"))
    return (unsent or 0) + (unapplied or 0)
