"""A municipality's data set, as everybody reads it: made anew at each change, in the transaction of the change.

The only writer of PublishedRow; and only of rows of the session's own municipality.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from libs.common.errors import Conflict
from services.opendata.db import (
    DatasetRow,
    GroupRow,
    PublishedResourceRow,
    PublishedRow,
    ResourceRow,
    UseRow,
    VersionRow,
    datasets,
    published,
)


def project(session: Session, dataset: DatasetRow, now: datetime) -> PublishedRow:
    """Publish the present state of `dataset`. Conflict if another municipality's data set has its name."""
    told, change = document(session, dataset), published.next_change(session)
    row = session.get(PublishedRow, dataset.id, with_for_update=True)
    if row is None:
        _check_name(session, dataset)
        row = PublishedRow(id=dataset.id, tenant=_tenant(session))
    _check_ours(session, row)
    row.name, row.state, row.document, row.change = dataset.name, dataset.state, told, change
    row.modified_at = _after_all_others(session, now)
    session.add(row)
    session.flush()
    _project_resources(session, row)
    return row


def _after_all_others(session: Session, now: datetime) -> datetime:
    """The moment of this change, later than that of every other of the municipality: changes are numbered one after the other
    (`next_change`), but `now` is when the work on this one began, and a slow one is overtaken. Events tell this moment,
    and who counts by them believes the latest."""
    latest = session.scalar(select(func.max(PublishedRow.modified_at)).where(PublishedRow.tenant == _tenant(session)))
    return now if latest is None or latest < now else latest + timedelta(microseconds=1)


def _project_resources(session: Session, row: PublishedRow) -> None:
    # Of what was withdrawn its files' addresses say so, and why.
    told = row.state in ("published", "withdrawn")
    ids = {each["id"] for each in row.document["resources"]} if told else set()
    session.execute(delete(PublishedResourceRow).where(PublishedResourceRow.dataset_id == row.id))
    session.add_all(PublishedResourceRow(id=id_, dataset_id=row.id) for id_ in sorted(ids))


def close(session: Session, state: str) -> int:
    """All of the municipality's published data sets become `state`: closed while its room is, published again after."""
    before = "published" if state == "closed" else "closed"
    rows = [row for row in published.of_tenant(session, _tenant(session)) if row.state == before]
    for row in rows:
        row.state, row.change = state, published.next_change(session)
    return len(rows)


def forget(session: Session, rows: list[PublishedRow]) -> None:
    """Take everything away: the room is deleted. An empty row stays behind, for the copies of the catalogue in memory."""
    for row in rows:
        _check_ours(session, row)
        session.execute(delete(UseRow).where(UseRow.dataset_id == row.id))
        session.execute(delete(PublishedResourceRow).where(PublishedResourceRow.dataset_id == row.id))
        row.state, row.document, row.name = "deleted", {}, row.id
        row.change = published.next_change(session)


def document(session: Session, dataset: DatasetRow) -> dict[str, Any]:
    """Everything the public pages and interfaces say of a data set."""
    found = [_resource(session, row) for row in datasets.resources(session, dataset.id)]
    owner = dataset.about.get("owner_org")
    return {
        "id": dataset.id, "name": dataset.name, "title": dataset.title, "notes": dataset.notes, "theme": dataset.theme,
        "license": dataset.license, "frequency": dataset.frequency, "kind": dataset.kind, "tags": dataset.tags,
        "about": dataset.about, "version": dataset.version, "reason": dataset.reason,
        "created": dataset.created_at.isoformat(), "modified": dataset.modified_at.isoformat(), "resources": found,
        "owner": next(iter(_groups(session, [owner] if owner else [])), None),
        "groups": _groups(session, dataset.about.get("groups", [])),
    }  # fmt: skip


def _groups(session: Session, ids: list[str]) -> list[dict[str, str]]:
    """Divisions and collections as they stand with a data set."""
    found = session.scalars(select(GroupRow).where(GroupRow.id.in_(ids), GroupRow.state == "active")) if ids else ()
    return [
        {"id": row.id, "name": row.name, "title": row.title or row.name, "description": row.about.get("description", ""),
         "image_url": row.about.get("image_url", "")} for row in found
    ]  # fmt: skip


def _resource(session: Session, row: ResourceRow) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": row.id, "name": row.name, "description": row.description, "format": row.format, "url": row.url,
        "version": row.version, "about": row.about, "created": row.created_at.isoformat(),
        "modified": row.modified_at.isoformat(), "position": row.position,
    }  # fmt: skip
    return told | (_version(datasets.version(session, row.id, row.version)) if row.version else {})


def _version(row: VersionRow) -> dict[str, Any]:
    return {
        "file": row.file_id, "table": row.table_id, "filename": row.filename, "media_type": row.media_type,
        "size": row.size, "sha256": row.sha256, "rows": row.rows, "columns": row.columns, "repaired": row.repaired,
        "conformance": row.report.get("conformance"), "points": row.report.get("points"),
        "where": row.report.get("where", []), "when": row.report.get("when", []),
        "readability": row.report.get("readability"),
        "published": row.published_at.isoformat(),
    }  # fmt: skip


def _tenant(session: Session) -> str:
    return session.info["tenant"]


def _check_ours(session: Session, row: PublishedRow) -> None:
    if row.tenant != _tenant(session):
        raise Conflict("ほかの自治体のデータセットです。", code="another-tenant")


def _check_name(session: Session, dataset: DatasetRow) -> None:
    if published.find(session, dataset.name) is not None:
        raise Conflict("この名前は、ほかのデータセットで使われています。", code="name-taken")
