"""Streams of sensor readings: append-only, one value for each moment of a stream, with sums by hour beside them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Float, Index, String, and_, func, not_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import Json, UtcDateTime
from libs.common.errors import NotFound, say
from libs.common.tenancy import SharedTable, TenantTable
from services.opendata.db.tables import ID, Base
from services.opendata.domain.odata import COMPARED, Joined, Node, Not


class StreamRow(TenantTable, Base):
    """What one sensor measures at one place. `about`: name, place, property, unit, lat, lng, and `corrected`: what staff have corrected
    of these, oldest first (use_cases/sensors.py). `state`: active, ended."""

    __tablename__ = "streams"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    about: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]


class ReadingRow(TenantTable, Base):
    """A reading. The same moment sent again replaces it. `hour`: the hour (UTC) that `at` lies in."""

    __tablename__ = "readings"
    __table_args__ = (Index("ix_readings_hour", "tenant_id", "stream_id", "hour"),)

    stream_id: Mapped[str] = mapped_column(ID, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    hour: Mapped[datetime]
    value: Mapped[float] = mapped_column(Float)
    received_at: Mapped[datetime]


class HourRow(TenantTable, Base):
    """All readings of one hour of a stream, made anew whenever one of them comes."""

    __tablename__ = "reading_hours"

    stream_id: Mapped[str] = mapped_column(ID, primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    least: Mapped[float] = mapped_column(Float)
    most: Mapped[float] = mapped_column(Float)
    total: Mapped[float] = mapped_column(Float)


class PublishedStreamRow(SharedTable, Base):
    """A stream as everybody sees it, with its latest reading. `first_at`: the earliest moment there is a reading of; not known of
    streams that have sent nothing since this is kept."""

    __tablename__ = "published_streams"
    __shared_because__ = "streams are public from their first reading; use_cases/sensors.py copies one's own here"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    tenant: Mapped[str] = mapped_column(String(6), index=True)
    about: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(10))
    latest_at: Mapped[datetime | None]
    latest: Mapped[float | None] = mapped_column(Float)
    first_at: Mapped[datetime | None]


def streams(session: Session) -> list[StreamRow]:
    return list(session.scalars(select(StreamRow).order_by(StreamRow.created_at, StreamRow.id)))


def stream(session: Session, stream_id: str) -> StreamRow:
    row = session.scalar(select(StreamRow).where(StreamRow.id == stream_id))
    if row is None:
        raise NotFound(say("このセンサーは見つかりません。"), code="unknown-stream")
    return row


def published_streams(session: Session, *, ended: bool = False) -> list[PublishedStreamRow]:
    """`ended`: those, too, that take no more readings; what they measured stays readable."""
    states = ("active", "ended") if ended else ("active",)
    query = select(PublishedStreamRow).where(PublishedStreamRow.state.in_(states))
    return list(session.scalars(query.order_by(PublishedStreamRow.tenant, PublishedStreamRow.id)))


def published_stream(session: Session, stream_id: str) -> PublishedStreamRow:
    row = session.get(PublishedStreamRow, stream_id)
    if row is None or row.state == "closed":
        raise NotFound(say("このセンサーは見つかりません。"), code="unknown-stream")
    return row


def hold(session: Session, ids: set[str]) -> None:
    """Nobody else writes readings of these streams until the transaction ends. In one order, so that nobody waits in a circle."""
    session.execute(select(StreamRow.id).where(StreamRow.id.in_(ids)).order_by(StreamRow.id).with_for_update()).all()


def put(session: Session, rows: list[dict[str, Any]]) -> None:
    """Readings of the session's municipality; what is there for a moment is replaced."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(ReadingRow)
    newer = {"value": statement.excluded.value, "received_at": statement.excluded.received_at}
    session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "stream_id", "at"], set_=newer), rows)


