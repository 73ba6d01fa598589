"""The counts asked of the database: only what held on the day, as believed then, is read. `domain/subscriptions.py` says the same
in plain Python; a property test compares the two."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from services.tenants.db.registry import MunicipalityRow
from services.tenants.db.subscriptions import IntervalRow
from services.tenants.domain.municipality import Municipality

STATES, INTERVALS = MunicipalityRow.__table__.c, IntervalRow.__table__.c
"""Columns of the tables themselves: what is read here is many rows of few columns, and no objects are needed."""
Columns = ReadOnlyColumnCollection[str, Any]
STATE_FIELDS = [STATES["tenant" if f.name == "tenant_id" else f.name] for f in fields(Municipality)]
"""The columns of a state in the order in which the rules' dataclass takes them: ten thousand rows are no place for names."""
PREFECTURE = "都道府県"


def states_on(session: Session, day: date, known_at: datetime | None = None) -> dict[str, Municipality]:
    """The municipalities that existed on `day`, once each and by code; without the prefecture."""
    statement = select(*STATE_FIELDS).where(STATES.kind != PREFECTURE, _held(STATES, day), _believed(STATES, known_at))
    found = session.execute(statement.order_by(STATES.code, STATES.recorded_at)).tuples()
    return {row[0]: Municipality(*row) for row in found}


def joined_on(session: Session, day: date, known_at: datetime | None = None) -> dict[str, set[str]]:
    """Service → tenants that had joined on `day`; also those that did not exist then (the caller has who existed)."""
    tenants = func.aggregate_strings(INTERVALS.tenant, ",")
    statement = (
        select(INTERVALS.service, tenants)
        .where(INTERVALS.kind == "joined", _held(INTERVALS, day), _believed(INTERVALS, known_at))
        .group_by(INTERVALS.service)
    )
    return {service: set(joined.split(",")) for service, joined in session.execute(statement).tuples()}


def spans(session: Session, known_at: datetime | None = None) -> Iterator[tuple[str, str, str, str]]:
    """(service, tenant, first day, first day no longer: `FOREVER` where it goes on) of what is believed, by service, tenant and first
    day, cut to the days on which the municipality was. Days are texts as in ISO 8601, which sort alike: thirty thousand rows are no
    place for dates."""
    lives: dict[str, list[tuple[str, str]]] = {}
    states = select(STATES.tenant, _text(STATES.valid_from), _text(STATES.valid_until)).where(
        STATES.kind != PREFECTURE, _believed(STATES, known_at)
    )
    for tenant, start, until in session.execute(states).tuples():
        lives.setdefault(tenant, []).append((start or "", until or FOREVER))
    columns = (INTERVALS.service, INTERVALS.tenant, _text(INTERVALS.valid_from), _text(INTERVALS.valid_until))
    statement = select(*columns).where(INTERVALS.kind == "joined", _believed(INTERVALS, known_at))
    ordered = statement.order_by(INTERVALS.service, INTERVALS.tenant, INTERVALS.valid_from)
    for service, tenant, start, until in session.execute(ordered).tuples().all():
        until = until or FOREVER
        for begin, end in lives.get(tenant, ()):
            first, last = start if start > begin else begin, until if until < end else end
            if first < last:
                yield service, tenant, first, last


FOREVER = "9999-12-31"


def _text(day: Any) -> Any:
    """A day as SQLite keeps it and PostgreSQL prints it: 2018-04-01."""
    return cast(day, String(10))


def _held(table: Columns, day: date) -> ColumnElement[bool]:
    begun: Any = or_(table.valid_from.is_(None), table.valid_from <= day)
    return and_(begun, or_(table.valid_until.is_(None), table.valid_until > day))


def _believed(table: Columns, known_at: datetime | None) -> ColumnElement[bool]:
    if known_at is None:
        return table.superseded_at.is_(None)
    return and_(table.recorded_at <= known_at, or_(table.superseded_at.is_(None), table.superseded_at > known_at))
