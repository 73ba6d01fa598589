"""Events that arrived wait here and are applied once, in order per subject, each in one transaction with its effects.

States: pending → done | dead → (re-driven) pending | skipped. A failing event is tried again after 5 s, 30 s, 2 min, 10 min,
then every 10 minutes up to 4 h; then it is dead. While it fails or is dead, only its own subject waits behind it.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, Row, String, bindparam, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common import log, telemetry, tenancy
from libs.common.clock import Clock
from libs.common.db import CommonBase, Database, Json
from libs.common.errors import Conflict, NotFound, say
from libs.common.events import Envelope, check_envelope, source_of
from libs.common.queues import by_the_index
from libs.common.schemas import Mismatch, check_data
from libs.common.tenancy import SharedTable

Handler = Callable[[Session, Envelope, datetime], None]

_DELAYS = [timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10)]
_STEP = timedelta(minutes=10)
_GIVE_UP_AFTER = timedelta(hours=4)
_Position = BigInteger().with_variant(Integer, "sqlite")
_UNRESOLVED = text("handled_at IS NULL")

WINDOW = 200
"""How many waiting events are looked at together."""
GROUP = 50
"""Most events that are applied in one transaction."""
_CLOSED = -1
_GROUP_SECONDS = 0.25
"""After this long a group ends early: its locks would keep others waiting."""


class InboxRow(SharedTable, CommonBase):
    """One event that arrived. `next_at` is the earliest moment of the next attempt."""

    __tablename__ = "inbox"
    __shared_because__ = "the loop applies the events of every tenant, each in a session of its own tenant"
    # What is resolved is most of the table and of no interest to the loop: the indexes leave it out.
    __table_args__ = (
        Index("ix_inbox_waiting", "position", postgresql_where=_UNRESOLVED, sqlite_where=_UNRESOLVED),
        Index(
            "ix_inbox_subject", "source", "subject", "position", postgresql_where=_UNRESOLVED, sqlite_where=_UNRESOLVED
        ),
    )

    position: Mapped[int] = mapped_column(_Position, primary_key=True, autoincrement=True)
    event_id: Mapped[str] = mapped_column(String(200), unique=True)
    source: Mapped[str] = mapped_column(String(100))
    type: Mapped[str] = mapped_column(String(200))
    subject: Mapped[str] = mapped_column(String(200))
    tenant: Mapped[str | None] = mapped_column(String(6))
    envelope: Mapped[Envelope] = mapped_column(Json)
    status: Mapped[str] = mapped_column(String(10), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(2000))
    resolved_by: Mapped[str | None] = mapped_column(String(200))
    resolved_because: Mapped[str | None] = mapped_column(String(2000))


_ANY_READY = (
    select(InboxRow.position)
    .where(InboxRow.handled_at.is_(None), InboxRow.status == "pending", InboxRow.next_at <= bindparam("now"))
    .limit(1)
)


class Subscriptions:
    """Which event leads to which function: filled by the decorators of a service's `worker.py`."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.handlers: dict[str, Handler] = {}

    def on(self, *, source: str, type: str) -> Callable[[Handler], Handler]:
        if source_of(type) != source:
            raise ValueError(f"{type} does not come from {source}")
        if type in self.handlers:
            raise ValueError(f"two handlers for {type}")

        def register(handler: Handler) -> Handler:
            self.handlers[type] = handler
            return handler

        return register

    @property
    def sources(self) -> list[str]:
        return sorted({source_of(type) for type in self.handlers})

    def wants(self, envelope: Envelope) -> bool:
        return envelope["type"] in self.handlers


def receive(session: Session, envelopes: list[Envelope], now: datetime) -> None:
    """Keep what arrived, in that order; what is known already is left alone. Raises BadEnvelope for what is not ours."""
    rows = [_row(check_envelope(envelope), now) for envelope in envelopes]
    if rows:
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        session.connection().execute(insert(InboxRow).on_conflict_do_nothing(index_elements=["event_id"]), rows)


def _row(envelope: Envelope, now: datetime) -> dict[str, Any]:
    return {
        "event_id": envelope["id"],
        "source": source_of(envelope["type"]),
        "type": envelope["type"],
        "subject": envelope["subject"],
        "tenant": envelope.get("tenantid"),
        "envelope": envelope,
        "status": "pending",
        "attempts": 0,
        "next_at": now,
        "received_at": now,
    }


def handle_next(database: Database, subscriptions: Subscriptions, clock: Clock) -> bool:
    """Apply the first event that may be applied now. True if there was one, whether it went well or not."""
    return handle_ready(database, subscriptions, clock, limit=1) > 0


