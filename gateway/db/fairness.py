"""Requests counted per day, and closures."""

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import BigInteger, String, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.db.base import Base
from libs.common.tenancy import PersonTable


class RequestsCountedRow(PersonTable, Base):
    """Requests of one day (in Japan) of `whose`: `tenant:402036` or `machine:<id>`. All gateways add to it."""

    __tablename__ = "requests_counted"
    day: Mapped[date] = mapped_column(primary_key=True)
    whose: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class ClosureRow(PersonTable, Base):
    """A service closed (`maintenance`) or open for reading only (`read-only`). No tenant: for all; no service: every one."""

    __tablename__ = "closures"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    for_tenant: Mapped[str | None] = mapped_column(String(6))
    service: Mapped[str | None] = mapped_column(String(40))
    mode: Mapped[str] = mapped_column(String(20))
    sentence: Mapped[str] = mapped_column(String(300))
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    made_by: Mapped[str] = mapped_column(String(36))
    ended_at: Mapped[datetime | None]


def add_counts(session: Session, day: date, counts: Mapping[str, int]) -> None:
    """Add to what all gateways have counted. In the order of the keys: two that add at once must not wait for each other in a ring."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    for whose, count in sorted(counts.items()):
        statement = insert(RequestsCountedRow).values(day=day, whose=whose, count=count)
        added = RequestsCountedRow.count + statement.excluded.count
        session.execute(statement.on_conflict_do_update(index_elements=["day", "whose"], set_={"count": added}))


def counts_of(session: Session, day: date) -> dict[str, int]:
    rows = session.execute(
        select(RequestsCountedRow.whose, RequestsCountedRow.count).where(RequestsCountedRow.day == day)
    )
    return {whose: count for whose, count in rows}


def forget_counts(session: Session, before: date) -> None:
    session.execute(delete(RequestsCountedRow).where(RequestsCountedRow.day < before))


def closures(session: Session, now: datetime) -> list[ClosureRow]:
    """Those in force and those to come, the earliest first."""
    open_ended = or_(ClosureRow.ends_at.is_(None), ClosureRow.ends_at > now)
    statement = select(ClosureRow).where(ClosureRow.ended_at.is_(None), open_ended)
    return list(session.scalars(statement.order_by(ClosureRow.begins_at)))
