"""Questions about what everybody may read. Withdrawn and closed data sets answer only where it says so."""

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from libs.common.db import Database
from libs.common.errors import Gone, NotFound, say
from libs.common.room import RoomRow
from services.opendata.db.tables import CatalogueRow, PublishedResourceRow, PublishedRow
from services.opendata.kept import Kept


def change(session: Session) -> int:
    """How many changes the catalogue has had."""
    return session.scalar(select(CatalogueRow.change)) or 0


def next_change(session: Session) -> int:
    """The number of this transaction's change. Until it ends nobody else gets one: numbers appear in their order."""
    row = session.get(CatalogueRow, 1, with_for_update=True)
    assert row is not None, "the migration makes it"
    row.change += 1
    return row.change


def since(session: Session, known: int) -> Iterator[PublishedRow]:
    """What has changed since, withdrawn ones too."""
    query = select(PublishedRow).where(PublishedRow.change > known).order_by(PublishedRow.change)
    yield from session.scalars(query.execution_options(yield_per=500))


def places(session: Session) -> dict[str, tuple[str, str]]:
    """Tenant → (code, name) of every municipality that has ever had a room here."""
    return {row.tenant: (row.code or row.tenant, row.name or row.tenant) for row in session.scalars(select(RoomRow))}


_BY_NAME_OR_ID = select(PublishedRow.id, PublishedRow.change, PublishedRow.tenant, PublishedRow.state).where(
    (PublishedRow.id == bindparam("wanted")) | (PublishedRow.name == bindparam("wanted"))
)
_BY_FILE = (
    select(PublishedRow.id, PublishedRow.change)
    .join(PublishedResourceRow, PublishedResourceRow.dataset_id == PublishedRow.id)
    .where(PublishedResourceRow.id == bindparam("wanted"))
)
_BY_ID = select(PublishedRow).where(PublishedRow.id == bindparam("id"))
_MANY = select(PublishedRow).where(
    PublishedRow.id.in_(bindparam("ids", expanding=True)), PublishedRow.state == "published"
)
"""Made once: every page and every call of the interface asks them."""

_read: WeakKeyDictionary[Any, Kept] = WeakKeyDictionary()
"""Store → rows read last, by id and number of change: a document is parsed once, however often it is asked for."""
ROWS_KEPT, WIDEST = 512, 300
"""Columns of all files of a data set that is kept: wider ones are few and large."""


def head(database: Database, name_or_id: str) -> Row[Any] | None:
    """`id, change, tenant, state` by id or name: whether what is kept of a data set is still what it is."""
    return database.first(_BY_NAME_OR_ID, wanted=name_or_id)


def find(session: Session, name_or_id: str) -> PublishedRow | None:
    """By id or name, whatever its state. For reading: it belongs to no session."""
    return _row(session, _BY_NAME_OR_ID, name_or_id)


def _row(session: Session, query: Any, wanted: str) -> PublishedRow | None:
    head = session.execute(query, {"wanted": wanted}).first()
    if head is None:
        return None
    store: Any = session.get_bind()
    if not store.get_execution_options().get("reading"):  # what a transaction sees of itself may never come to be
        return session.scalars(_BY_ID, {"id": head.id}).one()
    rows = _read.setdefault(store, Kept(ROWS_KEPT, measure=lambda _: 1))
    row: PublishedRow | None = rows.get((head.id, head.change))
    if row is None:
        row = session.scalars(_BY_ID, {"id": head.id}).one()
        session.expunge(row)
        if sum(len(each.get("columns", ())) for each in row.document.get("resources", ())) <= WIDEST:
            rows.put((row.id, row.change), row)
    return row


def get(session: Session, name_or_id: str) -> PublishedRow:
    """A data set everybody may read. NotFound for all others; Gone, with the reason, where it once could be read."""
    row = find(session, name_or_id)
    if row is None or row.state in ("closed", "deleted"):
        raise NotFound(say("このデータセットは見つかりません。アドレスをお確かめください。"), code="unknown-dataset")
    if row.state != "published":
        raise _gone(row)
    return row


def _gone(row: PublishedRow) -> Gone:
    reason = row.document.get("reason", "")
    return Gone(say("このデータセットは、公開を取りやめました。理由：%(reason)s", reason=reason), code="withdrawn")


def dataset_of(session: Session, resource_id: str) -> PublishedRow:
    """The published data set the file belongs to. NotFound for files nobody may read; Gone as in `get`."""
    row = _row(session, _BY_FILE, resource_id)
    if row is not None and row.state == "withdrawn":
        raise _gone(row)
    if row is None or row.state != "published":
        raise NotFound(say("このファイルは見つかりません。"), code="unknown-resource")
    return row


def resource_in(row: PublishedRow, resource_id: str) -> dict[str, Any]:
    """The file's part of the data set's document."""
    found = next((each for each in row.document["resources"] if each["id"] == resource_id), None)
    if found is None:
        raise NotFound(say("このファイルは見つかりません。"), code="unknown-resource")
    return found


def many(session: Session, ids: list[str]) -> list[PublishedRow]:
    """In the order of `ids`; those that cannot be read are left out."""
    found = {row.id: row for row in session.scalars(_MANY, {"ids": ids})}
    return [found[id_] for id_ in ids if id_ in found]


def of_tenant(session: Session, tenant: str) -> list[PublishedRow]:
    return list(session.scalars(select(PublishedRow).where(PublishedRow.tenant == tenant)))