def handle_ready(database: Database, subscriptions: Subscriptions, clock: Clock, limit: int = WINDOW) -> int:
    """Apply what may be applied now, up to `limit` events, several of one tenant per transaction. Returns how many were taken.

    One that fails undoes its whole transaction; then each of that is applied alone, and only the failing one waits.
    """
    if not database.finds(_ANY_READY, now=clock.now()):
        return 0
    with database.reading() as session:  # looking takes no lock: on SQLite a writer would stop everybody else
        groups = _plan(session, clock.now(), limit)
    taken = 0
    for group in groups:
        claimed, applied = _handle_group(database, group, subscriptions, clock)
        taken += claimed
        if applied < len(group):
            break  # what was left may have later events of its subject in the groups behind
    return taken


def _handle_group(
    database: Database, group: list[Row[Any]], subscriptions: Subscriptions, clock: Clock
) -> tuple[int, int]:
    """How many of `group` were taken, and how many of these were applied together."""
    claimed: list[str] = []
    try:
        with database.transaction() as session:
            rows = _claim(session, group, clock.now())
            claimed += [row.event_id for row in rows]
            return len(claimed), _apply(session, rows, subscriptions, clock)
    except Exception as error:
        if not claimed:
            raise
        if len(claimed) == 1:
            _note_failure(database, claimed[0], error, clock.now())
        else:
            for _ in claimed:
                handle_next(database, subscriptions, clock)
        return len(claimed), 0


def _plan(session: Session, now: datetime, limit: int) -> list[list[Row[Any]]]:
    """What may go now, in order of arrival: a group for each transaction, of one tenant; one that failed before goes alone.

    Every event has the earlier unresolved ones of its subject before it, in its group or in one before. Decided here and
    not by the database: a NOT EXISTS over this table was planned from stale statistics as a loop over all pairs.
    """
    plan = _Plan(limit)
    after, window = 0, WINDOW
    while True:
        rows = _unresolved(session, after, window)
        for row in rows:
            plan.consider(row, now)
        if plan.groups or len(rows) < window:
            return plan.groups
        after, window = rows[-1].position, WINDOW * 10  # all of these wait for something: look further


class _Plan:
    def __init__(self, limit: int) -> None:
        self.groups: list[list[Row[Any]]] = []
        self._left = limit
        self._open: dict[str | None, int] = {}  # tenant → its group that still has room
        self._reached: dict[
            tuple[str, str], int
        ] = {}  # subject → group of its latest event; _CLOSED: nothing may follow

    def consider(self, row: Row[Any], now: datetime) -> None:
        subject = (row.source, row.subject)
        reached = self._reached.get(subject, 0)
        if reached == _CLOSED:
            return
        self._reached[subject] = _CLOSED
        if row.status != "pending" or row.next_at > now or not self._left:
            return
        number = self._group_for(row)
        if number < reached:
            return  # it would overtake an event of its own subject
        self.groups[number].append(row)
        self._left -= 1
        self._reached[subject] = _CLOSED if row.attempts else number

    def _group_for(self, row: Row[Any]) -> int:
        number = self._open.get(row.tenant)
        if row.attempts or number is None or len(self.groups[number]) >= GROUP:
            self.groups.append([])
            number = len(self.groups) - 1
        if not row.attempts:
            self._open[row.tenant] = number
        return number


def _unresolved(session: Session, after: int, limit: int) -> Sequence[Row[Any]]:
    by_the_index(session)
    columns = (InboxRow.position, InboxRow.source, InboxRow.subject, InboxRow.tenant)
    return session.execute(
        select(*columns, InboxRow.status, InboxRow.attempts, InboxRow.next_at)
        .where(InboxRow.handled_at.is_(None), InboxRow.position > after)
        .order_by(InboxRow.position)
        .limit(limit)
    ).all()


def _claim(session: Session, planned: list[Row[Any]], now: datetime) -> list[InboxRow]:
    """Lock the planned events. Left out is what another worker has, what is resolved by now, and all behind it in its subject."""
    found = session.scalars(
        select(InboxRow)
        .where(
            InboxRow.position.in_([row.position for row in planned]),
            InboxRow.status == "pending",
            InboxRow.next_at <= now,
        )
        .with_for_update(skip_locked=True)
    )
    locked = {row.position: row for row in found}
    claimed, closed = [], set()
    for row in planned:
        if row.position in locked and (row.source, row.subject) not in closed:
            claimed.append(locked[row.position])
        else:
            closed.add((row.source, row.subject))
    return claimed


