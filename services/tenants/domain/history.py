"""Two times: when a fact held, and when it was recorded. Nothing recorded is ever overwritten.

A fact holds on the days `valid_from <= day < valid_until`; an open end is None. It was believed during
`recorded_at <= moment < superseded_at`. A correction closes the old belief and records a new one.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Protocol, TypeVar

from libs.common.clock import JST


class Dated(Protocol):
    @property
    def valid_from(self) -> date | None: ...
    @property
    def valid_until(self) -> date | None: ...
    @property
    def recorded_at(self) -> datetime: ...
    @property
    def superseded_at(self) -> datetime | None: ...


Fact = TypeVar("Fact", bound=Dated)


def holds_on(fact: Dated, day: date) -> bool:
    """Whether the fact was so on `day`."""
    after_start = fact.valid_from is None or fact.valid_from <= day
    return after_start and (fact.valid_until is None or day < fact.valid_until)


def holds_during(fact: Dated, first: date, last: date) -> bool:
    """Whether the fact was so on at least one day from `first` to `last`, both included."""
    started = fact.valid_from is None or fact.valid_from <= last
    return started and (fact.valid_until is None or first < fact.valid_until) and not is_empty(fact)


def is_empty(fact: Dated) -> bool:
    """A fact that holds on no day: it ended on the day it began, or before."""
    return fact.valid_from is not None and fact.valid_until is not None and fact.valid_until <= fact.valid_from


def believed(facts: Iterable[Fact], known_at: datetime | None = None) -> Iterator[Fact]:
    """What was in the register at the moment `known_at`; None means what is in it now."""
    for fact in facts:
        if known_at is None:
            if fact.superseded_at is None:
                yield fact
        elif fact.recorded_at <= known_at and (fact.superseded_at is None or known_at < fact.superseded_at):
            yield fact


def end_of_day(day: date) -> datetime:
    """The last moment of a calendar day in Japan: "as known on 2018-10-31" includes what was recorded that evening."""
    return datetime.combine(day + timedelta(days=1), time(), JST) - timedelta(microseconds=1)
