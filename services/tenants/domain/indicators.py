"""Indicators of a plan: exact values, how far they have come, the traffic light by a stated rule, the forecast.

progress = (value − baseline) / (target − baseline); elapsed = days since the baseline / days from baseline to target.
達成 (met): the target is reached. 順調: progress ≥ elapsed. やや遅れ: progress ≥ 7/10 of elapsed. 遅れ: less. An indicator that must stay
where it is (target = baseline) is met or late. Where a number is missing, before the day of the baseline, and of a part of what
adds up to a year, nothing is judged.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Literal

from libs.common.clock import fiscal_year
from libs.common.errors import Invalid, say

Light = Literal["met", "on_track", "behind", "late", "unknown"]
Better = Literal["more", "less"]
Source = Literal["automatic", "imported", "typed"]
BEHIND = Fraction(7, 10)
"""Of the time elapsed: progress from here on is やや遅れ, below it 遅れ."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Baseline and target of an indicator as the plan prints them (「全ての所属」 is a target too)."""

    baseline: str
    baseline_date: str
    target: str
    target_date: str
    better: Better

    @property
    def start(self) -> Decimal | None:
        return number(self.baseline)

    @property
    def aim(self) -> Decimal | None:
        return number(self.target)


@dataclass(frozen=True, slots=True)
class Value:
    """One value: of a fiscal year (`quarter` 0) or of a quarter of it (1: April to June). `number` is exact; `source` says how it
    came to be."""

    fiscal_year: int
    quarter: int
    number: Decimal
    source: Source


def number(text: str) -> Decimal | None:
    """71, 92.1, 11,000, ５０％ → the number; None for words and for nothing."""
    plain = re.sub(r"[,\s%]", "", unicodedata.normalize("NFKC", text))
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", plain):
        return None
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None


def read_value(text: str) -> Decimal:
    """A value that a person typed. Raises Invalid for what is no number or longer than 15 digits."""
    found = number(text)
    if found is None or len(found.as_tuple().digits) > 15:
        sentence = say("値を数字で入力してください。小数も使えます。")
        raise Invalid(sentence, fields={"value": sentence})
    return found


_BEFORE_ERA = {"令和": 2018, "平成": 1988, "": 0}
"""The year before the first of each era."""


def year_of(text: str) -> int | None:
    """A fiscal year as people write it: 2018, 2018年度, 平成30年度, 令和元年度, in any width; None for anything else. 平成31年度 is the
    whole of 2019 too (元号を改める政令, 平成31年政令143号: until 2019-04-30)."""
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).replace("元年", "1年")
    found = re.fullmatch(r"(令和|平成)([0-9]{1,2})(?:年度?)?|()([0-9]{4})(?:年度?)?", plain)
    if found is None:
        return None
    era, number = found[1] or "", int(found[2] or found[4])
    never = number == 0 or (era == "平成" and number > 31)
    return None if never else _BEFORE_ERA[era] + number


def day_of(text: str) -> date | None:
    """2018年度 or 平成30年度 → its last day, 2019-03-31; 2020-03-01 → that day; None for anything else."""
    plain = unicodedata.normalize("NFKC", text).strip()
    year = year_of(plain) if plain.endswith("年度") else None
    if year is not None and year < date.max.year:
        return date(year + 1, 3, 31)
    try:
        return date.fromisoformat(plain)
    except ValueError:
        return None


def last_day(fiscal_year: int, quarter: int) -> date:
    """The last day of a fiscal year (`quarter` 0) or of one of its quarters."""
    return {
        1: date(fiscal_year, 6, 30),
        2: date(fiscal_year, 9, 30),
        3: date(fiscal_year, 12, 31),
    }.get(quarter, date(fiscal_year + 1, 3, 31))


