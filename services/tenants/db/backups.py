"""What municipalities keep at the distant site, as the backup service told of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import Json
from libs.common.errors import NotFound, say
from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base


class BackupRow(SharedTable, Base):
    """`stored` in bytes. `proven_at`: when a drill last brought everything back; `failed_at`: when one last did not."""

    __tablename__ = "backups"
    __shared_because__ = "figures the council reads: who is protected, how much, when that was last proven"

    tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    stored: Mapped[int] = mapped_column(BigInteger, default=0)
    last_point_at: Mapped[datetime | None]
    proven_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]


class BackupMonthRow(SharedTable, Base):
    """What a municipality kept at its last recovery point of a month (`2026-11`, in Japan)."""

    __tablename__ = "backup_months"
    __shared_because__ = "how much is kept from month to month, for the council"

    tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    stored: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime]


class BackupProofRow(SharedTable, Base):
    """A restore that was tried. `evidence` is what `signature` signs; the backup service's page has the key."""

    __tablename__ = "backup_proofs"
    __shared_because__ = "evidence that the council and its auditors read; no names of files, nothing personal"
    __table_args__ = (Index(None, "tenant", "finished_at"),)

    drill_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(6))
    finished_at: Mapped[datetime]
    passed: Mapped[bool]
    kind: Mapped[str] = mapped_column(String(10))
    files: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float]
    age_seconds: Mapped[float | None]
    evidence: Mapped[dict[str, Any] | None] = mapped_column(Json)
    signature: Mapped[str | None] = mapped_column(String(120))


def month_to_change(session: Session, tenant: str, month: str) -> BackupMonthRow | None:
    return session.get(BackupMonthRow, (tenant, month), with_for_update=True)


def stored_in(session: Session, month: str) -> dict[str, int]:
    """Municipality → bytes it kept at the end of `month`, of those that were told of."""
    statement = select(BackupMonthRow.tenant, BackupMonthRow.stored).where(BackupMonthRow.month == month)
    return dict(session.execute(statement).tuples().all())


def months_of(session: Session, tenant: str, fiscal_year: int) -> dict[str, int]:
    """Month → bytes the municipality kept at its end, the earliest first; of the months that were told of."""
    statement = select(BackupMonthRow.month, BackupMonthRow.stored).where(
        BackupMonthRow.tenant == tenant,
        BackupMonthRow.month.between(f"{fiscal_year}-04", f"{fiscal_year + 1}-03"),
    )
    return dict(session.execute(statement.order_by(BackupMonthRow.month)).tuples().all())


def years_of(session: Session, tenant: str) -> set[int]:
    """Fiscal years of the months that were told of."""
    months = session.scalars(select(BackupMonthRow.month).where(BackupMonthRow.tenant == tenant))
    return {year_of(month) for month in months}


def year_of(month: str) -> int:
    """The fiscal year of a month: 2026-03 → 2025."""
    return int(month[:4]) - (month[5:] < "04")


def months(session: Session) -> list[tuple[str, str, int]]:
    """(tenant, month, bytes kept then), in the order of time."""
    columns = (BackupMonthRow.tenant, BackupMonthRow.month, BackupMonthRow.stored)
    return list(session.execute(select(*columns).order_by(BackupMonthRow.month)).tuples())


def proofs(session: Session, tenant: str, limit: int = 50) -> list[BackupProofRow]:
    """Youngest first."""
    statement = select(BackupProofRow).where(BackupProofRow.tenant == tenant)
    return list(session.scalars(statement.order_by(BackupProofRow.finished_at.desc()).limit(limit)))


def proof(session: Session, tenant: str, drill_id: str) -> BackupProofRow:
    row = session.get(BackupProofRow, drill_id)
    if row is None or row.tenant != tenant:
        raise NotFound(say("この復元訓練の記録は見つかりません。"))
    return row


def to_change(session: Session, tenant: str) -> BackupRow:
    """The municipality's row, made if missing, held until the transaction ends."""
    row = session.get(BackupRow, tenant, with_for_update=True)
    if row is None:
        row = BackupRow(tenant=tenant, stored=0)
        session.add(row)
        session.flush()
    return row


def all_of(session: Session) -> dict[str, BackupRow]:
    return {row.tenant: row for row in session.scalars(select(BackupRow))}
