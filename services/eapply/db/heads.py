"""Rows of which there is one: made by whoever comes first, however many come at once."""

from typing import Any, TypeVar

from sqlalchemy import inspect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from services.eapply.db.base import Base

Row = TypeVar("Row", bound=Base)


def locked(session: Session, model: type[Row], key: dict[str, Any], first: dict[str, Any]) -> Row:
    """The row of `key`, held until the transaction ends; with the values of `first` where there was none."""
    wanted = select(model).filter_by(**key).with_for_update()
    found = session.scalar(wanted)
    if found is None:
        added(session, model, key | first)
        found = session.scalars(wanted).one()
    return found


def added(session: Session, model: type[Row], values: dict[str, Any]) -> bool:
    """Whether this row is new. On PostgreSQL waits for another transaction that adds the same key, and is new when that one fails."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    key = next(iter(inspect(model).primary_key))
    statement = insert(model).values(**values).on_conflict_do_nothing().returning(key)
    return session.execute(statement).first() is not None
