"""Signed records of deletions: written once, kept for ever, given out byte for byte."""

from datetime import datetime

from sqlalchemy import String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base

REGISTRY = "registry"
"""`subject` where the registry's own data went."""


class DeletionRow(SharedTable, Base):
    """`id`: of the request that ended with the deletion. `subject`: key of the service, or `REGISTRY`. `content`: the JSON as it is
    given out."""

    __tablename__ = "deletions"
    __shared_because__ = "proof of what is gone, ids and days only: it stays when nothing of the municipality does"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(6), index=True)
    subject: Mapped[str] = mapped_column(String(40))
    content: Mapped[str] = mapped_column(Text)
    signed_at: Mapped[datetime]


def find(session: Session, ident: str) -> DeletionRow | None:
    return session.get(DeletionRow, ident)


def of_tenant(session: Session, tenant: str) -> list[DeletionRow]:
    """The latest first."""
    statement = select(DeletionRow).where(DeletionRow.tenant == tenant)
    return list(session.scalars(statement.order_by(DeletionRow.signed_at.desc(), DeletionRow.id.desc())))
