"""Which processes of a service run, with which release and settings: each says so in the service's store every half minute.

    with instances.announced(service, "work"): …      as long as the block runs
    instances.present(session, now)                   those that were heard of lately

The settings are told by their fingerprint (`Settings.fingerprint`): no value leaves the process.
"""

import os
import platform
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common import log
from libs.common.db import CommonBase
from libs.common.ids import new_id
from libs.common.service import Service
from libs.common.tenancy import SharedTable

_log = log.get(__name__)

EVERY = 30.0
"""Seconds between two signs of life."""
SILENT = timedelta(seconds=100)
"""Three signs missed: it is gone, or it hangs."""
FORGOTTEN = timedelta(days=1)


class InstanceRow(SharedTable, CommonBase):
    """One process. `seen_at` is its last sign of life."""

    __tablename__ = "instances"
    __shared_because__ = "processes and their releases, nothing of any tenant"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    role: Mapped[str] = mapped_column(String(10))
    host: Mapped[str] = mapped_column(String(100))
    release: Mapped[str] = mapped_column(String(100))
    settings: Mapped[str] = mapped_column(String(12))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


def present(session: Session, now: datetime) -> Sequence[InstanceRow]:
    """By role, those that were heard of lately; the oldest first."""
    statement = select(InstanceRow).where(InstanceRow.seen_at > now - SILENT)
    return session.scalars(statement.order_by(InstanceRow.role, InstanceRow.started_at)).all()


@contextmanager
def announced(*services: Service, role: str) -> Iterator[None]:
    """Say that this process plays `role` for these services; at the end say that it does no more."""
    signs = [_Sign(service, role) for service in services]
    stopping = threading.Event()
    thread = threading.Thread(target=_keep_saying, args=(signs, stopping), name="instances", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(5)
        for sign in signs:
            sign.take_away()


def _keep_saying(signs: list["_Sign"], stopping: threading.Event) -> None:
    while True:
        for sign in signs:
            sign.give()
        if stopping.wait(EVERY):
            return


class _Sign:
    """What one process writes for one service. A store that is away or not yet migrated stops nothing."""

    def __init__(self, service: Service, role: str) -> None:
        self._service = service
        self._row = {
            "id": new_id(),
            "role": role,
            "host": f"{platform.node()[:80]}:{os.getpid()}",
            "release": service.settings.release[:100],
            "settings": service.settings.fingerprint(),
            "started_at": service.clock.now(),
        }

    def give(self) -> None:
        now = self._service.clock.now()
        try:
            with self._service.database.transaction() as session:
                session.merge(InstanceRow(**self._row, seen_at=now))
                session.execute(delete(InstanceRow).where(InstanceRow.seen_at < now - FORGOTTEN))
        except Exception as error:
            self._not_now(error)

    def take_away(self) -> None:
        try:
            with self._service.database.transaction() as session:
                session.execute(delete(InstanceRow).where(InstanceRow.id == self._row["id"]))
        except Exception as error:
            self._not_now(error)

    def _not_now(self, error: Exception) -> None:
        _log.info("instance_not_told", service=self._service.name, error=type(error).__name__)