def first_day(fiscal_year: int, quarter: int) -> date:
    """The first day of a fiscal year (`quarter` 0) or of one of its quarters."""
    return date(fiscal_year + quarter // 4, (4, 4, 7, 10, 1)[quarter], 1)


def better_way(baseline: str, target: str) -> Better:
    """Which way is better, from the numbers; one that stays at zero must not grow."""
    start, aim = number(baseline), number(target)
    if start is None or aim is None:
        return "more"
    return "less" if aim < start or aim == start == 0 else "more"


def leads_away(baseline: str, target: str, better: str) -> bool:
    """Whether the target is on the worse side of the baseline: such a target would be met from the first day on."""
    start, aim = number(baseline), number(target)
    return start is not None and aim is not None and start != aim and (aim > start) != (better == "more")


# ---- how far it has come --------------------------------------------------------------------------------------------


def is_met(goal: Goal, value: Decimal) -> bool:
    aim = goal.aim
    return aim is not None and (value >= aim if goal.better == "more" else value <= aim)


def progress(goal: Goal, value: Decimal) -> Fraction | None:
    """1 is the target, 0 the baseline; None where one of them is no number or they are the same."""
    if goal.start is None or goal.aim is None or goal.aim == goal.start:
        return None
    return Fraction(value - goal.start) / Fraction(goal.aim - goal.start)


def elapsed(goal: Goal, day: date) -> Fraction | None:
    """The share of the time from baseline to target that is over on `day`, from 0 to 1."""
    begin, end = day_of(goal.baseline_date), day_of(goal.target_date)
    if begin is None or end is None or end <= begin:
        return None
    return min(Fraction(1), max(Fraction(0), Fraction((day - begin).days, (end - begin).days)))


def light(goal: Goal, value: Decimal | None, day: date) -> Light:
    """The traffic light of `value` on `day`, by the rule above."""
    if value is None or goal.aim is None:
        return "unknown"
    if is_met(goal, value):
        return "met"
    begin = day_of(goal.baseline_date)
    if begin is not None and day < begin:
        return "unknown"
    come, over = progress(goal, value), elapsed(goal, day)
    if come is None:
        return "late" if goal.start is not None else "unknown"
    if over is None:
        return "unknown"
    if come >= over:
        return "on_track"
    return "behind" if come >= BEHIND * over else "late"


# ---- what is coming -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Forecast:
    """By the straight line that fits the known values best (least squares): the value on the target's day, and the fiscal year
    in which the target would be reached (None: not on this way)."""

    at_target: Fraction
    reached: int | None


def forecast(goal: Goal, points: Sequence[tuple[date, Decimal]]) -> Forecast | None:
    """None with fewer than two days, or without a target in numbers."""
    end = day_of(goal.target_date)
    if end is None or goal.aim is None or len({day for day, _ in points}) < 2:
        return None
    slope, at_zero = _line([(day.toordinal(), Fraction(value)) for day, value in points])
    return Forecast(at_zero + slope * end.toordinal(), _reached(goal, slope, at_zero, max(day for day, _ in points)))


def _line(points: Sequence[tuple[int, Fraction]]) -> tuple[Fraction, Fraction]:
    """(slope, value at day 0) of the least squares line."""
    count = len(points)
    mean_day, mean = Fraction(sum(d for d, _ in points), count), sum((v for _, v in points), Fraction(0)) / count
    over = sum(((d - mean_day) * (v - mean) for d, v in points), Fraction(0))
    slope = over / sum(((d - mean_day) ** 2 for d, _ in points), Fraction(0))
    return slope, mean - slope * mean_day


def _reached(goal: Goal, slope: Fraction, at_zero: Fraction, last: date) -> int | None:
    aim = Fraction(goal.aim or 0)
    if slope == 0 or (slope > 0) != (goal.better == "more"):
        return None
    day = -(-(aim - at_zero) // slope)
    if day > date(2100, 3, 31).toordinal():
        return None
    found = max(last, date.fromordinal(max(1, int(day))))
    return fiscal_year(found)
