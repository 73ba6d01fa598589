"""Incidents: what operators tell everybody on the status page while a part does not work as it should, and after."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base


class IncidentRow(SharedTable, Base):
    """`part`: gateway, tenants or a key of the catalogue, "" for everything. `ended_at` is None while it goes on."""

    __tablename__ = "incidents"
    __shared_because__ = "told to everybody on the status page"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    part: Mapped[str] = mapped_column(String(40))
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    withdrawn_at: Mapped[datetime | None]


class IncidentTextRow(SharedTable, Base):
    """One report about an incident. Nothing that everybody read is changed: what turned out otherwise is told in the next one."""

    __tablename__ = "incident_texts"
    __shared_because__ = "told to everybody on the status page"
    __table_args__ = (Index(None, "incident", "written_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    incident: Mapped[str] = mapped_column(String(36), ForeignKey("incidents.id"))
    text: Mapped[str] = mapped_column(String(2000))
    written_by: Mapped[str] = mapped_column(String(36))
    written_at: Mapped[datetime]


def since(session: Session, moment: datetime) -> list[IncidentRow]:
    """Those that go on or ended after `moment`, the last begun first; not what was withdrawn."""
    shown = select(IncidentRow).where(
        IncidentRow.withdrawn_at.is_(None), or_(IncidentRow.ended_at.is_(None), IncidentRow.ended_at > moment)
    )
    return list(session.scalars(shown.order_by(IncidentRow.began_at.desc(), IncidentRow.id.desc())))


def going_on(session: Session) -> list[IncidentRow]:
    """The last begun first."""
    found = select(IncidentRow).where(IncidentRow.withdrawn_at.is_(None), IncidentRow.ended_at.is_(None))
    return list(session.scalars(found.order_by(IncidentRow.began_at.desc(), IncidentRow.id.desc())))


def texts_of(session: Session, incidents: Collection[str]) -> dict[str, list[IncidentTextRow]]:
    """What was written about each of them, the latest first."""
    found: dict[str, list[IncidentTextRow]] = {}
    rows = select(IncidentTextRow).where(IncidentTextRow.incident.in_(incidents))
    for row in session.scalars(rows.order_by(IncidentTextRow.written_at.desc(), IncidentTextRow.id.desc())):
        found.setdefault(row.incident, []).append(row)
    return found


def find(session: Session, ident: str) -> IncidentRow:
    """Locked. NotFound also for one that was withdrawn."""
    row = session.get(IncidentRow, ident, with_for_update=True)
    if row is None or row.withdrawn_at is not None:
        raise NotFound(say("この障害のお知らせは見つかりません。"))
    return row
