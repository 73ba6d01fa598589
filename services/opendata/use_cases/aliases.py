"""Other names of tables (CKAN's DataStore aliases): `books` for the id of a file. Kept as vocabularies are, as groups of a kind of
their own whose title is the file's id: unique in the whole cloud, carried and deleted with the room."""

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.errors import Invalid, NotFound
from libs.common.ids import new_id
from services.opendata.db import GroupRow, PublishedGroupRow, PublishedResourceRow, PublishedRow, ResourceRow, published
from services.opendata.use_cases import directory

KIND = "alias"
LENGTH = 63
"""Characters; PostgreSQL's limit, which CKAN's clients know."""
_BEFORE = f"{KIND}:"
_BAD = re.compile(r'^[\s_]|["%\x00\ud800-\udfff]|\s$')


def find(session: Session, alias: str) -> str | None:
    """The id of the file, whether everybody may read it or not. Nothing is asked of the store that no store could keep."""
    if _bad(alias):
        return None
    query = select(PublishedGroupRow.title).where(
        PublishedGroupRow.name == _BEFORE + alias, PublishedGroupRow.kind == KIND
    )
    return session.scalar(query)


def of(session: Session, resource_id: str) -> list[str]:
    query = select(PublishedGroupRow.name).where(PublishedGroupRow.title == resource_id, PublishedGroupRow.kind == KIND)
    return sorted(name.removeprefix(_BEFORE) for name in session.scalars(query))


def file_of(session: Session, wanted: str) -> tuple[PublishedRow, str]:
    """The published data set and the id of its file, by this id or another name of it. NotFound for files nobody may read."""
    try:
        return published.dataset_of(session, wanted), wanted
    except NotFound:
        ident = find(session, wanted)
        if ident is None:
            raise
        return published.dataset_of(session, ident), ident


def check(session: Session, names: Sequence[str], resource_id: str | None) -> None:
    """Invalid for a name no table can have, and for one that another file has or is."""
    for name in names:
        if _bad(name):
            raise _refused(f'"{name}" is not a valid alias name')
        if _is_file(session, name) or _is_anothers(session, name, resource_id):
            raise _refused(f'The alias "{name}" already exists.')


def put(session: Session, resource_id: str, names: Sequence[str], now: datetime) -> None:
    """These are all other names of the session's municipality's file from now on."""
    check(session, names, resource_id)
    mine = select(GroupRow).where(GroupRow.kind == KIND)
    for row in session.scalars(mine.with_for_update()):
        name = row.name.removeprefix(_BEFORE)
        # None of its names any more, or the name of a file that is gone.
        if (row.title == resource_id) != (name in names):
            directory.purge_group(session, row, now)
    for name in dict.fromkeys(names):
        if find(session, name) is None:
            row = GroupRow(
                id=new_id(), kind=KIND, name=_BEFORE + name, title=resource_id, about={}, state="active", created_at=now
            )
            session.add(row)
            directory.publish_group(session, row)


def _bad(name: str) -> bool:
    return not 0 < len(name) <= LENGTH or _BAD.search(name) is not None


def _is_anothers(session: Session, name: str, resource_id: str | None) -> bool:
    """Another file's that is there, or another municipality's. The name of an own file that is gone is free."""
    other = find(session, name)
    if other is None:
        return False
    own = session.scalar(select(GroupRow.id).where(GroupRow.name == _BEFORE + name)) is not None
    return not own or (other != resource_id and _is_file(session, other))


def _is_file(session: Session, ident: str) -> bool:
    own = select(ResourceRow.id).where(ResourceRow.id == ident)
    return session.get(PublishedResourceRow, ident) is not None or session.scalar(own) is not None


def _refused(message: str) -> Invalid:
    return Invalid(message, fields={"alias": message}, code="datastore")
