"""What is fetched by itself: files renewed from an address or a folder, catalogues read from elsewhere."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKeyConstraint, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import Json
from libs.common.errors import NotFound
from libs.common.tenancy import TenantTable
from services.opendata.db.tables import ID, Base


class ScheduleRow(TenantTable, Base):
    """A file that renews itself. `state`: "" (not yet), same, published, waiting (a clerk has to look), failed.

    `url` is an address, or `folder:<name>` for a file in the municipality's drop folder. `known`: etag, last_modified, sha256.
    """

    __tablename__ = "schedules"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "resource_id"], ["resources.tenant_id", "resources.id"], name="schedule_of_resource"
        ),
    )

    resource_id: Mapped[str] = mapped_column(ID, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    every: Mapped[str] = mapped_column(String(10))
    next_at: Mapped[datetime]
    last_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(10))
    message: Mapped[str] = mapped_column(Text)
    failures: Mapped[int]
    known: Mapped[dict[str, Any]] = mapped_column(Json)
    created_by: Mapped[str] = mapped_column(String(100))


class HarvestRow(TenantTable, Base):
    """A catalogue read from elsewhere. `kind`: ckan, dcat or csv. `state`: "" (not yet), running, done, failed.

    `counts`: found, new, changed, same, gone, refused. Its data sets carry `about.harvest` = {source, guid, sum}.
    """

    __tablename__ = "harvests"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    url: Mapped[str] = mapped_column(Text)
    every: Mapped[str] = mapped_column(String(10))
    next_at: Mapped[datetime]
    last_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(10))
    message: Mapped[str] = mapped_column(Text)
    counts: Mapped[dict[str, int]] = mapped_column(Json)
    created_by: Mapped[str] = mapped_column(String(100))


def schedules(session: Session) -> dict[str, ScheduleRow]:
    """By file."""
    return {row.resource_id: row for row in session.scalars(select(ScheduleRow))}


def schedule(session: Session, resource_id: str, *, lock: bool = False) -> ScheduleRow | None:
    query = select(ScheduleRow).where(ScheduleRow.resource_id == resource_id)
    return session.scalar(query.with_for_update() if lock else query)


def due_schedules(session: Session, now: datetime) -> list[ScheduleRow]:
    return list(session.scalars(select(ScheduleRow).where(ScheduleRow.next_at <= now).order_by(ScheduleRow.next_at)))


def harvests(session: Session) -> list[HarvestRow]:
    return list(session.scalars(select(HarvestRow).order_by(HarvestRow.url)))


def harvest(session: Session, harvest_id: str, *, lock: bool = False) -> HarvestRow:
    query = select(HarvestRow).where(HarvestRow.id == harvest_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound("この収集元は見つかりません。", code="unknown-harvest")
    return row


def due_harvests(session: Session, now: datetime) -> list[HarvestRow]:
    return list(session.scalars(select(HarvestRow).where(HarvestRow.next_at <= now)))
