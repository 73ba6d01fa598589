"""Events leave a service only through this table, written in the transaction of the change they tell of."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, String, UniqueConstraint, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common import events, telemetry
from libs.common.db import CommonBase, Database, Json
from libs.common.queues import by_the_index
from libs.common.tenancy import SharedTable

_Position = BigInteger().with_variant(Integer, "sqlite")
_WAITING = text("published_at IS NULL")


class OutboxRow(SharedTable, CommonBase):
    """One event to be sent. `position` is the order of sending; `published_at` is set after the bus confirmed."""

    __tablename__ = "outbox"
    __shared_because__ = "the relay sends the events of every tenant; nothing personal is in them"
    __table_args__ = (
        UniqueConstraint("subject", "sequence"),
        # Small, however long the table gets: only what waits.
        Index("ix_outbox_waiting", "position", postgresql_where=_WAITING, sqlite_where=_WAITING),
    )

    position: Mapped[int] = mapped_column(_Position, primary_key=True, autoincrement=True)
    event_id: Mapped[str] = mapped_column(String(36), unique=True)
    type: Mapped[str] = mapped_column(String(200))
    subject: Mapped[str] = mapped_column(String(200))
    sequence: Mapped[int]
    tenant: Mapped[str | None] = mapped_column(String(6))
    envelope: Mapped[events.Envelope] = mapped_column(Json)
    added_at: Mapped[datetime]
    published_at: Mapped[datetime | None]


class OutboxHead(SharedTable, CommonBase):
    """How many events a subject has had. Its row lock is what keeps one subject's events in order."""

    __tablename__ = "outbox_heads"
    __shared_because__ = "a counter per subject, of no use to anybody else"

    subject: Mapped[str] = mapped_column(String(200), primary_key=True)
    sequence: Mapped[int]


def add(session: Session, event: events.Event, *, subject: str, now: datetime) -> events.Envelope:
    """Put `event` about `subject` into the outbox of this transaction. The tenant is the session's."""
    tenant = session.info.get("tenant")
    sequence = _next_sequence(session, subject)
    envelope = events.envelope(
        event,
        subject=subject,
        tenant=tenant,
        sequence=sequence,
        now=now,
        traceparent=telemetry.current_traceparent(),
    )
    session.add(
        OutboxRow(
            event_id=envelope["id"],
            type=event.type,
            subject=subject,
            sequence=sequence,
            tenant=tenant,
            envelope=envelope,
            added_at=now,
        )
    )
    return envelope


def sequence_of(session: Session, subject: str) -> int:
    """How many events `subject` has had: a snapshot carries it, so that a reader knows which events it contains."""
    return session.scalar(select(OutboxHead.sequence).where(OutboxHead.subject == subject)) or 0


def _next_sequence(session: Session, subject: str) -> int:
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = (
        insert(OutboxHead)
        .values(subject=subject, sequence=1)
        .on_conflict_do_update(index_elements=["subject"], set_={"sequence": OutboxHead.sequence + 1})
        .returning(OutboxHead.sequence)
    )
    sequence = session.scalar(statement)
    assert sequence is not None
    return sequence


def pending(session: Session, limit: int) -> list[OutboxRow]:
    """The next rows to send, in order."""
    by_the_index(session)
    return list(
        session.scalars(
            select(OutboxRow).where(OutboxRow.published_at.is_(None)).order_by(OutboxRow.position).limit(limit)
        )
    )


_ANY_PENDING = select(OutboxRow.position).where(OutboxRow.published_at.is_(None)).limit(1)


def any_pending(database: Database) -> bool:
    """Whether there is something to send."""
    return database.finds(_ANY_PENDING)


def mark_published(session: Session, positions: list[int], now: datetime) -> None:
    """The bus has confirmed these."""
    session.execute(update(OutboxRow).where(OutboxRow.position.in_(positions)).values(published_at=now))


def oldest_unpublished(session: Session) -> datetime | None:
    """When the longest waiting event was added: the outbox's age is watched."""
    return session.scalar(select(func.min(OutboxRow.added_at)).where(OutboxRow.published_at.is_(None)))
