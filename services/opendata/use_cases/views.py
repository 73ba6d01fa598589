"""How programs want a file to be looked at (CKAN's resource views). They stand with the file, in its `about`: seen by whom the file
is, copied, exported and deleted with it."""

from typing import Any

from sqlalchemy.orm import Session

from libs.common.errors import Invalid, NotFound
from libs.common.ids import new_id
from services.opendata.db import ResourceRow

KEY = "resource_views"
MOST = 50
View = dict[str, Any]


def of(about: dict[str, Any]) -> list[View]:
    """In their order."""
    return about.get(KEY) or []


def file_of(view_id: str) -> str:
    """The id of the file: a view's own begins with it."""
    return view_id.rpartition(".")[0]


def add(row: ResourceRow, said: View) -> View:
    """After those there are. Invalid when there are too many."""
    if len(of(row.about)) >= MOST:
        raise Invalid("resource_id", fields={"resource_id": f"no more than {MOST} views"})
    view = said | {"id": f"{row.id}.{new_id().replace('-', '')[-12:]}"}
    _write(row, [*of(row.about), view])
    return view


def change(row: ResourceRow, view_id: str, said: View) -> View:
    """What is said replaces all but the id and the type. NotFound for a view that is not there."""
    before = one(row.about, view_id)
    view = {"view_type": before["view_type"]} | said | {"id": view_id}
    _write(row, [view if each["id"] == view_id else each for each in of(row.about)])
    return view


def remove(row: ResourceRow, view_id: str) -> None:
    one(row.about, view_id)
    _write(row, [each for each in of(row.about) if each["id"] != view_id])


def order(row: ResourceRow, ids: list[str]) -> list[str]:
    """Those named first, in this order. Invalid for one that is not there or is named twice."""
    known = {each["id"]: each for each in of(row.about)}
    if len(set(ids)) < len(ids):
        raise Invalid("order", fields={"order": "No duplicates allowed in order"})
    if unknown := [each for each in ids if each not in known]:
        raise Invalid("order", fields={"order": f"View {unknown[0]} does not exist"})
    ordered = [*ids, *(each for each in known if each not in ids)]
    _write(row, [known[each] for each in ordered])
    return ordered


def clear(session: Session, rows: list[ResourceRow], types: list[str]) -> list[ResourceRow]:
    """Views of these types go (none named: all); the files that had some."""
    had = [row for row in rows if any(not types or each["view_type"] in types for each in of(row.about))]
    for row in had:
        _write(row, [each for each in of(row.about) if types and each["view_type"] not in types])
    session.flush()
    return had


def one(about: dict[str, Any], view_id: str) -> View:
    found = next((each for each in of(about) if each["id"] == view_id), None)
    if found is None:
        raise NotFound("Resource view was not found.", code="unknown-view")
    return found


def _write(row: ResourceRow, views: list[View]) -> None:
    about = {name: value for name, value in row.about.items() if name != KEY}
    row.about = about | ({KEY: views} if views else {})
