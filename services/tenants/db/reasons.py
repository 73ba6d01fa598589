"""Why a municipality has not joined a service, as the council heard it. Rows are superseded, never changed."""

from datetime import datetime

from sqlalchemy import Index, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.ids import new_id
from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base


class ReasonRow(SharedTable, Base):
    """`kind`: own_system, budget, staff, planned, unneeded, other."""

    __tablename__ = "not_yet_reasons"
    __shared_because__ = "the council's own notes on whom to invite and how"
    __table_args__ = (Index(None, "service", "tenant"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(String(6))
    service: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(String(2000))
    heard_by: Mapped[str] = mapped_column(String(36))
    heard_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]


def present(session: Session, service: str) -> dict[str, ReasonRow]:
    """Tenant → the reason that stands now."""
    statement = select(ReasonRow).where(ReasonRow.service == service, ReasonRow.superseded_at.is_(None))
    return {row.tenant: row for row in session.scalars(statement)}


def of_town(session: Session, service: str, tenant: str) -> list[ReasonRow]:
    """Every reason heard, the latest first."""
    statement = select(ReasonRow).where(ReasonRow.service == service, ReasonRow.tenant == tenant)
    return list(session.scalars(statement.order_by(ReasonRow.heard_at.desc())))


def replace(session: Session, row: ReasonRow) -> None:
    session.execute(
        update(ReasonRow)
        .where(ReasonRow.service == row.service, ReasonRow.tenant == row.tenant, ReasonRow.superseded_at.is_(None))
        .values(superseded_at=row.heard_at)
    )
    session.add(row)
    session.flush()
