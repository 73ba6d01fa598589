"""The worker's part: gives new entries their place in the chain of their tenant."""

from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from libs.common.audit import chain
from libs.common.audit.table import AuditEntryRow, AuditHeadRow, AuditMarkRow, document
from libs.common.db import Database, TenantSession
from libs.common.jobs import Job, Jobs

if TYPE_CHECKING:
    from libs.common.service import Service

BATCH = 500
EVERY = 2.0
"""Seconds between two rounds."""


def register(jobs: Jobs) -> None:
    """Let this service's worker chain its audit entries."""

    @jobs.every(seconds=EVERY, name="audit.chain")
    def chain_audit(service: "Service", _job: Job) -> None:
        chain_pending(service.database)


def chain_pending(database: Database) -> int:
    """Chain what waits, tenant by tenant; how many entries that were."""
    chained = 0
    while marks := _marks(database):
        for tenant in sorted({tenant for _, tenant in marks}):
            with database.transaction(tenant=tenant) as session:
                chained += _chain_tenant(session)
                # Every mark seen here was committed with its entry, so that entry has just been chained.
                positions = [position for position, owner in marks if owner == tenant]
                session.execute(delete(AuditMarkRow).where(AuditMarkRow.position.in_(positions)))
    return chained


def _marks(database: Database) -> list[tuple[int, str]]:
    with database.reading() as session:
        rows = session.execute(
            select(AuditMarkRow.position, AuditMarkRow.tenant).order_by(AuditMarkRow.position).limit(BATCH)
        )
        return [(row.position, row.tenant) for row in rows]


def _chain_tenant(session: TenantSession) -> int:
    head = _locked_head(session)
    waiting = session.scalars(
        select(AuditEntryRow).where(AuditEntryRow.position.is_(None)).order_by(AuditEntryRow.id)
    ).all()
    for entry in waiting:
        head.position += 1
        entry.position, entry.previous = head.position, head.hash
        entry.hash = head.hash = chain.entry_hash(document(entry))
    session.flush()
    return len(waiting)


def _locked_head(session: TenantSession) -> AuditHeadRow:
    """The end of the chain, made if it is the first time, and held: two workers chain one after the other."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    start = {"position": 0, "hash": chain.START, "forgotten_to": 0, "forgotten_hash": chain.START}
    session.execute(insert(AuditHeadRow).values(start).on_conflict_do_nothing())
    return session.scalars(select(AuditHeadRow).with_for_update()).one()
