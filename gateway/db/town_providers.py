"""Providers that municipalities have set up for their own staff."""

from datetime import datetime

from sqlalchemy import String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.db.base import Base
from libs.common.db import Json
from libs.common.tenancy import PersonTable


class TownProviderRow(PersonTable, Base):
    """The one provider of `for_tenant`. `secret` is sealed (`oidc/towns.py · Vault`). Who may sign in: `domains` of verified addresses,
    and one of `claim_values` in `claim`; empty for everybody whom it knows. Nobody signs in by it unless it is `on`."""

    __tablename__ = "town_providers"
    for_tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    label: Mapped[str] = mapped_column(String(60))
    issuer: Mapped[str] = mapped_column(String(255))
    client_id: Mapped[str] = mapped_column(String(255))
    secret: Mapped[str] = mapped_column(Text)
    domains: Mapped[list[str]] = mapped_column(Json)
    claim: Mapped[str | None] = mapped_column(String(60))
    claim_values: Mapped[list[str]] = mapped_column(Json)
    on: Mapped[bool] = mapped_column("is_on")
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(36))


def town_provider(session: Session, tenant: str, *, lock: bool = False) -> TownProviderRow | None:
    return session.get(TownProviderRow, tenant, with_for_update=lock or None)


def town_providers_on(session: Session) -> list[TownProviderRow]:
    statement = select(TownProviderRow).where(TownProviderRow.on.is_(True))
    return list(session.scalars(statement.order_by(TownProviderRow.for_tenant)))
