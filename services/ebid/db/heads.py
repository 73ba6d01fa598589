"""Rows of which there is one: made by whoever comes first, however many come at once, then locked."""

from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from services.ebid.db.base import Base

Row = TypeVar("Row", bound=Base)


def locked(session: Session, model: type[Row], key: dict[str, Any], first: dict[str, Any]) -> Row:
    """The row of `key`, held until the transaction ends; with the values of `first` where there was none."""
    wanted = select(model).filter_by(**key).with_for_update()
    found = session.scalar(wanted)
    if found is None:
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        session.execute(insert(model).values(**key, **first).on_conflict_do_nothing())
        found = session.scalars(wanted).one()
    return found
