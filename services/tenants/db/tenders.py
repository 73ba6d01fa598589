"""Tenders as the e-bidding service told of them."""

from datetime import datetime

from sqlalchemy import BigInteger, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base


class TenderRow(SharedTable, Base):
    """A published tender. `outcome`: awarded or failed, None while it runs; `amount` in yen, tax included."""

    __tablename__ = "tenders"
    __shared_because__ = "published figures the council reads: tenders per municipality and year"

    tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    fiscal_year: Mapped[int]
    category: Mapped[str] = mapped_column(String(20))
    published_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    bidders: Mapped[int | None]
    amount: Mapped[int | None] = mapped_column(BigInteger)


def to_change(session: Session, tenant: str, tender_id: str) -> TenderRow | None:
    """The tender's row, held until the transaction ends."""
    return session.get(TenderRow, (tenant, tender_id), with_for_update=True)


def of_year(session: Session, fiscal_year: int) -> list[TenderRow]:
    return list(session.scalars(select(TenderRow).where(TenderRow.fiscal_year == fiscal_year)))


def years(session: Session) -> list[int]:
    """Fiscal years with tenders, the latest first."""
    found = select(TenderRow.fiscal_year).distinct().order_by(TenderRow.fiscal_year.desc())
    return list(session.scalars(found))


def years_of(session: Session, tenant: str) -> list[int]:
    """Fiscal years in which the municipality had tenders."""
    return list(session.scalars(select(TenderRow.fiscal_year).where(TenderRow.tenant == tenant).distinct()))
