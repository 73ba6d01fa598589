"""Rows of which there is one: made by whoever comes first, however many come at once, then locked."""

from typing import Any, TypeVar

from sqlalchemy import Select, inspect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session

Row = TypeVar("Row", bound=DeclarativeBase)


def locked(session: Session, model: type[Row], key: dict[str, Any], first: dict[str, Any]) -> Row:
    """The row of `key`, held until the transaction ends; with the values of `first` where there was none."""
    return _made(session, model, select(model).filter_by(**key).with_for_update(), key | first)


def joined(session: Session, model: type[Row], key: dict[str, Any], first: dict[str, Any]) -> Row:
    """The same beside others that join, who may change what is no key; not beside who holds it by `locked`."""
    return _made(session, model, select(model).filter_by(**key).with_for_update(read=True, key_share=True), key | first)


def _made(session: Session, model: type[Row], wanted: Select[tuple[Row]], values: dict[str, Any]) -> Row:
    found = session.scalar(wanted)
    if found is None:
        added(session, model, values)
        found = session.scalars(wanted).one()
    return found


def added(session: Session, model: type[Row], values: dict[str, Any]) -> bool:
    """Whether this row is new. On PostgreSQL waits for another transaction that adds the same key, and is new when that one fails."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    key = next(iter(inspect(model).primary_key))
    statement = insert(model).values(**values).on_conflict_do_nothing().returning(key)
    return session.execute(statement).first() is not None
