"""Keys of addresses by which calendar programs, which cannot sign in, read a municipality's dates. One per municipality."""

from datetime import datetime

from sqlalchemy import String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base


class CalendarKeyRow(SharedTable, Base):
    """`digest`: SHA-256 of the key, in hexadecimal. The key itself is kept nowhere."""

    __tablename__ = "calendar_keys"
    __shared_because__ = "the key says which municipality is meant: who brings it has no session and no tenant"

    tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    made_by: Mapped[str] = mapped_column(String(36))
    made_at: Mapped[datetime]


def key_of(session: Session, tenant: str) -> CalendarKeyRow | None:
    return session.get(CalendarKeyRow, tenant)


def keep(session: Session, row: CalendarKeyRow) -> None:
    """In the place of the one before, which opens nothing from now on."""
    session.merge(row)
    session.flush()


def forget(session: Session, tenant: str) -> None:
    session.execute(delete(CalendarKeyRow).where(CalendarKeyRow.tenant == tenant))


def tenant_of(session: Session, digest: str) -> str | None:
    return session.scalar(select(CalendarKeyRow.tenant).where(CalendarKeyRow.digest == digest))
