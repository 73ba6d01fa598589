"""サービスレベル: how a share of answers and a typical wait are said. What is promised stands in `docs/slo.md`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median


def availability(asked: int, answered: int) -> str | None:
    """Per cent with two decimals, never rounded up: one silence in a million looks does not become 100.00. None: never looked."""
    if asked <= 0:
        return None
    hundredths = answered * 10_000 // asked
    return f"{hundredths // 100}.{hundredths % 100:02d}"


@dataclass(frozen=True, slots=True)
class Waits:
    """How often something was waited for, and how long: the middle one and the longest."""

    count: int
    typical: timedelta
    longest: timedelta


def waits(found: Iterable[tuple[datetime, datetime]]) -> Waits | None:
    """Of (asked, answered) pairs; None where there are none."""
    seconds = [(answered - asked).total_seconds() for asked, answered in found]
    if not seconds:
        return None
    return Waits(len(seconds), timedelta(seconds=median(seconds)), timedelta(seconds=max(seconds)))


def overlap(spans: Iterable[tuple[datetime, datetime]], since: datetime, until: datetime) -> timedelta:
    """How long the spans last inside [since, until); what two spans cover is counted once."""
    total, reached = timedelta(), since
    for begin, end in sorted(spans):
        start, stop = max(begin, reached), min(end, until)
        if stop > start:
            total, reached = total + (stop - start), stop
    return total
