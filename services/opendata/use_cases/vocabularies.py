"""Vocabularies: lists of words that a program offers for choosing. Kept as groups are (kind `vocabulary`): shown to everybody, carried
and deleted with the room. A group's name has no colon, so that a vocabulary takes no group's name."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.errors import Invalid, NotFound
from libs.common.ids import new_id
from services.opendata.db import GroupRow, PublishedGroupRow
from services.opendata.use_cases import directory

KIND = "vocabulary"
LENGTH = (2, 80)
"""Characters of its name."""
_BEFORE = f"{KIND}:"
Word = dict[str, Any]


def every(session: Session) -> list[PublishedGroupRow]:
    query = select(PublishedGroupRow).where(PublishedGroupRow.kind == KIND)
    return list(session.scalars(query.order_by(PublishedGroupRow.title)))


def find(session: Session, name_or_id: str) -> PublishedGroupRow | None:
    """Anybody's."""
    query = select(PublishedGroupRow).where(
        (PublishedGroupRow.id == name_or_id) | (PublishedGroupRow.name == _BEFORE + name_or_id),
        PublishedGroupRow.kind == KIND,
    )
    return session.scalar(query)


def get(session: Session, name_or_id: str) -> GroupRow:
    """One's own, for changing. NotFound for another's, too."""
    query = select(GroupRow).where(
        (GroupRow.id == name_or_id) | (GroupRow.name == _BEFORE + name_or_id), GroupRow.kind == KIND
    )
    found = session.scalar(query.with_for_update())
    if found is None:
        raise NotFound(f'Could not find vocabulary "{name_or_id}"', code="unknown-vocabulary")
    return found


def create(session: Session, name: str, words: list[str], now: datetime) -> GroupRow:
    """Invalid for a name that is taken, too short or too long."""
    _check_name(session, name, None)
    row = GroupRow(id=new_id(), kind=KIND, name=_BEFORE + name, title=name, about={}, state="active", created_at=now)
    session.add(row)
    _write(session, row, words)
    return row


def change(session: Session, row: GroupRow, name: str | None, words: list[str] | None) -> None:
    """None: as it was."""
    if name is not None:
        _check_name(session, name, row.id)
        row.name, row.title = _BEFORE + name, name
    _write(session, row, [each["name"] for each in words_of(row)] if words is None else words)


def delete(session: Session, row: GroupRow, now: datetime) -> None:
    directory.purge_group(session, row, now)


def words_of(row: GroupRow | PublishedGroupRow) -> list[Word]:
    """`id` and `name` of each."""
    return row.about.get("words", [])


def _write(session: Session, row: GroupRow, words: list[str]) -> None:
    """A word that stays keeps its id."""
    known = {each["name"]: each for each in words_of(row)}
    row.about = {"words": [known.get(name) or {"id": new_id(), "name": name} for name in dict.fromkeys(words)]}
    directory.publish_group(session, row)


def _check_name(session: Session, name: str, own: str | None) -> None:
    if not LENGTH[0] <= len(name) <= LENGTH[1]:
        raise Invalid("name", fields={"name": f"Name must be {LENGTH[0]} to {LENGTH[1]} characters long"})
    taken = find(session, name)
    if taken is not None and taken.id != own:
        raise Invalid("name", fields={"name": "That vocabulary name is already in use."})
