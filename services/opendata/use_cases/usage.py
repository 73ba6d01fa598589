"""How often data is looked at, downloaded and asked for. Counted in memory, written together every few seconds.

A storm of visits costs one write; a killed process loses at most what came in the last `EVERY` seconds.
"""

import atexit
import threading
from collections import Counter
from datetime import date, datetime
from typing import Literal

from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from libs.common import log
from libs.common.clock import local_date
from libs.common.db import Database
from services.opendata.db import UseRow
from services.opendata.domain.visitors import DoubleClicks, is_robot

EVERY = 5.0
"""Seconds between two writes."""
_log = log.get(__name__)
Kind = Literal["view", "download", "query"]
Key = tuple[date, str, str, str]


class Uses:
    """One per process. Safe for threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._clicks = DoubleClicks()
        self._waiting: Counter[Key] = Counter()
        self.written = 0
        """How often counts were written: pages made before show others."""
        self._timer: threading.Timer | None = None
        atexit.register(self._write_later)

    def note(self, kind: Kind, visitor: str, agent: str, dataset: str, resource: str, now: datetime) -> bool:
        """Count one use, unless a robot or a double click made it; whether it counts. Programs' questions to the data
        (`query`) are programs' by nature: they count unless they say they are crawlers."""
        if is_robot(agent) and kind != "query":
            return False
        with self._lock:
            if not self._clicks.first(visitor, f"{kind}:{dataset}:{resource}", now):
                return False
            self._waiting[(local_date(now), dataset, resource, kind)] += 1
            if self._timer is None:
                self._timer = threading.Timer(EVERY, self._write_later)
                self._timer.daemon = True
                self._timer.start()
        return True

    def _write_later(self) -> None:
        with self._lock:
            self._timer = None
        try:
            self.write()
        except SQLAlchemyError as error:
            if not self._database.closed:
                _log.warning("uses not written yet", error=type(error).__name__)

    def write(self) -> None:
        """Write what is waiting. If the store refuses, it waits on."""
        with self._writing:
            with self._lock:
                batch, self._waiting = self._waiting, Counter()
            if not batch:
                return
            try:
                with self._database.transaction() as session:
                    for key, count in sorted(batch.items()):
                        _add(session, key, count)
                self.written += 1
            except BaseException:
                with self._lock:
                    self._waiting.update(batch)
                raise


def _add(session: Session, key: Key, count: int) -> None:
    day, dataset, resource, kind = key
    row = session.get(UseRow, key, with_for_update=True)
    if row is None:
        session.add(UseRow(day=day, dataset_id=dataset, resource_id=resource, kind=kind, count=count))
    else:
        row.count += count


def totals(session: Session, dataset_ids: list[str]) -> dict[str, dict[str, int]]:
    """Data set → kind → count, all time."""
    query = select(UseRow.dataset_id, UseRow.kind, func.sum(UseRow.count)).where(UseRow.dataset_id.in_(dataset_ids))
    found: dict[str, dict[str, int]] = {}
    for dataset, kind, count in session.execute(query.group_by(UseRow.dataset_id, UseRow.kind)):
        found.setdefault(dataset, {})[kind] = int(count)
    return found


_BY_RESOURCE = (
    select(UseRow.resource_id, UseRow.kind, func.sum(UseRow.count))
    .where(UseRow.dataset_id == bindparam("dataset"))
    .group_by(UseRow.resource_id, UseRow.kind)
)


def by_resource(session: Session, dataset_id: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for resource, kind, count in session.execute(_BY_RESOURCE, {"dataset": dataset_id}):
        found.setdefault(resource, {})[kind] = int(count)
    return found
