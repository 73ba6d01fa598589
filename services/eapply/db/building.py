"""Procedures in the making, where they came from, and what municipalities let others have."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import Json
from libs.common.tenancy import SharedTable, TenantTable
from services.eapply.db.base import ID, Base


class ProcedureDraftRow(TenantTable, Base):
    """What staff are making of a procedure. `revision` grows with every change: forms carry it.

    `base_version` is the published version it began from, 0 for none.
    """

    __tablename__ = "procedure_drafts"

    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    document: Mapped[dict[str, Any]] = mapped_column(Json)
    revision: Mapped[int] = mapped_column(default=1)
    base_version: Mapped[int]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str | None] = mapped_column(String(200))
    updated_by_name: Mapped[str] = mapped_column(String(200))


class DraftEditionRow(TenantTable, Base):
    """A draft as it was after one of its last changes: what somebody still has on the screen who comes to save second. Kept beyond
    the draft, so that a number is never used twice."""

    __tablename__ = "procedure_draft_editions"

    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]] = mapped_column(Json)
    at: Mapped[datetime]
    by_name: Mapped[str] = mapped_column(String(200))


class ProcedureOriginRow(TenantTable, Base):
    """The template a procedure was made from, as it was then: the base of the next merge.

    `source` is `common` (comes with the service) or the municipality that shares it.
    """

    __tablename__ = "procedure_origins"

    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    source: Mapped[str] = mapped_column(String(20))
    source_key: Mapped[str] = mapped_column(String(60))
    source_name: Mapped[str] = mapped_column(String(200))
    document: Mapped[dict[str, Any]] = mapped_column(Json)
    digest: Mapped[str] = mapped_column(String(64))
    taken_at: Mapped[datetime]


class SharedProcedureRow(SharedTable, Base):
    """A definition that a municipality lets others have: a copy, made when it was shared. `audience`: tenants; empty: all."""

    __tablename__ = "shared_procedures"
    __shared_because__ = (
        "only what a municipality has expressly shared with others stands here; a definition holds no personal data"
    )
    __table_args__ = (UniqueConstraint("owner", "key"), Index(None, "category"))

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    owner: Mapped[str] = mapped_column(String(6))
    owner_name: Mapped[str] = mapped_column(String(200))
    key: Mapped[str] = mapped_column(String(60))
    title: Mapped[str] = mapped_column(String(200))
    category: Mapped[str] = mapped_column(String(60))
    document: Mapped[dict[str, Any]] = mapped_column(Json)
    digest: Mapped[str] = mapped_column(String(64))
    audience: Mapped[list[str]] = mapped_column(Json)
    shared_at: Mapped[datetime]
