"""The jobs' rows: adding, claiming, finishing. Every change of a running job names its holder."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Index,
    String,
    UniqueConstraint,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common import telemetry
from libs.common.db import CommonBase, Database, Json, UtcDateTime
from libs.common.errors import Conflict, NotFound, say
from libs.common.ids import new_id
from libs.common.tenancy import SharedTable

KEPT = timedelta(days=7)
"""How long a finished job can still be looked at, and its key still means "the same job"."""

_DELAYS = [timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10)]


class JobRow(SharedTable, CommonBase):
    """One job. `tenant` says whose work it is; the handler enters that tenant itself. `payload` holds ids, no
    personal data."""

    __tablename__ = "jobs"
    __shared_because__ = "the worker goes through the jobs of every tenant; payloads hold ids only"
    __table_args__ = (UniqueConstraint("kind", "key"), Index(None, "status", "next_at"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    job_kind: Mapped[str] = mapped_column("kind", String(100))  # `kind` is the table's own, see tenancy
    key: Mapped[str] = mapped_column(String(200))
    tenant: Mapped[str | None] = mapped_column(String(6))
    payload: Mapped[dict[str, Any]] = mapped_column(Json)
    status: Mapped[str] = mapped_column(String(10), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    holder: Mapped[str | None] = mapped_column(String(36))
    lease_until: Mapped[datetime | None]
    progress_done: Mapped[int | None]
    progress_total: Mapped[int | None]
    progress_label: Mapped[str | None] = mapped_column(String(200))
    added_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(2000))
    traceparent: Mapped[str | None] = mapped_column(String(55))


@dataclass(frozen=True, slots=True)
class JobState:
    """What a page shows of a job. `done` of `total` steps; both None before the first word of progress."""

    id: str
    kind: str
    status: str
    done: int | None
    total: int | None
    label: str | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job this process may run until `lease_until`."""

    id: str
    kind: str
    tenant: str | None
    payload: dict[str, Any]
    attempt: int
    traceparent: str | None
    holder: str


def add(
    session: Session,
    kind: str,
    payload: dict[str, Any],
    *,
    tenant: str | None = None,
    key: str | None = None,
    now: datetime,
    at: datetime | None = None,
) -> str:
    """Add a job to this transaction and return its id. `at`: not before that moment (default: at once).

    The tenant is the session's unless given. The same `kind`, tenant and `key` again give the id of the job that is
    there.
    """
    tenant = tenant or session.info.get("tenant")
    job_id = new_id()
    full_key = f"{tenant or '-'}:{key or job_id}"
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {
        "id": job_id,
        "job_kind": kind,
        "key": full_key,
        "tenant": tenant,
        "payload": payload,
        "status": "pending",
        "attempts": 0,
        "next_at": at or now,
        "added_at": now,
        "traceparent": telemetry.current_traceparent(),
    }
    statement = insert(JobRow).values(values).on_conflict_do_nothing(index_elements=["kind", "key"])
    added = session.scalar(statement.returning(JobRow.id))
    if added is not None:
        return added
    known = session.scalar(select(JobRow.id).where(JobRow.job_kind == kind, JobRow.key == full_key))
    assert known is not None
    return known


def any_due(database: Database, kinds: Collection[str], now: datetime) -> bool:
    """Whether a worker has something to claim."""
    return database.finds(_ANY_DUE, kinds=list(kinds), now=now)


