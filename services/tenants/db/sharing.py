"""Rules of cost sharing, populations, what municipalities assume about the effect. Rows are superseded, never changed."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Index, String, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.ids import new_id
from libs.common.tenancy import SharedTable, TenantTable
from services.tenants.db.base import Base
from services.tenants.domain.effect import FIELDS, Assumptions
from services.tenants.domain.sharing import Rule


class SharingRuleRow(SharedTable, Base):
    """One service's rule of one fiscal year. Yen; parts in per cent."""

    __tablename__ = "sharing_rules"
    __shared_because__ = "the council decides it for everybody, and each municipality reads how its share comes about"
    __table_args__ = (Index(None, "service", "fiscal_year"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    service: Mapped[str] = mapped_column(String(40))
    fiscal_year: Mapped[int]
    total: Mapped[int] = mapped_column(BigInteger)
    subsidy: Mapped[int] = mapped_column(BigInteger)
    minimum: Mapped[int] = mapped_column(BigInteger)
    equal: Mapped[int]
    population: Mapped[int]
    use: Mapped[int]
    note: Mapped[str] = mapped_column(String(2000))
    recorded_by: Mapped[str] = mapped_column(String(36))
    recorded_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]


class PopulationRow(SharedTable, Base):
    """People registered on a day (住民基本台帳), as the imported table says."""

    __tablename__ = "populations"
    __shared_because__ = "published figures of all municipalities"
    __table_args__ = (Index(None, "tenant", "as_of"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(String(6))
    as_of: Mapped[date]
    population: Mapped[int]
    source: Mapped[str] = mapped_column(String(200))
    recorded_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]


class AssumptionRow(TenantTable, Base):
    """What a municipality assumes about one service's effect."""

    __tablename__ = "effect_assumptions"

    service: Mapped[str] = mapped_column(String(40), primary_key=True)
    uses: Mapped[int]
    paper_minutes: Mapped[int]
    online_minutes: Mapped[int]
    hourly_yen: Mapped[int]
    postage_yen: Mapped[int]
    travel_minutes: Mapped[int]
    travel_yen: Mapped[int]
    changed_by: Mapped[str] = mapped_column(String(36))
    changed_at: Mapped[datetime]


# ---- rules ----------------------------------------------------------------------------------------------------------


def rule_rows(session: Session, service: str | None = None) -> list[SharingRuleRow]:
    """Every rule ever recorded, the latest year and the latest record first."""
    statement = select(SharingRuleRow).order_by(
        SharingRuleRow.fiscal_year.desc(), SharingRuleRow.recorded_at.desc(), SharingRuleRow.id.desc()
    )
    return list(session.scalars(statement if service is None else statement.where(SharingRuleRow.service == service)))


def rule_of(session: Session, service: str, fiscal_year: int) -> Rule | None:
    """What holds now for the year, None if nothing was decided. Of two decided in the same moment, neither of which saw the
    other: the later."""
    row = session.scalar(
        select(SharingRuleRow)
        .where(
            SharingRuleRow.service == service,
            SharingRuleRow.fiscal_year == fiscal_year,
            SharingRuleRow.superseded_at.is_(None),
        )
        .order_by(SharingRuleRow.recorded_at.desc(), SharingRuleRow.id.desc())
        .limit(1)
    )
    return as_rule(row) if row else None


def as_rule(row: SharingRuleRow) -> Rule:
    return Rule(row.service, row.fiscal_year, row.total, row.equal, row.population, row.use, row.subsidy, row.minimum)


def add_rule(session: Session, rule: Rule, note: str, by: str, now: datetime) -> SharingRuleRow:
    """Record `rule`; what held for its year before stays readable."""
    session.execute(
        update(SharingRuleRow)
        .where(
            SharingRuleRow.service == rule.service,
            SharingRuleRow.fiscal_year == rule.fiscal_year,
            SharingRuleRow.superseded_at.is_(None),
        )
        .values(superseded_at=now)
    )
    row = SharingRuleRow(
        service=rule.service, fiscal_year=rule.fiscal_year, total=rule.total, subsidy=rule.subsidy, minimum=rule.minimum,
        equal=rule.equal, population=rule.population, use=rule.use, note=note, recorded_by=by, recorded_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


# ---- populations ----------------------------------------------------------------------------------------------------


def populations(session: Session, at: date) -> dict[str, PopulationRow]:
    """Tenant → the latest table's row that speaks of `at` or an earlier day."""
    statement = (
        select(PopulationRow)
        .where(PopulationRow.superseded_at.is_(None), PopulationRow.as_of <= at)
        .order_by(PopulationRow.as_of)
    )
    return {row.tenant: row for row in session.scalars(statement)}


def add_populations(session: Session, found: dict[str, int], as_of: date, source: str, now: datetime) -> None:
    """Record one table. What another table said about the same municipality and day is superseded."""
    session.execute(
        update(PopulationRow)
        .where(PopulationRow.as_of == as_of, PopulationRow.tenant.in_(found), PopulationRow.superseded_at.is_(None))
        .values(superseded_at=now)
    )
    session.add_all(
        PopulationRow(tenant=tenant, as_of=as_of, population=number, source=source, recorded_at=now)
        for tenant, number in found.items()
    )


def population_tables(session: Session) -> list[tuple[date, str, int, int]]:
    """(day, source, municipalities, people) of what was imported, the latest day first."""
    statement = (
        select(PopulationRow.as_of, PopulationRow.source, func.count(), func.sum(PopulationRow.population))
        .where(PopulationRow.superseded_at.is_(None))
        .group_by(PopulationRow.as_of, PopulationRow.source)
        .order_by(PopulationRow.as_of.desc())
    )
    return [(day, source, count, int(people)) for day, source, count, people in session.execute(statement)]


# ---- effect ---------------------------------------------------------------------------------------------------------


def assumptions(session: Session, service: str) -> Assumptions:
    """Of the session's tenant; all zero where nothing was typed yet."""
    row = session.scalar(select(AssumptionRow).where(AssumptionRow.service == service))
    return Assumptions(**{name: getattr(row, name) for name in FIELDS}) if row else Assumptions()


def keep_assumptions(session: Session, service: str, given: Assumptions, by: str, now: datetime) -> None:
    row = session.scalar(select(AssumptionRow).where(AssumptionRow.service == service).with_for_update())
    if row is None:
        row = AssumptionRow(service=service)
        session.add(row)
    for name in FIELDS:
        setattr(row, name, getattr(given, name))
    row.changed_by, row.changed_at = by, now
    session.flush()
