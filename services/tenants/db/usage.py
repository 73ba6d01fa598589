"""Applications as the services told of them: a small own copy, counted once, and the totals that anybody may see."""

from datetime import datetime

from sqlalchemy import String, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.ids import new_id
from libs.common.tenancy import SharedTable, TenantTable
from services.tenants.db.base import Base
from services.tenants.domain.usage import Usage


class ApplicationRow(TenantTable, Base):
    """`sequence` is the source's count of events of this application: an older event changes nothing."""

    __tablename__ = "applications"

    service: Mapped[str] = mapped_column(String(40), primary_key=True)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    procedure: Mapped[str] = mapped_column(String(100))
    fiscal_year: Mapped[int]
    channel: Mapped[str] = mapped_column(String(10))
    submitted_at: Mapped[datetime]
    outcome: Mapped[str | None] = mapped_column(String(40))
    sequence: Mapped[int]


class ProcedureRow(TenantTable, Base):
    """What a service calls its procedures: `key` is the word in addresses, the same in every municipality; `title` what
    this municipality calls it ("" when its service has not told)."""

    __tablename__ = "procedures"

    service: Mapped[str] = mapped_column(String(40), primary_key=True)
    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    key: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(String(200), server_default="", default="")


class UsageRow(SharedTable, Base):
    """Totals, raised in the transaction that counts the application."""

    __tablename__ = "usage_totals"
    __shared_because__ = "published figures: applications per municipality, procedure and year"

    tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    service: Mapped[str] = mapped_column(String(40), primary_key=True)
    procedure: Mapped[str] = mapped_column(String(100), primary_key=True)
    fiscal_year: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    applications: Mapped[int]


class ComparisonRow(SharedTable, Base):
    """One comparison of our copy with the source: how many each knows, and what one side lacks."""

    __tablename__ = "usage_comparisons"
    __shared_because__ = "numbers for the operator, no content"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    service: Mapped[str] = mapped_column(String(40))
    compared_at: Mapped[datetime]
    ours: Mapped[int]
    theirs: Mapped[int]
    missing: Mapped[int]
    surplus: Mapped[int]
    differing: Mapped[int]
    repaired: Mapped[int]


def find_application(session: Session, service: str, application_id: str) -> ApplicationRow | None:
    statement = select(ApplicationRow).where(ApplicationRow.service == service, ApplicationRow.id == application_id)
    return session.scalar(statement.with_for_update())


def add_application(session: Session, row: ApplicationRow) -> None:
    """Keep a new application and raise the totals."""
    session.add(row)
    session.flush()
    raise_totals(session, row.service, row.procedure, row.fiscal_year, row.channel, 1)


def raise_totals(session: Session, service: str, procedure: str, fiscal_year: int, channel: str, added: int) -> None:
    """`added` applications more in the totals of the session's tenant."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    key = {
        "tenant": session.info["tenant"],
        "service": service,
        "procedure": procedure,
        "fiscal_year": fiscal_year,
        "channel": channel,
    }
    session.execute(
        insert(UsageRow)
        .values(**key, applications=added)
        .on_conflict_do_update(index_elements=list(key), set_={"applications": UsageRow.applications + added})
    )


def applications(session: Session, service: str) -> dict[str, tuple[str | None, int]]:
    """Of the session's tenant: application id → (outcome, sequence)."""
    rows = session.execute(
        select(ApplicationRow.id, ApplicationRow.outcome, ApplicationRow.sequence).where(
            ApplicationRow.service == service
        )
    )
    return {key: (outcome, sequence) for key, outcome, sequence in rows}


def forget(session: Session, service: str) -> None:
    """The session's tenant has left the service: our copy of single applications goes, the published totals stay."""
    session.execute(delete(ApplicationRow).where(ApplicationRow.service == service))


def outcomes(session: Session, service: str) -> dict[str | None, int]:
    """Of the session's tenant: outcome → applications; None: not decided yet."""
    statement = (
        select(ApplicationRow.outcome, func.count())
        .where(ApplicationRow.service == service)
        .group_by(ApplicationRow.outcome)
    )
    return dict(session.execute(statement).tuples().all())


def note_procedure(session: Session, service: str, procedure_id: str, key: str, title: str) -> None:
    """Keep what a procedure of the session's tenant is called."""
    row = session.scalar(select(ProcedureRow).where(ProcedureRow.service == service, ProcedureRow.id == procedure_id))
    if row is None:
        session.add(ProcedureRow(service=service, id=procedure_id, key=key, title=title))
    else:
        row.key, row.title = key, title or row.title
    session.flush()


def procedure_names(session: Session, service: str) -> dict[str, str]:
    """Of the session's tenant: procedure id → its title, or the word in its address."""
    columns = (ProcedureRow.id, ProcedureRow.title, ProcedureRow.key)
    rows = session.execute(select(*columns).where(ProcedureRow.service == service))
    return {procedure_id: title or key for procedure_id, title, key in rows}


def usage(session: Session, tenant: str | None = None) -> list[Usage]:
    statement = select(UsageRow).order_by(UsageRow.fiscal_year, UsageRow.procedure, UsageRow.channel)
    if tenant is not None:
        statement = statement.where(UsageRow.tenant == tenant)
    return [
        Usage(r.tenant, r.service, r.procedure, r.fiscal_year, r.channel, r.applications)  # type: ignore[arg-type]
        for r in session.scalars(statement)
    ]


def add_comparison(session: Session, row: ComparisonRow) -> None:
    session.add(row)
    session.flush()


def latest_comparison(session: Session, service: str) -> ComparisonRow | None:
    return session.scalar(
        select(ComparisonRow)
        .where(ComparisonRow.service == service)
        .order_by(ComparisonRow.compared_at.desc(), ComparisonRow.id.desc())
        .limit(1)
    )
