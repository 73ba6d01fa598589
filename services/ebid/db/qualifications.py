"""競争入札参加資格: what a supplier answered once for all, what a municipality asks beside it, and what it decided."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import Json
from libs.common.tenancy import SharedTable, TenantTable
from services.ebid.db.base import ID, Base


class CompanyAnswersRow(SharedTable, Base):
    """Answers to 共通項目 and 選択項目 (`domain.qualification`), by key: given once, used wherever the supplier applies."""

    __tablename__ = "company_answers"
    __shared_because__ = "one qualification for all municipalities: it belongs to the register of suppliers"

    company_id: Mapped[str] = mapped_column(ID, primary_key=True)
    answers: Mapped[dict[str, str]] = mapped_column(Json)
    updated_at: Mapped[datetime]


class QualificationFormRow(TenantTable, Base):
    """What one municipality asks: keys of 選択項目, its 独自項目, and whether nobody bids who was not accepted. One row, `id` 1."""

    __tablename__ = "qualification_forms"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    optional: Mapped[list[str]] = mapped_column(Json)
    own: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    demanded: Mapped[bool]
    version: Mapped[int]
    updated_at: Mapped[datetime]


class QualificationRow(TenantTable, Base):
    """A supplier's application to one municipality: `answers` to all that it asked, as they stood then, with the `questions` themselves.
    `state`: applied → accepted | refused; applying again begins anew. It holds until `valid_until`, included."""

    __tablename__ = "qualifications"

    company_id: Mapped[str] = mapped_column(ID, primary_key=True)
    answers: Mapped[dict[str, str]] = mapped_column(Json)
    questions: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    categories: Mapped[list[str]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(Text)
    applied_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    valid_until: Mapped[date]
