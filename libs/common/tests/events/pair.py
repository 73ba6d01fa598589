"""Two made-up services, one that tells and one that reads, each role a process of its own: the harness of event tests."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from infra.local import processes
from libs.common import inbox, outbox
from libs.common.db import Database
from libs.common.tests.events.counter import db as counter
from libs.common.tests.events.counter import worker

ROOT = Path(__file__).parents[4]
SECONDS = 60.0
"""Longest wait for something that must come true; a test fails then, so it is far above what is usual."""


@dataclass
class Pair:
    """`source` tells of counted things, `reader` writes them down. `amqp_url` None: the embedded bus."""

    folder: Path
    source_database: Database
    reader_database: Database
    amqp_url: str | None
    source: str
    reader: str
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    # ---- what happens ----

    def count(self, subjects: Sequence[str], **options: Any) -> None:
        """Events enter the source's outbox, in one transaction."""
        worker.count(self.source_database, self.source, list(subjects), datetime.now(UTC), **options)

    def start_all(self, **options: Any) -> None:
        self.start_relay(**options)
        if self.amqp_url:
            self.start("listen", **options)
        self.start("work", **options)

    def start_relay(self, **options: Any) -> subprocess.Popen[bytes]:
        """The source's `work`: its relay; on the embedded bus it fills the reader's inbox."""
        return self._spawn(
            role="work",
            name=self.source,
            sources=[],
            database_url=_url(self.source_database),
            to=self.reader,
            to_database_url=_url(self.reader_database),
            **options,
        )

    def start(self, role: str, **options: Any) -> subprocess.Popen[bytes]:
        """The reader's `listen` or `work`."""
        return self._spawn(
            **{
                "role": role,
                "name": self.reader,
                "sources": [self.source],
                "database_url": _url(self.reader_database),
                "to": self.source,
                "to_database_url": _url(self.source_database),
                **options,
            }
        )

    def _spawn(self, **config: Any) -> subprocess.Popen[bytes]:
        log = self.folder / f"{len(self.children)}-{config['role']}-{config['name']}.log"
        config = {"amqp_url": self.amqp_url, "folder": str(self.folder), **config}
        command = [sys.executable, "-m", "libs.common.tests.events.child", json.dumps(config)]
        child = processes.spawn(command, log, cwd=ROOT)
        child.log = log  # type: ignore[attr-defined]
        self.children.append(child)
        return child

    def stop(self) -> None:
        """At once: what is in flight is of no interest any more, and must not be waited for."""
        for child in self.children:
            processes.kill_group(child)

    # ---- what must hold ----

    def effects(self) -> list[tuple[str, int]]:
        """(subject, sequence) in the order in which the reader applied them."""
        with self.reader_database.reading() as session:
            return counter.effects(session)

    def doubled(self) -> list[str]:
        with self.reader_database.reading() as session:
            return counter.doubled(session)

    def states(self) -> dict[str, int]:
        """The reader's inbox rows by state."""
        with self.reader_database.reading() as session:
            return inbox.counts(session)

    def sent(self) -> int:
        """Outbox rows that the bus has confirmed."""
        with self.source_database.reading() as session:
            rows = select(func.count()).select_from(outbox.OutboxRow)
            return session.scalar(rows.where(outbox.OutboxRow.published_at.is_not(None))) or 0

    def expected(self) -> set[tuple[str, int]]:
        """(subject, sequence) of everything the source has ever told."""
        with self.source_database.reading() as session:
            return set(session.execute(select(outbox.OutboxRow.subject, outbox.OutboxRow.sequence)).tuples())

    def wait_for_effects(self, count: int, seconds: float = SECONDS) -> None:
        wait_for(lambda: len(self.effects()) >= count, f"{count} effects", self, seconds)

    def all_arrive_once_and_in_order(self, seconds: float = SECONDS) -> None:
        """Every event told has exactly one effect, and each subject's come in the order in which they were told."""
        expected = self.expected()
        assert expected, "nothing was told: the test would show nothing"
        wait_for(lambda: set(self.effects()) >= expected, f"{len(expected)} effects", self, seconds)
        assert self.doubled() == []
        in_order(self.effects())


def in_order(effects: list[tuple[str, int]]) -> None:
    """Each subject's sequence numbers rise by one from 1. Raises AssertionError that names the first that does not."""
    last: dict[str, int] = {}
    for subject, sequence in effects:
        assert sequence == last.get(subject, 0) + 1, f"{subject}: {sequence} after {last.get(subject, 0)}"
        last[subject] = sequence


def wait_for(ready: Callable[[], bool], what: str, pair: Pair | None = None, seconds: float = SECONDS) -> None:
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}{_logs(pair)}")
        time.sleep(0.05)


def _logs(pair: Pair | None) -> str:
    if pair is None:
        return ""
    parts = [f"\n--- {child.log.name}\n{processes.tail(child.log, 15)}" for child in pair.children]  # type: ignore[attr-defined]
    return f"; effects {len(pair.effects())}, inbox {pair.states()}, sent {pair.sent()}{''.join(parts)}"


def has_died(child: subprocess.Popen[bytes], seconds: float = SECONDS) -> None:
    """The child has come to the point at which it dies. Without this a crash test could pass without any crash."""
    wait_for(lambda: child.poll() is not None, "the child to die at its point", None, seconds)
    assert child.returncode == -9, f"died of {child.returncode}, not of the crash point"


def _url(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)
