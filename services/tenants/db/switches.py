"""Which functions of which service operators have switched off for a municipality, and on again."""

from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base


class SwitchRow(SharedTable, Base):
    """`name` is the service's own word for the function. Without a row it is on."""

    __tablename__ = "switches"
    __shared_because__ = "operators look at every municipality's at once; nothing of any citizen"

    tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    service: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    on: Mapped[bool]
    reason: Mapped[str] = mapped_column(String(500))
    set_by: Mapped[str] = mapped_column(String(36))
    set_at: Mapped[datetime]


def off(session: Session, service: str | None = None) -> list[SwitchRow]:
    """Everywhere, the newest first; of one service or of all."""
    statement = select(SwitchRow).where(SwitchRow.on.is_(False))
    if service is not None:
        statement = statement.where(SwitchRow.service == service)
    return list(session.scalars(statement.order_by(SwitchRow.set_at.desc(), SwitchRow.tenant)))


def off_of(session: Session, tenant: str, service: str) -> list[SwitchRow]:
    """Of one municipality and service, the newest first."""
    statement = select(SwitchRow).where(
        SwitchRow.tenant == tenant, SwitchRow.service == service, SwitchRow.on.is_(False)
    )
    return list(session.scalars(statement.order_by(SwitchRow.set_at.desc())))


def of(session: Session, tenant: str, service: str) -> dict[str, bool]:
    """Name → on, of those that were ever set."""
    statement = select(SwitchRow).where(SwitchRow.tenant == tenant, SwitchRow.service == service)
    return {row.name: row.on for row in session.scalars(statement)}
