"""What every service keeps for a while only: sent and applied events, answers to repeated requests, old audit entries.

The worker of each service registers it by itself. How long is set by the operator (`docs/operators.md`); what is about a
municipality's own matters (applications, backups) is for its service to keep or delete.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import InstrumentedAttribute

from libs.common import audit, idempotency
from libs.common.actor import Actor
from libs.common.audit import AuditEntryRow
from libs.common.db import Database, TenantSession
from libs.common.inbox import InboxRow
from libs.common.jobs import Job, Jobs
from libs.common.jobs.registry import TIMER
from libs.common.outbox import OutboxRow
from libs.common.room.table import RoomRow

if TYPE_CHECKING:
    from libs.common.service import Service

NAME = "retention.forget-old"
BATCH = 1000
"""Rows deleted in one transaction: nobody waits long for it."""

Tenants = Callable[["Service"], list[str]]


def with_rooms(service: "Service") -> list[str]:
    """Everybody who has a room here or had one."""
    with service.database.reading() as session:
        return list(session.scalars(select(RoomRow.tenant).order_by(RoomRow.tenant)))


def register(jobs: Jobs, tenants_of: Tenants = with_rooms) -> None:
    """Let this service's worker forget what is old. `tenants_of`: whose rows there may be. A second call changes nothing."""
    if TIMER + NAME in jobs.kinds:
        return

    @jobs.every(seconds=3600, name=NAME, lease=300)
    def forget(service: "Service", job: Job) -> None:
        forget_old(service, tenants_of(service), job.renew)


def forget_old(service: "Service", tenants: list[str], alive: Callable[[], None] = lambda: None) -> None:
    """One round. `alive` is called between steps."""
    now, settings, database = service.clock.now(), service.settings, service.database
    forget_events(database, now, timedelta(days=settings.outbox_kept_days), timedelta(days=settings.inbox_kept_days))
    alive()
    files = service.extras.get("files")
    if files is not None:
        files.forget_half_written(now)
    for tenant in tenants:
        with database.transaction(tenant=tenant) as session:
            idempotency.forget_old(session, now)
            if settings.audit_kept_days is not None:
                forget_audit(session, service.name, now, settings.audit_kept_days)
        alive()


def forget_events(database: Database, now: datetime, sent: timedelta, applied: timedelta) -> None:
    """Delete events the bus has confirmed, and events applied here, once they are that old.

    What waits, is dead or was skipped by an operator stays. An event that arrives again after its row is gone would be
    applied again: `applied` must be longer than anything a broker still holds.
    """
    _delete(database, OutboxRow.position, OutboxRow.published_at < now - sent)
    _delete(database, InboxRow.position, (InboxRow.status == "done") & (InboxRow.handled_at < now - applied))


def _delete(database: Database, key: InstrumentedAttribute[int], old: ColumnElement[bool]) -> None:
    model: Any = key.class_
    while True:
        with database.transaction() as session:
            positions = list(session.scalars(select(key).where(old).order_by(key).limit(BATCH)))
            session.execute(delete(model).where(key.in_(positions)))
        if len(positions) < BATCH:
            return


def forget_audit(session: TenantSession, service: str, now: datetime, days: int) -> int:
    """Forget the beginning of this tenant's record, up to the last entry before which all are old; how many entries."""
    young = select(func.min(AuditEntryRow.position)).where(AuditEntryRow.at >= now - timedelta(days=days))
    statement = select(func.max(AuditEntryRow.position)).where(AuditEntryRow.position.is_not(None))
    first_young = session.scalar(young)
    last = session.scalar(statement if first_young is None else statement.where(AuditEntryRow.position < first_young))
    if last is None:
        return 0
    reason = f"保存期間（{days}日）が過ぎたため"
    return audit.forget_until(session, last, Actor(kind="service", subject=service), reason, now=now)
