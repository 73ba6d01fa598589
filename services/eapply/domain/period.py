"""標準処理期間 in working days (行政手続法6条): from arrival to the day an answer may be expected.

The day of arrival does not count (民法140条). Saturdays, Sundays, holidays and 12/29-1/3 do not count
(行政機関の休日に関する法律1条; the
municipalities' own ordinances follow it), nor does the time between asking for a correction and its arrival.
Where an application is filed at a 経由機関 (transit agency), its days are stated apart (6条), and those of the deciding
office begin when the application has come there.
Days are counted by arithmetic over weeks, not one by one: the tests count them one by one and compare.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

Closures = Callable[[date, date], Iterable[date]]
"""(first, last) → the days between, both included, on which the office is closed. Saturdays and Sundays may be left
out."""

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pause:
    """A correction was asked for on `asked` and came on `answered` (None: still awaited).

    The day of asking was worked on and counts; the days after it, up to and with the day of the answer, do not.
    """

    asked: date
    answered: date | None = None

    def stretch(self, today: date) -> tuple[date, date]:
        """First and last day that do not count; an open pause goes on until today, as if the answer came today."""
        return self.asked + ONE_DAY, self.answered or max(today, self.asked)


@dataclass(frozen=True, slots=True)
class Transit:
    """The way through a 経由機関: `days` working days are usual (≥ 1); it reached the deciding office on `reached`
    (None: still on the way)."""

    days: int
    reached: date | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the time with a day of its own: `used` of `total` working days, by `due`. `passed`: it was not kept."""

    due: date
    total: int
    used: int
    passed: bool


@dataclass(frozen=True, slots=True)
class Period:
    """How an application stands in its time. `left` is in working days, negative when late; `paused` while awaiting
    a correction. `passed` is true from the day after `due` on, also on a holiday, when no working day is over yet.
    `transit` is the way before it; while that goes on (`on_the_way`), `due` is a forecast and no day is used."""

    due: date
    total: int
    used: int
    paused: bool
    passed: bool
    transit: Stage | None = None
    on_the_way: bool = False

    @property
    def left(self) -> int:
        return self.total - self.used


def period(
    arrived: date,
    days: int,
    pauses: Iterable[Pause],
    closures: Closures,
    today: date,
    transit: Transit | None = None,
) -> Period:
    """Where an application that arrived on `arrived` stands `today`, with `days` working days to go by."""
    pauses = list(pauses)
    begun, stage = _after_transit(arrived, transit, pauses, closures, today)
    due = due_date(begun, days, pauses, closures, today)
    return Period(
        due=due,
        total=days,
        used=working_days(begun + ONE_DAY, today, pauses, closures, today),
        paused=any(pause.answered is None for pause in pauses),
        passed=today > due,
        transit=stage,
        on_the_way=transit is not None and transit.reached is None,
    )


def _after_transit(
    arrived: date, transit: Transit | None, pauses: list[Pause], closures: Closures, today: date
) -> tuple[date, Stage | None]:
    """The day from which the deciding office counts, and how the way there stands. What is still on the way is taken
    to come when that is usual, and today at the earliest."""
    if transit is None:
        return arrived, None
    due = due_date(arrived, transit.days, pauses, closures, today)
    ended = transit.reached or today
    used = working_days(arrived + ONE_DAY, ended, pauses, closures, today)
    begun = transit.reached or max(due, today)
    return begun, Stage(due, transit.days, used, ended > due)


def due_date(arrived: date, days: int, pauses: Iterable[Pause], closures: Closures, today: date) -> date:
    """The day on which the `days`-th working day falls. `days` ≥ 1."""
    if days < 1:
        raise ValueError("a period has at least one working day")
    pauses = list(pauses)
    low, high = arrived + ONE_DAY, arrived + timedelta(days=2 * days + 14)
    while working_days(arrived + ONE_DAY, high, pauses, closures, today) < days:
        low, high = high + ONE_DAY, high + (high - arrived)
    while low < high:
        middle = low + (high - low) // 2
        if working_days(arrived + ONE_DAY, middle, pauses, closures, today) >= days:
            high = middle
        else:
            low = middle + ONE_DAY
    return low


def working_days(first: date, last: date, pauses: Iterable[Pause], closures: Closures, today: date) -> int:
    """How many days from `first` to `last`, both included, count."""
    total = open_days(first, last, closures)
    for start, end in merged(pause.stretch(today) for pause in pauses):
        total -= open_days(max(first, start), min(last, end), closures)
    return total


def open_days(first: date, last: date, closures: Closures) -> int:
    """Days from `first` to `last`, both included, on which the office is open."""
    if last < first:
        return 0
    closed = {day for day in closures(first, last) if first <= day <= last and day.weekday() < 5}
    return weekdays(first, last) - len(closed)


def weekdays(first: date, last: date) -> int:
    """Mondays to Fridays from `first` to `last`, both included."""
    weeks, rest = divmod((last - first).days + 1, 7)
    return 5 * weeks + sum((first.weekday() + offset) % 7 < 5 for offset in range(rest))


def merged(stretches: Iterable[tuple[date, date]]) -> list[tuple[date, date]]:
    """Stretches of days without overlap, so that no day is taken off twice."""
    result: list[tuple[date, date]] = []
    for start, end in sorted(stretch for stretch in stretches if stretch[0] <= stretch[1]):
        if result and start <= result[-1][1] + ONE_DAY:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result
