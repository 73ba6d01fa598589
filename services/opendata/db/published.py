"""Questions about what everybody may read. Withdrawn and closed data sets answer only where it says so."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from libs.common.errors import NotFound
from libs.common.room import RoomRow
from services.opendata.db.tables import CatalogueRow, PublishedResourceRow, PublishedRow


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


_BY_NAME_OR_ID = select(PublishedRow).where(
    (PublishedRow.id == bindparam("wanted")) | (PublishedRow.name == bindparam("wanted"))
)
_MANY = select(PublishedRow).where(
    PublishedRow.id.in_(bindparam("ids", expanding=True)), PublishedRow.state == "published"
)
"""Made once: every page and every call of the interface asks them."""


def find(session: Session, name_or_id: str) -> PublishedRow | None:
    """By id or name, whatever its state."""
    return session.scalar(_BY_NAME_OR_ID, {"wanted": name_or_id})


def get(session: Session, name_or_id: str) -> PublishedRow:
    """A data set everybody may read. NotFound for all others; `code` is "withdrawn" where it once could be read."""
    row = find(session, name_or_id)
    if row is None or row.state in ("closed", "deleted"):
        raise NotFound("このデータセットは見つかりません。アドレスをお確かめください。", code="unknown-dataset")
    if row.state != "published":
        reason = row.document.get("reason", "")
        raise NotFound(f"このデータセットは、公開を取りやめました。理由：{reason}", code="withdrawn")
    return row


def dataset_of(session: Session, resource_id: str) -> PublishedRow:
    """The published data set the file belongs to. NotFound for files nobody may read."""
    found = session.get(PublishedResourceRow, resource_id)
    row = session.get(PublishedRow, found.dataset_id) if found else None
    if row is None or row.state != "published":
        raise NotFound("このファイルは見つかりません。", code="unknown-resource")
    return row


def resource_in(row: PublishedRow, resource_id: str) -> dict[str, Any]:
    """The file's part of the data set's document."""
    found = next((each for each in row.document["resources"] if each["id"] == resource_id), None)
    if found is None:
        raise NotFound("このファイルは見つかりません。", code="unknown-resource")
    return found


def many(session: Session, ids: list[str]) -> list[PublishedRow]:
    """In the order of `ids`; those that cannot be read are left out."""
    found = {row.id: row for row in session.scalars(_MANY, {"ids": ids})}
    return [found[id_] for id_ in ids if id_ in found]


def of_tenant(session: Session, tenant: str) -> list[PublishedRow]:
    return list(session.scalars(select(PublishedRow).where(PublishedRow.tenant == tenant)))