def claim(session: Session, leases: Mapping[str, timedelta], now: datetime) -> Claimed | None:
    """The next job that may run: due, or left behind by a process whose lease ran out. `leases`: kind → its lease."""
    row = session.scalar(
        select(JobRow)
        .where(JobRow.job_kind.in_(leases), _claimable(now))
        .order_by(JobRow.next_at, JobRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return None
    # Counted before it runs: a job that kills its process must not be tried for ever.
    holder = new_id()
    row.status, row.attempts, row.holder, row.lease_until = (
        "running",
        row.attempts + 1,
        holder,
        now + leases[row.job_kind],
    )
    return Claimed(row.id, row.job_kind, row.tenant, row.payload, row.attempts, row.traceparent, holder)


def _claimable(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    due = and_(JobRow.status == "pending", JobRow.next_at <= now)
    left_behind = and_(JobRow.status == "running", JobRow.lease_until <= now)
    return or_(due, left_behind)


_ANY_DUE = (
    select(JobRow.id)
    .where(JobRow.job_kind.in_(bindparam("kinds", expanding=True)), _claimable(bindparam("now", type_=UtcDateTime)))
    .limit(1)
)


def change_held(session: Session, job_id: str, holder: str, values: dict[str, Any]) -> bool:
    """Change a running job if `holder` still holds it."""
    statement = (
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.holder == holder, JobRow.status == "running")
        .values(values)
        .returning(JobRow.id)
        .execution_options(synchronize_session=False)
    )
    return session.scalar(statement) is not None


def finished(now: datetime) -> dict[str, Any]:
    return {"status": "done", "finished_at": now, "holder": None, "lease_until": None, "error": None}


def waiting(at: datetime, error: str | None) -> dict[str, Any]:
    return {"status": "pending", "next_at": at, "holder": None, "lease_until": None, "error": error}


def died(now: datetime, error: str) -> dict[str, Any]:
    return {"status": "dead", "finished_at": now, "holder": None, "lease_until": None, "error": error}


def delay(attempt: int) -> timedelta:
    """How long to wait after the `attempt`-th failure: 5 s, 30 s, 2 min, then 10 min each."""
    return _DELAYS[min(attempt, len(_DELAYS)) - 1]


def ensure_timer(session: Session, kind: str, now: datetime) -> None:
    """The one row of a timer, due at once when it is new."""
    add(session, kind, {}, key="timer", now=now)


def forget_done(session: Session, now: datetime) -> None:
    """Delete jobs that ended well longer than `KEPT` ago. Dead ones stay until somebody has looked."""
    session.execute(delete(JobRow).where(JobRow.status == "done", JobRow.finished_at < now - KEPT))


# ---- what pages and operators see -----------------------------------------------------------------------------------


def find(session: Session, job_id: str) -> JobState:
    """The state of a job of this session's tenant (or of none). NotFound for another tenant's."""
    row = session.get(JobRow, job_id)
    if row is None or (row.tenant is not None and row.tenant != session.info.get("tenant")):
        raise NotFound(say("この処理は見つかりません。"))
    return JobState(row.id, row.job_kind, row.status, row.progress_done, row.progress_total, row.progress_label)


def dead(session: Session, limit: int = 100) -> list[JobRow]:
    """Jobs that were given up, oldest first."""
    return list(session.scalars(select(JobRow).where(JobRow.status == "dead").order_by(JobRow.id).limit(limit)))


def redrive(session: Session, job_id: str, now: datetime) -> None:
    """Let a dead job begin again."""
    row = session.get(JobRow, job_id, with_for_update=True)
    if row is None:
        raise NotFound(say("この処理は見つかりません。"))
    if row.status != "dead":
        raise Conflict(say("この処理は止まっていません。"))
    row.status, row.attempts, row.next_at, row.finished_at = "pending", 0, now, None


def redrive_if_dead(session: Session, job_id: str, now: datetime) -> None:
    """The same for a job that somebody asks for again; one that is alive goes on undisturbed."""
    row = session.get(JobRow, job_id)
    if row is not None and row.status == "dead":
        redrive(session, job_id, now)


def earlier_unfinished(session: Session, job_id: str, kind: str, tenant: str | None) -> bool:
    """Whether a job of the same kind and tenant that was added before is still to be done."""
    statement = select(JobRow.id).where(
        JobRow.job_kind == kind,
        JobRow.tenant == tenant,
        JobRow.status.in_(["pending", "running"]),
        JobRow.id < job_id,
    )
    return session.scalar(statement.limit(1)) is not None


def counts(session: Session) -> dict[str, int]:
    """Jobs by state."""
    return dict(session.execute(select(JobRow.status, func.count()).group_by(JobRow.status)).tuples().all())


def unfinished(session: Session) -> dict[str, int]:
    """The same without those that are done: by the index, however many are kept."""
    states = JobRow.status.in_(("pending", "running", "dead"))
    return dict(
        session.execute(select(JobRow.status, func.count()).where(states).group_by(JobRow.status)).tuples().all()
    )


def oldest_waiting(session: Session) -> datetime | None:
    """Since when the longest waiting job could have run: its age is watched."""
    return session.scalar(select(func.min(JobRow.next_at)).where(JobRow.status == "pending"))
