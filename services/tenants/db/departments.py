"""Departments of a municipality with their people, and who may administer a service or a department for it until a day."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, Index, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import Json
from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from libs.common.tenancy import PersonTable, TenantTable
from services.tenants.db.base import Base


class DepartmentRow(TenantTable, Base):
    """`services`: keys of the services it works with."""

    __tablename__ = "departments"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(60))
    services: Mapped[list[Any]] = mapped_column(Json)
    made_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class DepartmentMemberRow(TenantTable, Base):
    __tablename__ = "department_members"

    department: Mapped[str] = mapped_column(String(36), primary_key=True)
    person_id: Mapped[str] = mapped_column(String(36), primary_key=True)


class DelegationRow(PersonTable, Base):
    """`kind`: service or department, `subject` its key or id. Holds up to and including the day `until`, unless ended."""

    __tablename__ = "delegations"
    __table_args__ = (Index(None, "tenant", "ended_at"), Index(None, "person_id"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(String(6))
    person_id: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(10))
    subject: Mapped[str] = mapped_column(String(40))
    until: Mapped[date] = mapped_column(Date)
    given_by: Mapped[str] = mapped_column(String(36))
    given_at: Mapped[datetime]
    ended_by: Mapped[str | None] = mapped_column(String(36))
    ended_at: Mapped[datetime | None]


# ---- departments: the session is the municipality's ------------------------------------------------------------------


def departments(session: Session) -> list[DepartmentRow]:
    statement = select(DepartmentRow).where(DepartmentRow.removed_at.is_(None)).order_by(DepartmentRow.id)
    return list(session.scalars(statement))


def department(session: Session, ident: str, *, lock: bool = False) -> DepartmentRow:
    statement = select(DepartmentRow).where(DepartmentRow.id == ident, DepartmentRow.removed_at.is_(None))
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound(say("この部署は見つかりません。一覧から選び直してください。"))
    return row


def people(session: Session) -> dict[str, set[str]]:
    """Department → persons."""
    found: dict[str, set[str]] = {}
    for row in session.scalars(select(DepartmentMemberRow)):
        found.setdefault(row.department, set()).add(row.person_id)
    return found


def set_people(session: Session, ident: str, persons: set[str]) -> None:
    session.execute(delete(DepartmentMemberRow).where(DepartmentMemberRow.department == ident))
    session.add_all(DepartmentMemberRow(department=ident, person_id=person) for person in sorted(persons))
    session.flush()


# ---- delegations -----------------------------------------------------------------------------------------------------


def holding(session: Session, today: date, tenant: str | None = None) -> list[DelegationRow]:
    """Delegations that hold on `today`, the earliest to end first; `tenant` None: of all municipalities."""
    statement = select(DelegationRow).where(DelegationRow.ended_at.is_(None), DelegationRow.until >= today)
    if tenant is not None:
        statement = statement.where(DelegationRow.tenant == tenant)
    return list(session.scalars(statement.order_by(DelegationRow.until, DelegationRow.id)))


def delegation(session: Session, ident: str, tenant: str) -> DelegationRow:
    """Locked: whoever acts under it and whoever ends it wait for each other. NotFound for another municipality's."""
    statement = select(DelegationRow).where(DelegationRow.id == ident, DelegationRow.tenant == tenant)
    row = session.scalar(statement.with_for_update())
    if row is None:
        raise NotFound(say("この委任は見つかりません。一覧から選び直してください。"))
    return row


def end(session: Session, by: str, now: datetime, *conditions: Any) -> None:
    """End the delegations that stand and meet `conditions`."""
    session.execute(
        update(DelegationRow).where(DelegationRow.ended_at.is_(None), *conditions).values(ended_by=by, ended_at=now)
    )


def forget_person(session: Session, tenant: str, person: str, by: str, now: datetime) -> None:
    """Who is no member any more is in no department and administers nothing."""
    session.execute(delete(DepartmentMemberRow).where(DepartmentMemberRow.person_id == person))
    end(session, by, now, DelegationRow.tenant == tenant, DelegationRow.person_id == person)
