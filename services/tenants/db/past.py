"""Applications of the years before a municipality joined, from the system it used until then: what it brought, file by file."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Index, String, delete, func, insert, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from libs.common.tenancy import SharedTable, TenantTable
from services.tenants.db.base import Base

CHUNK = 500


class PastImportRow(TenantTable, Base):
    """One file that was taken in. `kind`: register (one application a line) or counts. `sha256` of its text in UTF-8."""

    __tablename__ = "past_imports"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(10))
    file_name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    applications: Mapped[int]
    taken_by: Mapped[str] = mapped_column(String(36))
    taken_at: Mapped[datetime]


class PastApplicationRow(TenantTable, Base):
    """A line of the register of the earlier system, in its own words. Nothing about the applicant."""

    __tablename__ = "past_applications"
    __table_args__ = (Index(None, "tenant_id", "received_on"),)

    number: Mapped[str] = mapped_column(String(60), primary_key=True)
    brought_by: Mapped[str] = mapped_column(String(36))
    procedure: Mapped[str] = mapped_column(String(100))
    received_on: Mapped[date]
    channel: Mapped[str] = mapped_column(String(10))
    outcome: Mapped[str] = mapped_column(String(40))
    decided_on: Mapped[date | None]


class PastTotalRow(SharedTable, Base):
    """What one file says of a procedure in a fiscal year. Kept apart from what this cloud counted itself."""

    __tablename__ = "past_totals"
    __shared_because__ = "published figures: applications per municipality, procedure and year"

    tenant: Mapped[str] = mapped_column(String(6), primary_key=True)
    brought_by: Mapped[str] = mapped_column(String(36), primary_key=True)
    fiscal_year: Mapped[int] = mapped_column(primary_key=True)
    procedure: Mapped[str] = mapped_column(String(100), primary_key=True)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    applications: Mapped[int]


@dataclass(frozen=True, slots=True)
class Total:
    tenant: str
    kind: str
    fiscal_year: int
    procedure: str
    channel: str
    applications: int


def imports(session: Session) -> list[PastImportRow]:
    """Of the session's tenant, the latest first."""
    return list(session.scalars(select(PastImportRow).order_by(PastImportRow.taken_at.desc(), PastImportRow.id.desc())))


def find_import(session: Session, import_id: str) -> PastImportRow:
    row = session.scalar(select(PastImportRow).where(PastImportRow.id == import_id))
    if row is None:
        raise NotFound(say("この取り込みは見つかりません。一覧から選び直してください。"))
    return row


def add(
    session: Session, row: PastImportRow, lines: Iterable[dict[str, object]], totals: Iterable[dict[str, object]]
) -> None:
    """Everything of one file. The session is the tenant's."""
    tenant = session.info["tenant"]
    session.add(row)
    session.flush()
    _insert(session, PastApplicationRow, [{**line, "tenant_id": tenant, "brought_by": row.id} for line in lines])
    _insert(session, PastTotalRow, [{**total, "tenant": tenant, "brought_by": row.id} for total in totals])


def _insert(session: Session, model: type[Base], values: list[dict[str, object]]) -> None:
    for start in range(0, len(values), CHUNK):
        session.execute(insert(model), values[start : start + CHUNK])


def remove(session: Session, import_id: str) -> None:
    """One file with all it brought. The session is the tenant's."""
    tenant = session.info["tenant"]
    session.execute(delete(PastApplicationRow).where(PastApplicationRow.brought_by == import_id))
    session.execute(delete(PastTotalRow).where(PastTotalRow.tenant == tenant, PastTotalRow.brought_by == import_id))
    session.execute(delete(PastImportRow).where(PastImportRow.id == import_id))


def totals(session: Session, tenant: str) -> list[Total]:
    """What each file of one municipality says, with its kind. The session is the tenant's."""
    kinds = {row.id: row.kind for row in imports(session)}
    rows = session.scalars(select(PastTotalRow).where(PastTotalRow.tenant == tenant))
    return [
        Total(r.tenant, kinds.get(r.brought_by, ""), r.fiscal_year, r.procedure, r.channel, r.applications)
        for r in rows
    ]


def of_year(session: Session, year: int) -> dict[str, dict[str, int]]:
    """Tenant → applications of the year by channel, as brought: for the council."""
    statement = (
        select(PastTotalRow.tenant, PastTotalRow.channel, func.sum(PastTotalRow.applications))
        .where(PastTotalRow.fiscal_year == year)
        .group_by(PastTotalRow.tenant, PastTotalRow.channel)
    )
    found: dict[str, dict[str, int]] = {}
    for tenant, channel, applications in session.execute(statement):
        found.setdefault(tenant, {"online": 0, "paper": 0})[channel] = int(applications)
    return found


def years(session: Session) -> set[int]:
    return set(session.scalars(select(PastTotalRow.fiscal_year).distinct()))


def known_numbers(session: Session, numbers: list[str]) -> set[str]:
    """Those of `numbers` that the session's municipality brought before."""
    found: set[str] = set()
    for start in range(0, len(numbers), CHUNK):
        asked = PastApplicationRow.number.in_(numbers[start : start + CHUNK])
        found |= set(session.scalars(select(PastApplicationRow.number).where(asked)))
    return found


def search(session: Session, words: str, limit: int) -> list[PastApplicationRow]:
    """Applications whose number or procedure contains `words` ("": all), the latest first."""
    statement = select(PastApplicationRow).order_by(PastApplicationRow.received_on.desc(), PastApplicationRow.number)
    if words:
        found = [c.contains(words, autoescape=True) for c in (PastApplicationRow.number, PastApplicationRow.procedure)]
        statement = statement.where(or_(*found))
    return list(session.scalars(statement.limit(limit)))