def sum_hours(session: Session, touched: set[tuple[str, datetime]]) -> None:
    """Make the sums of these hours anew."""
    ids, hours = {stream for stream, _ in touched}, {hour for _, hour in touched}
    of = ReadingRow
    sums = (func.count(), func.min(of.value), func.max(of.value), func.sum(of.value))
    query = select(of.stream_id, of.hour, *sums).where(of.stream_id.in_(ids), of.hour.in_(hours))
    for stream, hour, count, least, most, total in session.execute(query.group_by(of.stream_id, of.hour)).all():
        if (stream, hour) in touched:
            tenant = session.info["tenant"]
            session.merge(
                HourRow(tenant_id=tenant, stream_id=stream, hour=hour, count=count, least=least, most=most, total=total)
            )


def readings(
    session: Session,
    stream_id: str,
    since: datetime | None,
    until: datetime | None,
    *,
    newest: bool,
    limit: int,
    offset: int = 0,
) -> list[ReadingRow]:
    of = ReadingRow
    query = select(of).where(of.stream_id == stream_id)
    query = query.where(of.at >= since) if since else query
    query = query.where(of.at <= until) if until else query
    return list(session.scalars(query.order_by(of.at.desc() if newest else of.at).limit(limit).offset(offset)))


def values_since(session: Session, stream_id: str, since: datetime, limit: int) -> list[tuple[datetime, float]]:
    """Moments and values in their order; the newest `limit` of them."""
    query = select(ReadingRow.at, ReadingRow.value).where(ReadingRow.stream_id == stream_id, ReadingRow.at >= since)
    return [(at, value) for at, value in session.execute(query.order_by(ReadingRow.at.desc()).limit(limit))][::-1]


OBSERVED = {"phenomenonTime": ReadingRow.at, "resultTime": ReadingRow.received_at, "result": ReadingRow.value}


def observations(
    session: Session,
    stream_id: str,
    where: Node | None,
    order: Sequence[tuple[str, bool]],
    limit: int,
    offset: int = 0,
) -> list[ReadingRow]:
    """The readings asked for; of equal ones the earlier moment first."""
    columns = [OBSERVED[name].desc() if down else OBSERVED[name] for name, down in order]
    query = _asked(select(ReadingRow), stream_id, where).order_by(*columns, ReadingRow.at)
    return list(session.scalars(query.limit(limit).offset(offset)))


def observation_count(session: Session, stream_id: str, where: Node | None) -> int:
    if where is None:
        return reading_count(session, stream_id)
    return int(session.scalar(_asked(select(func.count()).select_from(ReadingRow), stream_id, where)) or 0)


def reading(session: Session, stream_id: str, at: datetime) -> ReadingRow | None:
    return session.scalar(select(ReadingRow).where(ReadingRow.stream_id == stream_id, ReadingRow.at == at))


def first_moment(session: Session, stream_id: str) -> datetime | None:
    """The earliest that was measured; the key's first entry."""
    query = select(ReadingRow.at).where(ReadingRow.stream_id == stream_id)
    return session.scalar(query.order_by(ReadingRow.at).limit(1))


def _asked(query: Any, stream_id: str, where: Node | None) -> Any:
    query = query.where(ReadingRow.stream_id == stream_id)
    return query.where(_condition(where)) if where is not None else query


def _condition(node: Node) -> ColumnElement[bool]:
    if isinstance(node, Joined):
        return (and_ if node.word == "and" else or_)(*map(_condition, node.parts))
    if isinstance(node, Not):
        return not_(_condition(node.part))
    return COMPARED[node.operator](OBSERVED[node.field], node.value)


def reading_count(session: Session, stream_id: str) -> int:
    """From the sums: a count of millions costs as many rows as there are hours."""
    return int(session.scalar(select(func.sum(HourRow.count)).where(HourRow.stream_id == stream_id)) or 0)


def hours(session: Session, stream_id: str, since: datetime | None, limit: int) -> list[HourRow]:
    """The last hours, in their order."""
    query = select(HourRow).where(HourRow.stream_id == stream_id)
    query = query.where(HourRow.hour >= since) if since else query
    return list(reversed(list(session.scalars(query.order_by(HourRow.hour.desc()).limit(limit)))))
