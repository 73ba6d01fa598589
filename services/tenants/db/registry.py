"""Municipalities with their dated states, and the version that tells the gateway whether anything changed."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import String, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.ids import new_id
from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base
from services.tenants.domain.municipality import Municipality

_VERSION = "registry"


class MunicipalityRow(SharedTable, Base):
    """One state of one municipality, as held and as recorded (`domain/history.py`). Rows are superseded, never changed."""

    __tablename__ = "municipalities"
    __shared_because__ = "the public register of municipalities"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(String(6), index=True)
    code: Mapped[str] = mapped_column(String(6), index=True)
    name: Mapped[str] = mapped_column(String(40))
    kana: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(4))
    region: Mapped[str] = mapped_column(String(40))
    valid_from: Mapped[date | None]
    valid_until: Mapped[date | None]
    recorded_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]
    longitude: Mapped[float | None]
    latitude: Mapped[float | None]
    successor: Mapped[str | None] = mapped_column(String(6))


class RegistryVersionRow(SharedTable, Base):
    """Counts every change that the gateway must learn of."""

    __tablename__ = "registry_versions"
    __shared_because__ = "one number for the whole register"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    number: Mapped[int]


def states(session: Session, tenant: str | None = None) -> list[Municipality]:
    """Every recorded state, superseded ones too: the domain picks by day and by knowledge."""
    statement = select(MunicipalityRow).order_by(MunicipalityRow.code, MunicipalityRow.recorded_at)
    if tenant is not None:
        statement = statement.where(MunicipalityRow.tenant == tenant)
    return [as_state(row) for row in session.scalars(statement)]


def add_state(session: Session, state: Municipality) -> None:
    values = asdict(state)
    session.add(MunicipalityRow(tenant=values.pop("tenant_id"), **values))


def parts(session: Session) -> dict[str, list[str]]:
    """Tenant → those that went into it, by what is believed now."""
    rows = select(MunicipalityRow.successor, MunicipalityRow.tenant).where(
        MunicipalityRow.successor.is_not(None), MunicipalityRow.superseded_at.is_(None)
    )
    found: dict[str, list[str]] = {}
    for successor, tenant in session.execute(rows.order_by(MunicipalityRow.tenant)).tuples():
        found.setdefault(str(successor), []).append(tenant)
    return found


def supersede_states(session: Session, tenant: str, now: datetime) -> None:
    """Nothing that was recorded about `tenant` is believed any more; the caller records what is."""
    session.execute(
        update(MunicipalityRow)
        .where(MunicipalityRow.tenant == tenant, MunicipalityRow.superseded_at.is_(None))
        .values(superseded_at=now)
    )


def as_state(row: Any) -> Municipality:
    """A row of the table, or of a statement with its columns, as the rules know it."""
    return Municipality(
        row.tenant, row.code, row.name, row.kana, row.kind, row.region,  # type: ignore[arg-type]
        row.valid_from, row.valid_until, row.recorded_at, row.superseded_at, row.longitude, row.latitude, row.successor,
    )  # fmt: skip


def version(session: Session, *, lock: bool = False) -> int:
    """`lock`: nobody else changes the register until this transaction ends."""
    statement = select(RegistryVersionRow.number).where(RegistryVersionRow.name == _VERSION)
    return session.scalar(statement.with_for_update() if lock else statement) or 0


def bump_version(session: Session) -> None:
    """Something changed that the gateway must learn of."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(
        insert(RegistryVersionRow)
        .values(name=_VERSION, number=1)
        .on_conflict_do_update(index_elements=["name"], set_={"number": RegistryVersionRow.number + 1})
    )
