"""Questions about a municipality's own data sets. The session's tenant stands in every one of them."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from libs.common.errors import NotFound
from services.opendata.db.tables import DatasetRow, DraftRow, ResourceRow, VersionRow


def by_id(session: Session, dataset_id: str, *, lock: bool = False) -> DatasetRow:
    """NotFound if the municipality has none with this id."""
    query = select(DatasetRow).where(DatasetRow.id == dataset_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound("このデータセットは見つかりません。", code="unknown-dataset")
    return row


def by_name(session: Session, name: str) -> DatasetRow | None:
    return session.scalar(select(DatasetRow).where(DatasetRow.name == name))


def listed(session: Session) -> list[DatasetRow]:
    """All, the last changed first."""
    return list(session.scalars(select(DatasetRow).order_by(DatasetRow.modified_at.desc(), DatasetRow.id)))


def resources(session: Session, dataset_id: str) -> list[ResourceRow]:
    query = select(ResourceRow).where(ResourceRow.dataset_id == dataset_id)
    return list(session.scalars(query.order_by(ResourceRow.position, ResourceRow.id)))


def resource(session: Session, resource_id: str) -> ResourceRow:
    row = session.scalar(select(ResourceRow).where(ResourceRow.id == resource_id))
    if row is None:
        raise NotFound("このファイルは見つかりません。", code="unknown-resource")
    return row


def versions(session: Session, resource_id: str) -> list[VersionRow]:
    """The youngest first."""
    query = select(VersionRow).where(VersionRow.resource_id == resource_id)
    return list(session.scalars(query.order_by(VersionRow.number.desc())))


def version(session: Session, resource_id: str, number: int) -> VersionRow:
    query = select(VersionRow).where(VersionRow.resource_id == resource_id, VersionRow.number == number)
    row = session.scalar(query)
    if row is None:
        raise NotFound("この版は見つかりません。", code="unknown-version")
    return row


def draft(session: Session, draft_id: str, *, lock: bool = False) -> DraftRow:
    query = select(DraftRow).where(DraftRow.id == draft_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound("この下書きは見つかりません。公開が済んだか、消された下書きです。", code="unknown-draft")
    return row


def drafts(session: Session) -> list[DraftRow]:
    return list(session.scalars(select(DraftRow).order_by(DraftRow.created_at.desc())))


def published_count(session: Session) -> int:
    """How many data sets of the session's municipality everybody can read."""
    query = select(func.count()).select_from(DatasetRow).where(DatasetRow.state == "published")
    return session.scalar(query) or 0
