"""Whatever a municipality's data are: what the registry exports, imported into an empty one, is exported again to the byte."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.inspection import inspect
from sqlalchemy.orm import Session

from libs.common.clock import local_date
from libs.common.db import Database, UtcDateTime
from libs.common.tenancy import TenantTable
from libs.common.testing.service import NOW
from services.tenants.db.base import Base
from services.tenants.domain import catalogue
from services.tenants.tests.people import OOKI, load_fukuoka
from services.tenants.use_cases import members, own_rows, takeouts

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Rows = dict[str, list[dict[str, Any]]]
WORDS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
"""Every letter both databases keep: control characters, emoji, variants of family names."""
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(WORDS, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(WORDS, max_size=5), inner, max_size=3),
    max_leaves=6,
)
MEANT: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("requests", "state"): st.sampled_from(["done", "failed", "refused", "withdrawn"]),
    ("reservations", "state"): st.sampled_from(["refused", "cancelled", "removed"]),
    ("participation", "service"): st.sampled_from([service.key for service in catalogue.SERVICES]),
    ("participation", "valid_from"): st.dates(date(2010, 4, 1), date(2015, 3, 31)),
    ("participation", "valid_until"): st.dates(date(2015, 4, 1), date(2020, 3, 31)),
    ("members", "role"): st.sampled_from(sorted(members.ROLES)),
    ("pages", "kind"): st.sampled_from(["terms", "privacy", "accessibility"]),
    ("applications", "sequence"): st.just(0),
}
"""What the rules allow only some values of; what is under way does not move (its own test is `test_taking_in`)."""


def one_of(name: str, column: "Column[Any]", unique: bool) -> st.SearchStrategy[Any]:
    meant = MEANT.get((name, column.name))
    found = of_type(column, unique) if meant is None else meant
    return found if not column.nullable or unique or (name, column.name) in MEANT else st.none() | found


def of_type(column: "Column[Any]", unique: bool) -> st.SearchStrategy[Any]:
    kind = column.type
    if isinstance(kind, JSON):
        return st.lists(PLAIN, max_size=3) | st.dictionaries(st.text(WORDS, max_size=5), PLAIN, max_size=3)
    if isinstance(kind, UtcDateTime):
        return st.integers(0, 4 * 10**15).map(lambda late: EPOCH + timedelta(microseconds=late))
    if isinstance(kind, Date):
        return st.dates(date(1990, 1, 1), date(2090, 1, 1))
    if isinstance(kind, Boolean):
        return st.booleans()
    if isinstance(kind, LargeBinary):
        return st.binary(max_size=20)
    if isinstance(kind, Float):
        return st.floats(0, 1e12, allow_nan=False)
    if isinstance(kind, Integer):
        return st.integers(0, 2**62 if isinstance(kind, BigInteger) else 2**31 - 1)
    assert isinstance(kind, String | Text), f"{column} is of a kind this test does not know"
    if unique:
        return st.uuids().map(lambda ident: str(ident)[: kind.length or 36])
    return st.text(WORDS, max_size=min(kind.length or 40, 40))


def rows_of(name: str, model: type[Base]) -> st.SearchStrategy[list[dict[str, Any]]]:
    table = inspect(model).local_table
    alone = {c.name for c in table.primary_key} | {c.name for c in table.columns if c.unique}
    for constraint in table.constraints:
        alone |= {c.name for c in constraint.columns} if isinstance(constraint, UniqueConstraint) else set()
    told = {
        attribute.key: one_of(name, attribute.columns[0], attribute.columns[0].name in alone)
        for attribute in inspect(model).column_attrs
        if attribute.key not in ("tenant", "tenant_id")
    }
    keys = [attribute.key for attribute in inspect(model).column_attrs if attribute.columns[0].primary_key]
    key = [each for each in keys if each in told]
    if not key:  # one row for each municipality
        return st.lists(st.fixed_dictionaries(told), max_size=1)
    return st.lists(
        st.fixed_dictionaries(told), max_size=3, unique_by=lambda row: tuple(str(row[each]) for each in key)
    )


EVERYTHING = st.fixed_dictionaries(
    {name: rows_of(name, model) for name, model in takeouts.OWN.items() if name != "municipality"}
)


def add(session: Session, rows: Rows) -> None:
    for name, model in takeouts.OWN.items():
        for row in rows.get(name, []):
            own = {} if name == "request-steps" else {"tenant_id" if issubclass(model, TenantTable) else "tenant": OOKI}
            session.add(model(**row, **own))
        session.flush()


def settled(rows: Rows) -> Rows:
    """Steps belong to a request that is there, each with its own number; a slot is given free by its own id."""
    for row in rows["requests"]:
        row["slot"] = row["id"]
    steps = rows["request-steps"] if rows["requests"] else []
    for number, step in enumerate(steps, 1):
        step["request_id"], step["position"] = rows["requests"][0]["id"], number
    return rows | {"request-steps": steps}


def exported(session: Session) -> dict[str, bytes]:
    return {name: b"".join(takeouts.own_rows(session, OOKI, name)) for name in takeouts.OWN}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(EVERYTHING)
def test_an_export_imported_elsewhere_equals_the_original(database: Database, rows: Rows) -> None:
    with database.transaction() as session:
        known = takeouts.OWN["municipality"]
        empty = session.query(known).count() == 0
    if empty:
        load_fukuoka(database)
    with database.transaction(tenant=OOKI) as session:
        add(session, settled(rows))
        session.expire_all()
        before = exported(session)
        session.rollback()  # the same registry is the empty one of elsewhere
    lines = lambda name: iter(before[name].splitlines(keepends=True))  # noqa: E731
    with database.transaction(tenant=OOKI) as session:
        assert own_rows.problems(session, OOKI, lines, [], local_date(NOW)) == []
        own_rows.take_in(session, OOKI, partial(lines), NOW)
        session.expire_all()
        after = exported(session)
        session.rollback()
    assert [name for name in before if before[name] != after[name]] == []
    assert sum(content.count(b"\n") for name, content in before.items() if name != "municipality") == sum(
        map(len, rows.values())
    ) - (0 if rows["requests"] else len(rows["request-steps"]))
