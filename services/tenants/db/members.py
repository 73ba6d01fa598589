"""Who may do what for which municipality. Persons are ids of the gateway; names and addresses stay there."""

from datetime import datetime

from sqlalchemy import Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.ids import new_id
from libs.common.tenancy import PersonTable
from services.tenants.db.base import Base


class MemberRow(PersonTable, Base):
    """One role of one person for one tenant, from grant to removal."""

    __tablename__ = "members"
    __table_args__ = (Index(None, "tenant", "removed_at"), Index(None, "person_id"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(String(36))
    tenant: Mapped[str] = mapped_column(String(6))
    role: Mapped[str] = mapped_column(String(40))
    granted_by: Mapped[str] = mapped_column(String(36))
    granted_at: Mapped[datetime]
    removed_by: Mapped[str | None] = mapped_column(String(36))
    removed_at: Mapped[datetime | None]


def roles_of(session: Session, tenant: str) -> dict[str, set[str]]:
    """Person → roles for `tenant` now."""
    found: dict[str, set[str]] = {}
    for row in _present(session, tenant):
        found.setdefault(row.person_id, set()).add(row.role)
    return found


def all_roles(session: Session) -> dict[str, dict[str, list[str]]]:
    """Person → tenant → roles, for the gateway."""
    found: dict[str, dict[str, list[str]]] = {}
    rows = session.scalars(select(MemberRow).where(MemberRow.removed_at.is_(None)).order_by(MemberRow.role))
    for row in rows:
        found.setdefault(row.person_id, {}).setdefault(row.tenant, []).append(row.role)
    return found


def tenants_with(session: Session, role: str) -> set[str]:
    """Tenants where somebody has `role` now."""
    statement = select(MemberRow.tenant).where(MemberRow.role == role, MemberRow.removed_at.is_(None))
    return set(session.scalars(statement.distinct()))


def tenants_of(session: Session, person_id: str) -> dict[str, set[str]]:
    """Tenant → roles of one person."""
    found: dict[str, set[str]] = {}
    statement = select(MemberRow).where(MemberRow.person_id == person_id, MemberRow.removed_at.is_(None))
    for row in session.scalars(statement):
        found.setdefault(row.tenant, set()).add(row.role)
    return found


def grant(session: Session, tenant: str, person_id: str, role: str, by: str, now: datetime) -> None:
    session.add(MemberRow(person_id=person_id, tenant=tenant, role=role, granted_by=by, granted_at=now))
    session.flush()


def remove(session: Session, tenant: str, person_id: str, roles: set[str], by: str, now: datetime) -> None:
    for row in _present(session, tenant, lock=True):
        if row.person_id == person_id and row.role in roles:
            row.removed_by, row.removed_at = by, now
    session.flush()


def lock_tenant(session: Session, tenant: str) -> None:
    """Changes of one tenant's members wait for each other: two last administrators cannot remove one another."""
    list(_present(session, tenant, lock=True))


def _present(session: Session, tenant: str, *, lock: bool = False) -> list[MemberRow]:
    statement = (
        select(MemberRow).where(MemberRow.tenant == tenant, MemberRow.removed_at.is_(None)).order_by(MemberRow.id)
    )
    return list(session.scalars(statement.with_for_update() if lock else statement))
