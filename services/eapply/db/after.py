"""Tables of what comes after: counted paper applications, what deleted ones count for, and certificates of what was deleted."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import Json
from libs.common.tenancy import TenantTable
from services.eapply.db.base import ID, Base, points_at


class PaperCountRow(TenantTable, Base):
    """How many applications of a procedure came on paper in a month, beside those entered one by one. `month`: its first
    day."""

    __tablename__ = "paper_counts"
    __table_args__ = (points_at(["procedure_id"], "procedures", ["id"]),)

    procedure_id: Mapped[str] = mapped_column(ID, primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    applications: Mapped[int]
    entered_by: Mapped[str] = mapped_column(String(200))
    entered_at: Mapped[datetime]


class DeletedCountRow(TenantTable, Base):
    """How many applications of a procedure and 年度 were deleted because their 保存期間 was over: the council's numbers of a year do
    not become smaller with the years."""

    __tablename__ = "deleted_counts"
    __table_args__ = (points_at(["procedure_id"], "procedures", ["id"]),)

    procedure_id: Mapped[str] = mapped_column(ID, primary_key=True)
    fiscal_year: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    applications: Mapped[int]


class DeletedRateRow(TenantTable, Base):
    """How the 標準処理期間 was kept by the applications of a procedure that were decided in a month (`month`: its first day) and deleted
    since: of `decided`, `counted` had such a period, `within` of them kept it; `days_used` is the sum of their working days,
    `longest` the most of them, None where nothing was counted."""

    __tablename__ = "deleted_rates"
    __table_args__ = (points_at(["procedure_id"], "procedures", ["id"]),)

    procedure_id: Mapped[str] = mapped_column(ID, primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    decided: Mapped[int]
    counted: Mapped[int]
    within: Mapped[int]
    days_used: Mapped[int]
    longest: Mapped[int | None]


class DeletionRow(TenantTable, Base):
    """廃棄の記録: one for each time applications were deleted because their 保存期間 was over. `applications`: list of
    {number, procedure, state, ended_on, kept_until}; `sha256` is of that list."""

    __tablename__ = "deletions"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    deleted_at: Mapped[datetime]
    applications: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    files: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
