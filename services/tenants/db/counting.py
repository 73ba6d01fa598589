"""The counts asked of the database: only what held on the day, as believed then, is read. `domain/subscriptions.py` says the same
in plain Python; a property test compares the two."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, literal_column, or_, select
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
JOINED = literal_column("'joined'")
"""Said in the statement itself: with a bound value no planner knows that the index of what is joined holds all that is asked for."""


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
        .where(INTERVALS.kind == JOINED, _held(INTERVALS, day), _believed(INTERVALS, known_at))
        .group_by(INTERVALS.service)
    )
    return {service: set(joined.split(",")) for service, joined in session.execute(statement).tuples()}


def spans(session: Session, known_at: datetime | None = None) -> dict[str, list[str]]:
    """Service → what is believed of who had joined, by tenant and first day, cut to the days on which the municipality was. Each is a
    text: the tenant's six digits, the first day, the first day no longer (`FOREVER` where it goes on), as in ISO 8601, which sorts
    alike. Thirty thousand of them in one answer of the database are no place for rows, nor for dates."""
    lives: dict[str, list[tuple[str, str]]] = {}
    states = select(STATES.tenant, _text(STATES.valid_from), _text(STATES.valid_until))
    own = states.where(STATES.kind != PREFECTURE, _believed(STATES, known_at))
    for tenant, start, until in session.execute(own).tuples():
        lives.setdefault(tenant, []).append((start or "", until or FOREVER))
    # Put together here, not by the database: that of a register just imported, which has no statistics yet, walked one table once for
    # each line of the other.
    return {
        service: sorted(part for span in joined if (life := lives.get(span[:6])) for part in _cut(span, life))
        for service, joined in _joined(session, known_at).items()
    }


FOREVER = "9999-12-31"
ALWAYS = [("", FOREVER)]
"""The life of nearly all."""


def _joined(session: Session, known_at: datetime | None) -> dict[str, list[str]]:
    one = INTERVALS.tenant + _text(INTERVALS.valid_from) + func.coalesce(_text(INTERVALS.valid_until), FOREVER)
    some_day = or_(INTERVALS.valid_until.is_(None), INTERVALS.valid_until > INTERVALS.valid_from)
    statement = (
        select(INTERVALS.service, func.aggregate_strings(one, ","))
        .where(INTERVALS.kind == JOINED, some_day, _believed(INTERVALS, known_at))
        .group_by(INTERVALS.service)
    )
    return {service: joined.split(",") for service, joined in session.execute(statement).tuples()}


def _cut(span: str, lives: list[tuple[str, str]]) -> Iterable[str]:
    return (span,) if lives == ALWAYS else _parts(span, lives)


def _parts(span: str, lives: list[tuple[str, str]]) -> Iterator[str]:
    for begin, end in lives:
        first, last = max(span[6:16], begin), min(span[16:], end)
        if first < last:
            yield span[:6] + first + last


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
