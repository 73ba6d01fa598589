"""Days on which a municipal office is closed: national holidays and 12/29-1/3."""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache

import jpholiday


def closures(first: date, last: date) -> Iterable[date]:
    """Closed days from `first` to `last` (国民の祝日に関する法律, and 12/29-1/3 as in
    行政機関の休日に関する法律1条1項3号)."""
    days = (day for year in range(first.year, last.year + 1) for day in closed_in(year))
    return {day for day in days if first <= day <= last}


@lru_cache(maxsize=64)
def closed_in(year: int) -> frozenset[date]:
    """Closed days of one calendar year, Saturdays and Sundays left out unless they are holidays."""
    holidays = {day for day, _ in jpholiday.year_holidays(year)}
    year_end = {date(year, 12, 29) + timedelta(days=offset) for offset in range(3)}
    return frozenset(holidays | year_end | {date(year, 1, day) for day in (1, 2, 3)})
