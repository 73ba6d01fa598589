"""Announced maintenance: when which services rest, and why."""

from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base


class MaintenanceRow(SharedTable, Base):
    """`service` is a key of the catalogue, "" for everything."""

    __tablename__ = "maintenances"
    __shared_because__ = "announced to everybody on the status page"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    service: Mapped[str] = mapped_column(String(40))
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime] = mapped_column(index=True)
    text: Mapped[str] = mapped_column(String(2000))
    announced_by: Mapped[str] = mapped_column(String(36))
    announced_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]


def ending_after(session: Session, moment: datetime, *, cancelled: bool = False) -> list[MaintenanceRow]:
    """In the order in which they begin; `cancelled`: those that were called off too."""
    statement = select(MaintenanceRow).where(MaintenanceRow.ends_at > moment).order_by(MaintenanceRow.begins_at)
    return list(session.scalars(statement if cancelled else statement.where(MaintenanceRow.cancelled_at.is_(None))))


def find(session: Session, ident: str) -> MaintenanceRow:
    row = session.get(MaintenanceRow, ident, with_for_update=True)
    if row is None:
        raise NotFound(say("このお知らせは見つかりません。"))
    return row
