"""The dated history of who used which service. Rows are superseded, never changed."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, Select, String, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.ids import new_id
from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base
from services.tenants.domain.subscriptions import Interval

_COUNTED = ("service", "tenant", "valid_from", "valid_until")
_JOINED = text("kind = 'joined' AND superseded_at IS NULL")

ENDED = "municipality.ended"
"""The origin of what was cut short by the end of its municipality."""
ESTABLISHED = "municipality.established"
"""The origin of what a new municipality goes on with."""


class IntervalRow(SharedTable, Base):
    """`kind` joined or suspended; `origin` is a request's id, or the name of what it was imported from."""

    __tablename__ = "subscription_intervals"
    __shared_because__ = "the council counts across municipalities, and publishes who takes part"
    __table_args__ = (
        Index(None, "tenant", "service"),
        # Everything that is counted by day or year: one part of the index, in the order in which it is counted.
        Index("ix_subscription_intervals_joined", *_COUNTED, postgresql_where=_JOINED, sqlite_where=_JOINED),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(String(6))
    service: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(10))
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    recorded_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]
    origin: Mapped[str] = mapped_column(String(100))


def intervals(session: Session, tenant: str | None = None, service: str | None = None) -> list[Interval]:
    """Every recorded interval, superseded ones too: the domain picks by day and by knowledge."""
    statement = select(IntervalRow).order_by(IntervalRow.valid_from, IntervalRow.id)
    if tenant is not None:
        statement = statement.where(IntervalRow.tenant == tenant)
    if service is not None:
        statement = statement.where(IntervalRow.service == service)
    return [as_interval(row) for row in session.scalars(statement)]


def add_intervals(session: Session, found: Iterable[Interval], origin: str) -> None:
    session.add_all(
        IntervalRow(
            tenant=i.tenant_id,
            service=i.service,
            kind=i.kind,
            valid_from=i.valid_from,
            valid_until=i.valid_until,
            recorded_at=i.recorded_at,
            origin=origin,
        )
        for i in found
    )


def close(session: Session, tenant: str, service: str, kind: str, on: date, now: datetime, origin: str) -> bool:
    """End what is open or ends later, on `on` (the first day it no longer holds), and what only begins after it. False if there was
    nothing.

    Each row is superseded and, where it held before, one with an end is recorded, so that the earlier belief stays readable.
    """
    one = _believed(tenant).where(IntervalRow.service == service, IntervalRow.kind == kind)
    return bool(_end(session, one, on, now, origin))


def close_all(session: Session, tenant: str, on: date, now: datetime, origin: str) -> list[Interval]:
    """Nothing of the tenant's holds from `on` on, nor begins later. Returns what did, as it was believed."""
    return _end(session, _believed(tenant), on, now, origin)


def _end(
    session: Session, believed: Select[tuple[IntervalRow]], on: date, now: datetime, origin: str
) -> list[Interval]:
    """What of `believed` holds on `on` or later is superseded and, where it held before, recorded with that end. Returns it as it was."""
    held = IntervalRow.valid_until.is_(None) | (IntervalRow.valid_until > on)
    rows = session.scalars(believed.where(held)).all()
    were = [as_interval(row) for row in rows]
    for row in rows:
        row.superseded_at = now
    ended = [replace(one, valid_until=on, recorded_at=now) for one in were if one.valid_from < on]
    add_intervals(session, ended, origin)
    session.flush()
    return were


def reopen_all(session: Session, tenant: str, closed_at: Collection[datetime], now: datetime, origin: str) -> None:
    """What `close_all` closed with this `origin` — at the latest of the moments `closed_at` at which it closed something — is
    believed again. A service whose history was changed after that stays as it is."""
    rows = list(session.scalars(select(IntervalRow).where(IntervalRow.tenant == tenant)))
    closed = [row for row in rows if row.superseded_at in closed_at and row.origin != origin]
    moment = max((row.superseded_at for row in closed if row.superseded_at), default=None)
    present = [row for row in rows if row.superseded_at is None]
    changed = {row.service for row in present if moment and row.recorded_at > moment}
    for row in present:
        if row.origin == origin and row.recorded_at == moment and row.service not in changed:
            row.superseded_at = now
    for row in closed:
        if row.superseded_at == moment and row.service not in changed:
            add_intervals(session, [replace(as_interval(row), recorded_at=now, superseded_at=None)], row.origin)
    session.flush()


def of_origin(session: Session, tenant: str, origin: str) -> set[str]:
    """The services about which nothing else than what `origin` recorded was ever believed."""
    rows = session.execute(select(IntervalRow.service, IntervalRow.origin).where(IntervalRow.tenant == tenant)).tuples()
    found: dict[str, set[str]] = {}
    for service, one in rows:
        found.setdefault(service, set()).add(one)
    return {service for service, origins in found.items() if origins == {origin}}


def _believed(tenant: str) -> Select[tuple[IntervalRow]]:
    return select(IntervalRow).where(IntervalRow.tenant == tenant, IntervalRow.superseded_at.is_(None))


def take_back(session: Session, tenant: str, service: str, origin: str, now: datetime) -> bool:
    """Of a use whose end `origin` recorded, what was believed before is believed again. False if that end is not believed now."""
    own = select(IntervalRow).where(
        IntervalRow.tenant == tenant, IntervalRow.service == service, IntervalRow.kind == "joined"
    )
    told = session.scalars(own.where(IntervalRow.origin == origin).order_by(IntervalRow.recorded_at)).all()
    ended = next((row for row in told if row.superseded_at is None), None)
    if ended is None:
        return False
    # What it ended was closed when it was first recorded: later rows of it only say the same again, around a merger.
    closed = session.scalars(
        own.where(IntervalRow.valid_from >= ended.valid_from, IntervalRow.superseded_at == told[0].recorded_at)
    ).all()
    if ended.recorded_at == now:
        session.delete(ended)  # believed at no moment
    else:
        ended.superseded_at = now
    spans = {row.valid_from: row.valid_until for row in closed} or {ended.valid_from: None}
    again = [Interval(tenant, service, "joined", start, until, now) for start, until in spans.items()]
    add_intervals(session, again, origin)
    session.flush()
    return True


def cut_of(session: Session, tenant: str, service: str, origin: str, closed_at: Collection[datetime]) -> bool:
    """Whether an end that `origin` recorded was cut short at one of these moments."""
    cut = select(IntervalRow.id).where(
        IntervalRow.tenant == tenant,
        IntervalRow.service == service,
        IntervalRow.origin == origin,
        IntervalRow.superseded_at.in_(closed_at),
    )
    return session.scalars(cut).first() is not None


def supersede(session: Session, tenant: str, service: str, now: datetime) -> None:
    """Nothing recorded about this tenant and service is believed any more: before a correction is recorded."""
    session.execute(
        update(IntervalRow)
        .where(IntervalRow.tenant == tenant, IntervalRow.service == service, IntervalRow.superseded_at.is_(None))
        .values(superseded_at=now)
    )


def as_interval(row: Any) -> Interval:
    """A row as the rules know it."""
    return Interval(
        row.tenant,
        row.service,
        row.kind,
        row.valid_from,
        row.valid_until,
        row.recorded_at,
        row.superseded_at,
    )