def _apply(session: Session, rows: list[InboxRow], subscriptions: Subscriptions, clock: Clock) -> int:
    """Apply `rows`, or the first of them if that takes long. Returns how many."""
    if not rows:
        return 0
    if rows[0].tenant is not None:
        tenancy.enter(session, rows[0].tenant)
    until = time.monotonic() + _GROUP_SECONDS
    done = []
    for row in rows:
        with telemetry.consuming(row.envelope):
            _apply_one(session, row, subscriptions, clock.now())
        done.append(row.position)
        if time.monotonic() > until:
            break
    session.execute(
        update(InboxRow)
        .where(InboxRow.position.in_(done))
        .values(status="done", handled_at=clock.now(), error=None)
        .execution_options(synchronize_session=False)
    )
    return len(done)


def _apply_one(session: Session, row: InboxRow, subscriptions: Subscriptions, now: datetime) -> None:
    check_data(row.type, row.envelope["data"])
    subscriptions.handlers[row.type](session, row.envelope, now)


def _note_failure(database: Database, event_id: str, error: Exception, now: datetime) -> None:
    telemetry.event_failed(event_id, error)
    with database.transaction() as session:
        row = _find(session, event_id)
        if row.status != "pending":
            return
        row.attempts += 1
        row.error = log.told(error)[:2000]
        wait = _wait(row.attempts)
        if isinstance(error, Mismatch) or wait is None:
            row.status = "dead"
        else:
            row.next_at = now + wait


def _wait(attempts: int) -> timedelta | None:
    """How long to wait after the `attempts`-th failure, or None to give up."""
    if attempts <= len(_DELAYS):
        return _DELAYS[attempts - 1]
    waited = sum(_DELAYS, timedelta()) + (attempts - len(_DELAYS)) * _STEP
    return _STEP if waited <= _GIVE_UP_AFTER else None


# ---- what an operator sees and does ---------------------------------------------------------------------------------


def troubled(session: Session, limit: int = 100) -> list[InboxRow]:
    """Dead events first, then those that are being tried again, oldest first."""
    return list(
        session.scalars(
            select(InboxRow)
            .where(InboxRow.handled_at.is_(None), (InboxRow.status == "dead") | (InboxRow.attempts > 0))
            .order_by(InboxRow.status, InboxRow.position)
            .limit(limit)
        )
    )


def waiting_behind(session: Session, row: InboxRow) -> int:
    """How many later events of the same subject wait for this one."""
    return (
        session.scalar(
            select(func.count())
            .select_from(InboxRow)
            .where(
                InboxRow.handled_at.is_(None),
                InboxRow.source == row.source,
                InboxRow.subject == row.subject,
                InboxRow.status == "pending",
                InboxRow.position > row.position,
            )
        )
        or 0
    )


def redrive(session: Session, event_id: str, *, by: str, because: str, now: datetime) -> None:
    """Try a dead or waiting event again at once."""
    row = _find(session, event_id, lock=True)
    if row.status not in ("dead", "pending"):
        raise Conflict(say("この出来事は、もう処理が済んでいます。"))
    row.status, row.attempts, row.next_at = "pending", 0, now
    row.resolved_by, row.resolved_because = by, because


def skip(session: Session, event_id: str, *, by: str, because: str, now: datetime) -> None:
    """Leave an event out for good, so that its subject goes on. Who and why is kept."""
    row = _find(session, event_id, lock=True)
    if row.status not in ("dead", "pending"):
        raise Conflict(say("この出来事は、もう処理が済んでいます。"))
    row.status, row.handled_at = "skipped", now
    row.resolved_by, row.resolved_because = by, because


def oldest_pending(session: Session) -> datetime | None:
    """When the longest waiting event arrived: the inbox's age is watched."""
    return session.scalar(
        select(func.min(InboxRow.received_at)).where(InboxRow.handled_at.is_(None), InboxRow.status == "pending")
    )


def counts(session: Session) -> dict[str, int]:
    """Events by state."""
    return dict(session.execute(select(InboxRow.status, func.count()).group_by(InboxRow.status)).tuples().all())


def unhandled(session: Session) -> dict[str, int]:
    """The same of those that are neither applied nor skipped: quick, however many are remembered."""
    statement = select(InboxRow.status, func.count()).where(InboxRow.handled_at.is_(None)).group_by(InboxRow.status)
    return dict(session.execute(statement).tuples().all())


def _find(session: Session, event_id: str, *, lock: bool = False) -> InboxRow:
    statement = select(InboxRow).where(InboxRow.event_id == event_id)
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound(say("その出来事は見つかりません。"))
    return row
