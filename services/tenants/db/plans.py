"""Plans with their pillars, measures and indicators; the indicators' values; what was found and done about them (PDCA)."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, false, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from libs.common.tenancy import SharedTable
from services.tenants.db.base import Base

_PUBLIC = "a plan of the council is public, and so are its indicators"


class PlanRow(SharedTable, Base):
    """`owner`: the code of the prefecture whose plan it is. Fiscal years, both included. `withdrawn_at`: it was recorded wrongly and
    stands nowhere any more but in the list of what was withdrawn."""

    __tablename__ = "plans"
    __shared_because__ = _PUBLIC

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    owner: Mapped[str] = mapped_column(String(6))
    first_year: Mapped[int]
    last_year: Mapped[int]
    text: Mapped[str] = mapped_column(String(4000), default="")
    recorded_by: Mapped[str] = mapped_column(String(36))
    recorded_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None] = mapped_column(String(36))
    withdrawn_because: Mapped[str | None] = mapped_column(String(2000))


class MeasureRow(SharedTable, Base):
    """施策. `pillar` is the title of the pillar (柱) it belongs to; pillars stand in the order of their first measure."""

    __tablename__ = "plan_measures"
    __shared_because__ = _PUBLIC

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    plan: Mapped[str] = mapped_column(ForeignKey("plans.id"), index=True)
    position: Mapped[int]
    pillar: Mapped[str] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(String(4000), default="")


class IndicatorRow(SharedTable, Base):
    """Baseline and target as printed. `automatic`: the key of the figure it is read from ("" where values are typed or imported).
    `last_year`: the last fiscal year of which it is reported (None: to the plan's end). `adds_up`: typed or imported values grow from
    1 April on and begin again a year later."""

    __tablename__ = "indicators"
    __shared_because__ = _PUBLIC

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    measure: Mapped[str] = mapped_column(ForeignKey("plan_measures.id"), index=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    unit: Mapped[str] = mapped_column(String(40))
    baseline: Mapped[str] = mapped_column(String(40))
    baseline_date: Mapped[str] = mapped_column(String(20))
    target: Mapped[str] = mapped_column(String(40))
    target_date: Mapped[str] = mapped_column(String(20))
    better: Mapped[str] = mapped_column(String(4))
    owner: Mapped[str] = mapped_column(String(200), default="")
    automatic: Mapped[str] = mapped_column(String(40), default="")
    last_year: Mapped[int | None]
    adds_up: Mapped[bool] = mapped_column(default=False, server_default=false())


class IndicatorValueRow(SharedTable, Base):
    """`value` is the exact decimal as text; `quarter` 0 is the whole year. Rows are superseded, never changed."""

    __tablename__ = "indicator_values"
    __shared_because__ = _PUBLIC
    __table_args__ = (Index(None, "indicator", "fiscal_year"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    indicator: Mapped[str] = mapped_column(ForeignKey("indicators.id"))
    fiscal_year: Mapped[int]
    quarter: Mapped[int]
    value: Mapped[str] = mapped_column(String(20))
    source: Mapped[str] = mapped_column(String(10))
    note: Mapped[str] = mapped_column(String(2000), default="")
    recorded_by: Mapped[str] = mapped_column(String(36))
    recorded_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]


class ReviewRow(SharedTable, Base):
    """`kind`: check (検証), act (対策) or comment. Comments stay inside; the others are in the public report."""

    __tablename__ = "indicator_reviews"
    __shared_because__ = _PUBLIC
    __table_args__ = (Index(None, "indicator", "fiscal_year"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    indicator: Mapped[str] = mapped_column(ForeignKey("indicators.id"))
    fiscal_year: Mapped[int]
    quarter: Mapped[int]
    kind: Mapped[str] = mapped_column(String(10))
    text: Mapped[str] = mapped_column(String(4000))
    written_by: Mapped[str] = mapped_column(String(36))
    written_at: Mapped[datetime]


def names(session: Session, idents: Collection[str]) -> dict[str, str]:
    """What the plans and indicators with these ids are called; other ids are left out."""
    found = [
        session.execute(select(row.id, row.name).where(row.id.in_(idents))).tuples() for row in (PlanRow, IndicatorRow)
    ]
    return {ident: name for rows in found for ident, name in rows}


def plans(session: Session, owner: str | None = None) -> list[PlanRow]:
    """The latest first; of one prefecture only where its code is given."""
    statement = select(PlanRow).where(PlanRow.withdrawn_at.is_(None)).order_by(PlanRow.first_year.desc(), PlanRow.id)
    return list(session.scalars(statement if owner is None else statement.where(PlanRow.owner == owner)))


def withdrawn(session: Session) -> list[PlanRow]:
    """What was withdrawn, the latest first."""
    statement = select(PlanRow).where(PlanRow.withdrawn_at.is_not(None))
    return list(session.scalars(statement.order_by(PlanRow.withdrawn_at.desc(), PlanRow.id)))


def find_plan(session: Session, plan_id: str, *, lock: bool = False) -> PlanRow:
    """Raises NotFound, also for one that was withdrawn."""
    row = session.get(PlanRow, plan_id, with_for_update=lock or None)
    if row is None:
        raise NotFound(say("この計画は見つかりません。一覧から選び直してください。"))
    if row.withdrawn_at is not None:
        raise NotFound(say("この計画は、取り下げられています。一覧から選び直してください。"))
    return row


def find_withdrawn(session: Session, plan_id: str) -> PlanRow:
    """Locked. Raises NotFound, also for one that stands."""
    row = session.get(PlanRow, plan_id, with_for_update=True)
    if row is None or row.withdrawn_at is None:
        raise NotFound(say("取り下げた計画に、これはありません。画面を読み込み直してください。"))
    return row


def measures(session: Session, plan_id: str) -> list[MeasureRow]:
    return list(session.scalars(select(MeasureRow).where(MeasureRow.plan == plan_id).order_by(MeasureRow.position)))


def indicators(session: Session, measures: Iterable[MeasureRow]) -> list[IndicatorRow]:
    wanted = [measure.id for measure in measures]
    statement = select(IndicatorRow).where(IndicatorRow.measure.in_(wanted)).order_by(IndicatorRow.position)
    return list(session.scalars(statement))


def find_indicator(session: Session, indicator_id: str) -> IndicatorRow:
    row = session.get(IndicatorRow, indicator_id)
    if row is None:
        raise NotFound(say("この指標は見つかりません。一覧から選び直してください。"))
    return row


def plan_of(session: Session, indicator: IndicatorRow) -> PlanRow:
    return find_plan(session, session.get_one(MeasureRow, indicator.measure).plan)


def automatic_indicators(session: Session) -> list[IndicatorRow]:
    """Of plans that stand."""
    statement = select(IndicatorRow).join(MeasureRow, MeasureRow.id == IndicatorRow.measure).join(PlanRow)
    return list(session.scalars(statement.where(IndicatorRow.automatic != "", PlanRow.withdrawn_at.is_(None))))


def values(session: Session, indicators: Iterable[str], *, old: bool = False) -> list[IndicatorValueRow]:
    """In the order of time; `old`: superseded ones too."""
    statement = select(IndicatorValueRow).where(IndicatorValueRow.indicator.in_(list(indicators)))
    if not old:
        statement = statement.where(IndicatorValueRow.superseded_at.is_(None))
    order = (IndicatorValueRow.fiscal_year, IndicatorValueRow.quarter, IndicatorValueRow.recorded_at)
    return list(session.scalars(statement.order_by(*order)))


def supersede_value(session: Session, indicator: str, fiscal_year: int, quarter: int, now: datetime) -> None:
    session.execute(
        update(IndicatorValueRow)
        .where(
            IndicatorValueRow.indicator == indicator,
            IndicatorValueRow.fiscal_year == fiscal_year,
            IndicatorValueRow.quarter == quarter,
            IndicatorValueRow.superseded_at.is_(None),
        )
        .values(superseded_at=now)
    )


def reviews(session: Session, indicators: Iterable[str], fiscal_year: int | None = None) -> list[ReviewRow]:
    """In the order they were written."""
    statement = select(ReviewRow).where(ReviewRow.indicator.in_(list(indicators)))
    if fiscal_year is not None:
        statement = statement.where(ReviewRow.fiscal_year == fiscal_year)
    return list(session.scalars(statement.order_by(ReviewRow.written_at, ReviewRow.id)))
