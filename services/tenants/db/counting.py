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
    own = and_(STATES.kind != PREFECTURE, _believed(STATES, known_at))
    always = (
        select(STATES.tenant)
        .where(own)
        .group_by(STATES.tenant)
        .having(func.count() == 1, func.max(STATES.valid_from).is_(None), func.max(STATES.valid_until).is_(None))
    )
    states = select(STATES.tenant, _text(STATES.valid_from), _text(STATES.valid_until))
    lives: dict[str, list[tuple[str, str]]] = {}
    for tenant, start, until in session.execute(states.where(own, STATES.tenant.not_in(always))).tuples():
        lives.setdefault(tenant, []).append((start or "", until or FOREVER))
    # Nearly all are among these: asked for by its own index, each would be looked up in the table.
    found = _joined(session, (INTERVALS.tenant + "").in_(always), known_at)
    for service, spans_of in _joined(session, INTERVALS.tenant.in_(list(lives)), known_at).items():
        found.setdefault(service, []).extend(part for span in spans_of for part in _cut(span, lives[span[:6]]))
    return {service: sorted(own_spans) for service, own_spans in found.items()}


def _joined(session: Session, chosen: ColumnElement[bool], known_at: datetime | None) -> dict[str, list[str]]:
    one = INTERVALS.tenant + _text(INTERVALS.valid_from) + func.coalesce(_text(INTERVALS.valid_until), FOREVER)
    some_day = or_(INTERVALS.valid_until.is_(None), INTERVALS.valid_until > INTERVALS.valid_from)
    statement = (
        select(INTERVALS.service, func.aggregate_strings(one, ","))
        .where(INTERVALS.kind == JOINED, some_day, chosen, _believed(INTERVALS, known_at))
        .group_by(INTERVALS.service)
    )
    return {service: joined.split(",") for service, joined in session.execute(statement).tuples()}


def _cut(span: str, lives: Iterable[tuple[str, str]]) -> Iterator[str]:
    for begin, end in lives:
        first, last = max(span[6:16], begin), min(span[16:], end)
        if first < last:
            yield span[:6] + first + last


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
