"""Tables of fees: what is owed, and every report of the payment provider as it came."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import Json
from libs.common.tenancy import TenantTable
from services.eapply.db.base import ID, Base, points_at


class ChargeRow(TenantTable, Base):
    """The fee of one application. `amount`: yen before 減免, None until it is fixed; `reduction`: yen taken off, and why.

    `charge_state` is a word of `domain/fees.py`, read anew from the reports whenever one comes. `numbers`: what Pay-easy
    and eL-QR ask for. `due_on`: 納付期限; `reminded_for`: the 納付期限 that the applicant was reminded of before it came;
    `overdue_told_at`: when they were asked for the money after it.
    """

    __tablename__ = "charges"
    __table_args__ = (
        points_at(["application_id"], "applications", ["id"]),
        UniqueConstraint("tenant_id", "application_id"),
        Index(None, "tenant_id", "charge_state", "created_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    application_id: Mapped[str] = mapped_column(ID)
    fee_when: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int | None]
    reduction: Mapped[int] = mapped_column(default=0)
    reduction_reason: Mapped[str] = mapped_column(Text, default="")
    cancelled: Mapped[bool] = mapped_column(default=False)
    charge_state: Mapped[str] = mapped_column(String(20))
    numbers: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    due_on: Mapped[date | None]
    reminded_for: Mapped[date | None]
    overdue_told_at: Mapped[datetime | None]
    refund_asked: Mapped[int] = mapped_column(default=0)


class PaymentReportRow(TenantTable, Base):
    """One fact from the provider, kept once by the provider's own id. `source`: callback | statement |
    window | hand (paid back without the provider)."""

    __tablename__ = "payment_reports"
    __table_args__ = (points_at(["charge_id"], "charges", ["id"]), Index(None, "tenant_id", "charge_id"))

    report_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    charge_id: Mapped[str] = mapped_column(ID)
    report_kind: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int]
    happened_at: Mapped[datetime]
    received_at: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(20))


class SimulatedPaymentRow(TenantTable, Base):
    """The simulator's own books: what was paid and paid back with it. A real provider keeps these elsewhere."""

    __tablename__ = "simulated_payments"
    __table_args__ = (Index(None, "tenant_id", "happened_at"),)

    report_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    charge_id: Mapped[str] = mapped_column(ID)
    report_kind: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int]
    happened_at: Mapped[datetime]
