"""The yearly public report and the quarterly internal one, put together from the ledger, the counts and the published tables."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from sqlalchemy.orm import Session

from services.tenants import reference
from services.tenants.db import plans as db
from services.tenants.db.plans import IndicatorRow, IndicatorValueRow, MeasureRow, PlanRow, ReviewRow
from services.tenants.domain import indicators as rules
from services.tenants.domain.catalogue import SERVICES, CatalogueService
from services.tenants.domain.indicators import Forecast, Goal, Light
from services.tenants.domain.sharing import rounded
from services.tenants.reference import PublishedApplications
from services.tenants.use_cases import count
from services.tenants.use_cases.automatic import FIGURES
from services.tenants.use_cases.count import RealUse

Row = TypeVar("Row", IndicatorValueRow, ReviewRow)


@dataclass(frozen=True)
class Line:
    """One indicator in a report. `value` is that of the period (of a year without one: of its last quarter that has one); `points`
    all that are known up to it, in the order of time."""

    indicator: IndicatorRow
    goal: Goal
    value: IndicatorValueRow | None
    light: Light
    progress: Fraction | None
    forecast: Forecast | None
    points: list[IndicatorValueRow]
    reviews: list[ReviewRow]

    @property
    def per_cent(self) -> int | None:
        """Progress in whole per cent, a half goes up."""
        return rounded(self.progress * 100) if self.progress is not None else None


@dataclass(frozen=True)
class Measure:
    row: MeasureRow
    lines: list[Line]


@dataclass(frozen=True)
class Pillar:
    title: str
    measures: list[Measure]


@dataclass(frozen=True)
class Joined:
    """One service in the report's year: at its end, on at least one of its days, and what was published for it."""

    service: CatalogueService
    at_end: int
    during: int
    published: int | None


@dataclass(frozen=True)
class Report:
    """`quarter` 0: the yearly public report. `day`: up to when it speaks."""

    plan: PlanRow
    year: int
    quarter: int
    day: date
    pillars: list[Pillar]
    municipalities: int
    joined: list[Joined]
    applications: list[PublishedApplications]
    real_use: RealUse

    @property
    def lines(self) -> list[Line]:
        return [line for pillar in self.pillars for measure in pillar.measures for line in measure.lines]

    def lights(self) -> dict[Light, int]:
        """How many indicators show each light."""
        found: dict[Light, int] = {}
        for line in self.lines:
            found[line.light] = found.get(line.light, 0) + 1
        return found


def make(session: Session, plan_id: str, year: int, quarter: int, today: date) -> Report:
    """The report on a fiscal year (`quarter` 0) or a quarter of it, as everything is known now."""
    plan = db.find_plan(session, plan_id)
    day = min(rules.last_day(year, quarter), today)
    found, years = count.on(session, day), count.years(session, day)
    own = reference.published_participation() if plan.owner == reference.PUBLISHED_BY else {}
    return Report(
        plan,
        year,
        quarter,
        day,
        pillars(session, plan, year, quarter, day),
        len(found.municipalities),
        [_joined(s, found, years[s.key], year, own) for s in SERVICES if s.since <= year],
        [row for row in reference.published_applications() if row.fiscal_year <= year] if own else [],
        count.real_use(session, "eapply", year, day),
    )


def _joined(
    service: CatalogueService,
    found: count.Participation,
    years: list[count.YearCount],
    year: int,
    published: dict[str, tuple[int, int]],
) -> Joined:
    printed = published.get(service.name) if year == reference.PUBLISHED_YEAR else None
    during = next((y.during for y in years if y.fiscal_year == year), 0)
    return Joined(service, found.count(service.key), during, printed[1] if printed else None)


def pillars(session: Session, plan: PlanRow, year: int, quarter: int, day: date) -> list[Pillar]:
    """The plan's structure with its indicators as they stood in the period."""
    measures = db.measures(session, plan.id)
    indicators = [row for row in db.indicators(session, measures) if row.last_year is None or year <= row.last_year]
    ids = [row.id for row in indicators]
    values = _by_indicator(db.values(session, ids))
    reviews = _by_indicator(db.reviews(session, ids, year))
    lines: dict[str, list[Line]] = {}
    for row in indicators:
        made = line(row, values.get(row.id, []), reviews.get(row.id, []), year, quarter, day)
        lines.setdefault(row.measure, []).append(made)
    found: dict[str, Pillar] = {}
    for measure in measures:
        pillar = found.setdefault(measure.pillar, Pillar(measure.pillar, []))
        pillar.measures.append(Measure(measure, lines.get(measure.id, [])))
    return list(found.values())


def _by_indicator(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.indicator, []).append(row)
    return found


def line(
    row: IndicatorRow,
    values: list[IndicatorValueRow],
    reviews: list[ReviewRow],
    year: int,
    quarter: int,
    day: date,
) -> Line:
    goal = goal_of(row)
    points = [v for v in values if (v.fiscal_year, v.quarter or 5) <= (year, quarter or 5)]
    value = _of_period(points, year, quarter)
    number = Decimal(value.value) if value else None
    part = value is not None and adds_up(row) and (value.quarter in (1, 2, 3) or day < rules.last_day(year, 0))
    return Line(
        row,
        goal,
        value,
        "unknown" if part else rules.light(goal, number, day),
        rules.progress(goal, number) if number is not None else None,
        rules.forecast(goal, _dated(row, points, day)),
        points,
        [r for r in reviews if not quarter or r.quarter in (0, quarter)],
    )


def adds_up(row: IndicatorRow) -> bool:
    """Whether what is counted, or typed, for it begins anew each 1 April: a quarter's value then is a part of the year's."""
    figure = FIGURES.get(row.automatic)
    return row.adds_up if figure is None else figure.adds_up


def _dated(row: IndicatorRow, points: list[IndicatorValueRow], day: date) -> list[tuple[date, Decimal]]:
    """The values with the days they speak of, one a day: ends of quarters and years, `day` where the period still runs. Of
    what adds up only whole years can be compared."""
    found: dict[date, Decimal] = {}
    for value in sorted(
        points, key=lambda v: v.quarter == 0
    ):  # where a year and its last quarter differ, the year counts
        last = rules.last_day(value.fiscal_year, value.quarter)
        if not adds_up(row) or (value.quarter == 0 and last <= day):
            found[min(last, day)] = Decimal(value.value)
    return sorted(found.items())


def goal_of(row: IndicatorRow) -> Goal:
    return Goal(row.baseline, row.baseline_date, row.target, row.target_date, row.better)  # type: ignore[arg-type]


def _of_period(points: list[IndicatorValueRow], year: int, quarter: int) -> IndicatorValueRow | None:
    """The period's own value; of a year without one, that of its last quarter that has one."""
    own = [v for v in points if v.fiscal_year == year and (v.quarter == quarter or quarter == 0)]
    return next((v for v in own if v.quarter == quarter), max(own, key=lambda v: v.quarter, default=None))
