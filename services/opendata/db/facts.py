"""What other services told, as far as data sets are made of it."""

from datetime import date
from typing import Any

from sqlalchemy import Date, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import Json
from libs.common.tenancy import SharedTable, TenantTable
from services.opendata.db.tables import Base, DatasetRow


class TenderFactRow(TenantTable, Base):
    """A tender of the municipality: what its publication and its result said, in whatever order they came."""

    __tablename__ = "tender_facts"

    tender_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    published: Mapped[dict[str, Any] | None] = mapped_column(Json)
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)


class ProcedureFactRow(TenantTable, Base):
    """A procedure's title."""

    __tablename__ = "procedure_facts"

    procedure_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))


class ApplicationFactRow(TenantTable, Base):
    """An application: when, for what, by which way, with what end. `month`: 2026-11. Parts may come in any order."""

    __tablename__ = "application_facts"

    application_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    procedure_id: Mapped[str | None] = mapped_column(String(36))
    month: Mapped[str | None] = mapped_column(String(7))
    channel: Mapped[str | None] = mapped_column(String(10))
    outcome: Mapped[str | None] = mapped_column(String(10))


class ParticipationFactRow(SharedTable, Base):
    """A municipality uses a service of the cloud from a day on, until another."""

    __tablename__ = "participation_facts"
    __shared_because__ = "who takes part in what is public, and the prefecture's data set tells of all"

    tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    service: Mapped[str] = mapped_column(String(40), primary_key=True)
    from_date: Mapped[date] = mapped_column(Date, primary_key=True)
    until_date: Mapped[date | None] = mapped_column(Date)


def tender(session: Session, tender_id: str) -> TenderFactRow:
    """To be changed; made where it is not there yet."""
    row = session.scalar(select(TenderFactRow).where(TenderFactRow.tender_id == tender_id).with_for_update())
    if row is None:
        row = TenderFactRow(tender_id=tender_id)
        session.add(row)
    return row


def application(session: Session, application_id: str) -> ApplicationFactRow:
    """To be changed; made where it is not there yet."""
    query = select(ApplicationFactRow).where(ApplicationFactRow.application_id == application_id)
    row = session.scalar(query.with_for_update())
    if row is None:
        row = ApplicationFactRow(application_id=application_id)
        session.add(row)
    return row


def tenders(session: Session) -> list[TenderFactRow]:
    return list(session.scalars(select(TenderFactRow).order_by(TenderFactRow.tender_id)))


def application_counts(session: Session) -> list[tuple[str, str, str, str | None, int]]:
    """(month, procedure, channel, outcome, how many), counted by the store."""
    of = ApplicationFactRow
    keys = (of.month, of.procedure_id, of.channel, of.outcome)
    query = select(*keys, func.count()).where(of.month.is_not(None)).group_by(*keys).order_by(*keys[:3])
    return [tuple(row) for row in session.execute(query)]  # type: ignore[misc]


def procedure_titles(session: Session) -> dict[str, str]:
    return {row.procedure_id: row.title for row in session.scalars(select(ProcedureFactRow))}


def participations(session: Session) -> list[ParticipationFactRow]:
    of = ParticipationFactRow
    return list(session.scalars(select(of).order_by(of.from_date, of.tenant, of.service)))


def live_dataset(session: Session, source: str) -> DatasetRow | None:
    """The municipality's data set that is made of what `source` tells."""
    return next((row for row in session.scalars(select(DatasetRow)) if row.about.get("live") == source), None)
