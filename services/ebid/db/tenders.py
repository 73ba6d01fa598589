"""Tenders and what officials do to them. Every row belongs to one municipality."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import Json
from libs.common.files import FileColumns
from libs.common.tenancy import TenantTable
from services.ebid.db.base import ID, Base, points_at


class CounterRow(TenantTable, Base):
    """The last number given in a fiscal year."""

    __tablename__ = "counters"

    fiscal_year: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int]


class TenderRow(TenantTable, Base):
    """A tender. `terms`: what the announcement fixes beside the columns; `announcement`: all of it, frozen at
    publication, its SHA-256 in `announcement_digest`. `reserve`: the sealed envelope of 予定価格 and other limits.
    `threshold` of `trustees` (id, name, institution, public key) open. `version` grows with every change."""

    __tablename__ = "tenders"
    __table_args__ = (
        UniqueConstraint("tenant_id", "number"),
        UniqueConstraint("tenant_id", "ocid"),
        Index(None, "tenant_id", "state", "id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    number: Mapped[str] = mapped_column(String(40))
    ocid: Mapped[str] = mapped_column(String(60))
    fiscal_year: Mapped[int]
    title: Mapped[str] = mapped_column(String(200))
    summary: Mapped[str] = mapped_column(Text)
    place: Mapped[str] = mapped_column(String(200))
    category: Mapped[str] = mapped_column(String(20))
    method: Mapped[str] = mapped_column(String(20))
    requirements: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20))
    questions_until: Mapped[datetime]
    apply_until: Mapped[datetime | None]
    round: Mapped[int]
    terms: Mapped[dict[str, Any]] = mapped_column(Json)
    reserve: Mapped[dict[str, Any] | None] = mapped_column(Json)
    threshold: Mapped[int]
    trustees: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    announcement: Mapped[dict[str, Any] | None] = mapped_column(Json)
    announcement_digest: Mapped[str | None] = mapped_column(String(64))
    drafted_by: Mapped[str] = mapped_column(String(200))
    drafted_by_name: Mapped[str] = mapped_column(String(200))
    approved_by: Mapped[str | None] = mapped_column(String(200))
    approved_by_name: Mapped[str | None] = mapped_column(String(200))
    published_at: Mapped[datetime | None]
    concluded_at: Mapped[datetime | None]
    outcome: Mapped[dict[str, Any] | None] = mapped_column(Json)
    cancel_reason: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime]


class ProfileRow(TenantTable, Base):
    """How this municipality does it: tax, rounding, limits, lottery, rounds, hours (`domain.profile`). One row."""

    __tablename__ = "profiles"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]] = mapped_column(Json)
    version: Mapped[int]
    updated_at: Mapped[datetime]


class RoundRow(TenantTable, Base):
    """初度 (1), 再度入札, and `kind` "quotation": 見積 of who is `invited` after 不落 (ids of companies). `closed_at`: no bid can come
    any more, all are logged, the checkpoint of that size is signed; `closing`: the list that was fixed then.
    `result`: what the opening found, with everything from which it follows. `amendments`: each 日時変更 (at, reason, until, opens)."""

    __tablename__ = "rounds"
    __table_args__ = (points_at(["tender_id"], "tenders", ["id"]),)

    tender_id: Mapped[str] = mapped_column(ID, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    bid_until: Mapped[datetime]
    opens_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    checkpoint_size: Mapped[int | None]
    closing: Mapped[dict[str, Any] | None] = mapped_column(Json)
    opened_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)
    kind: Mapped[str | None] = mapped_column(String(20))
    invited: Mapped[list[str] | None] = mapped_column(Json)
    amendments: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)


class DocumentRow(FileColumns, TenantTable, Base):
    """設計書, 図面 and other documents of a tender. `name` is shown, never used as a path. `findings`: what the scanner warns of
    (kind, where, found); None for a paper that was never scanned."""

    __tablename__ = "documents"
    __table_args__ = (points_at(["tender_id"], "tenders", ["id"]), Index(None, "tenant_id", "tender_id"))

    tender_id: Mapped[str] = mapped_column(ID)
    name: Mapped[str] = mapped_column(String(200))
    findings: Mapped[list[dict[str, str]] | None] = mapped_column(Json)


class PlanRow(TenantTable, Base):
    """発注見通し (入契法7条): a tender that is to come. `quarter` 1 to 4 of the fiscal year in which it will be announced; no price.
    `tender_id`: what became of it."""

    __tablename__ = "plans"
    __table_args__ = (UniqueConstraint("tenant_id", "ocid"), Index(None, "tenant_id", "fiscal_year", "quarter"))

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    ocid: Mapped[str] = mapped_column(String(60))
    fiscal_year: Mapped[int]
    quarter: Mapped[int]
    title: Mapped[str] = mapped_column(String(200))
    summary: Mapped[str] = mapped_column(Text)
    place: Mapped[str] = mapped_column(String(200))
    period: Mapped[str] = mapped_column(String(100))
    category: Mapped[str] = mapped_column(String(20))
    method: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    tender_id: Mapped[str | None] = mapped_column(ID)
    published_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ContractRow(TenantTable, Base):
    """The contract of an awarded tender. Amounts are yen with tax; `amendments` [{on, reason, amount, last}] in order."""

    __tablename__ = "contracts"
    __table_args__ = (points_at(["tender_id"], "tenders", ["id"]),)

    tender_id: Mapped[str] = mapped_column(ID, primary_key=True)
    signed_on: Mapped[date]
    first: Mapped[date]
    last: Mapped[date]
    amount: Mapped[int] = mapped_column(BigInteger)
    amendments: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    completed_on: Mapped[date | None]
    updated_at: Mapped[datetime]


class TrusteeRow(TenantTable, Base):
    """Who holds one of the keys. The private half never comes here. One valid key per person."""

    __tablename__ = "trustees"
    __table_args__ = (Index(None, "tenant_id", "person"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    person: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    institution: Mapped[str] = mapped_column(String(200))
    public_key: Mapped[str] = mapped_column(String(200))
    registered_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class ShareRow(TenantTable, Base):
    """What one trustee gave at the opening of one round: `shares` by the digest of the envelope."""

    __tablename__ = "shares"
    __table_args__ = (points_at(["tender_id", "round"], "rounds", ["tender_id", "number"]),)

    tender_id: Mapped[str] = mapped_column(ID, primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    trustee_id: Mapped[str] = mapped_column(ID, primary_key=True)
    shares: Mapped[dict[str, Any]] = mapped_column(Json)
    given_at: Mapped[datetime]
    given_by: Mapped[str] = mapped_column(String(200))


class ReleaseRow(TenantTable, Base):
    """An OCDS release: never changed. `position` is given under the lock of `FeedRow`, which is held until the commit: a
    reader who has seen a position has seen every lower one."""

    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("tenant_id", "id"), Index(None, "tenant_id", "ocid", "position"))

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(80))
    ocid: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime]
    document: Mapped[dict[str, Any]] = mapped_column(Json)


class FeedRow(TenantTable, Base):
    """Where the municipality's feed ends."""

    __tablename__ = "feeds"

    last: Mapped[int]


class BundleRow(TenantTable, Base):
    """What anybody needs to check a concluded tender offline, as it was when the result was published."""

    __tablename__ = "bundles"
    __table_args__ = (points_at(["tender_id"], "tenders", ["id"]),)

    tender_id: Mapped[str] = mapped_column(ID, primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(Json)
