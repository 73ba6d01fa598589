"""The plan of joining on a day: what a municipality does by when. Its budget is decided in March for the year from April."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from libs.common.clock import fiscal_year

Step = Literal["estimate", "request", "assembly", "ask", "procedures", "training", "begin", "first_invoice"]


@dataclass(frozen=True, slots=True)
class Planned:
    """`step` is to be done by `by`; `late`: that day is over."""

    step: Step
    by: date
    late: bool


def plan(start: date, today: date) -> list[Planned]:
    """Steps in the order of their days. Days follow the cycle of a municipal budget (地方自治法211条: decided by the assembly
    before the year begins): claims in October before, the assembly in March."""
    year = fiscal_year(start)
    days: list[tuple[Step, date]] = [
        ("estimate", date(year - 1, 9, 30)),
        ("request", date(year - 1, 10, 31)),
        ("assembly", date(year, 3, 25)),
        ("ask", start - timedelta(days=28)),
        ("procedures", start - timedelta(days=14)),
        ("training", start - timedelta(days=7)),
        ("begin", start),
        ("first_invoice", _month_later(start)),
    ]
    return [Planned(step, day, day < today) for step, day in sorted(days, key=lambda pair: pair[1])]


def _month_later(day: date) -> date:
    """The last day of the month after `day`'s."""
    months = day.year * 12 + day.month + 1
    return date(months // 12, months % 12 + 1, 1) - timedelta(days=1)
