"""請求: what the council asked each municipality to pay, as it was asked. An issued invoice is never changed, only paid or voided."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import Json
from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base

STANDING = "standing"


class InvoiceRow(SharedTable, Base):
    """`state`: issued, paid, void. `slot` is `standing` for the one that counts in its year, `standing-2` and so on for what a service
    joined later adds, its own id once it is void; of reserved servers it is the reservation's id.
    `lines`: [{"service", "months", "equal", "by_population", "by_use", "adjustment", "amount"}] in yen, with "town" where
    it is the share of a municipality that went into this one."""

    __tablename__ = "invoices"
    __shared_because__ = "the council issues them and follows who has paid; a municipality reads its own"
    __table_args__ = (
        UniqueConstraint("fiscal_year", "number", name="uq_invoices_fiscal_year_number"),
        UniqueConstraint("tenant", "fiscal_year", "slot", name="uq_invoices_tenant_fiscal_year_slot"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(String(6))
    fiscal_year: Mapped[int]
    number: Mapped[int]
    slot: Mapped[str] = mapped_column(String(36), default=STANDING)
    state: Mapped[str] = mapped_column(String(10), default="issued")
    amount: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    issued_by: Mapped[str] = mapped_column(String(36))
    issued_at: Mapped[datetime]
    due_on: Mapped[date]
    paid_on: Mapped[date | None]
    void_reason: Mapped[str | None] = mapped_column(String(2000))

    @property
    def label(self) -> str:
        """2026-0012: the fiscal year and the number in it."""
        return f"{self.fiscal_year}-{self.number:04}"


def invoices_of(session: Session, tenants: Collection[str]) -> list[InvoiceRow]:
    """Those of any of these municipalities, the latest first."""
    statement = select(InvoiceRow).where(InvoiceRow.tenant.in_(tenants))
    return list(session.scalars(statement.order_by(InvoiceRow.fiscal_year.desc(), InvoiceRow.number.desc())))


def invoices(session: Session, *, tenant: str | None = None, fiscal_year: int | None = None) -> list[InvoiceRow]:
    """The latest first."""
    statement = select(InvoiceRow).order_by(InvoiceRow.fiscal_year.desc(), InvoiceRow.number.desc())
    if tenant is not None:
        statement = statement.where(InvoiceRow.tenant == tenant)
    if fiscal_year is not None:
        statement = statement.where(InvoiceRow.fiscal_year == fiscal_year)
    return list(session.scalars(statement))


def find_invoice(session: Session, invoice_id: str, *, lock: bool = False) -> InvoiceRow:
    """Whosever it is: for the council. Raises NotFound."""
    statement = select(InvoiceRow).where(InvoiceRow.id == invoice_id)
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound(say("この請求は見つかりません。一覧から選び直してください。"))
    return row


def last_number(session: Session, fiscal_year: int) -> int:
    """Of the year's invoices, void ones too; 0 if there is none."""
    statement = select(func.max(InvoiceRow.number)).where(InvoiceRow.fiscal_year == fiscal_year)
    return session.scalar(statement) or 0


def standing(session: Session, fiscal_year: int) -> list[InvoiceRow]:
    """The year's invoices of shares that are not void, the oldest first; those of reserved servers are not among them."""
    chosen = InvoiceRow.fiscal_year == fiscal_year, InvoiceRow.slot.startswith(STANDING)
    return list(session.scalars(select(InvoiceRow).where(*chosen).order_by(InvoiceRow.number)))


def years(session: Session) -> list[int]:
    """Fiscal years with invoices, the latest first."""
    found = select(InvoiceRow.fiscal_year).distinct().order_by(InvoiceRow.fiscal_year.desc())
    return list(session.scalars(found))
