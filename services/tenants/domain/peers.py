"""What municipalities of the same size say in numbers: a middle and its spread, never one municipality's own figure."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

LEAST = 3
"""Fewer values than this are not summed up: a reader could tell whose they are."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of `of` municipalities: the middle value (for an even number the mean of the two middle ones), the least, the most."""

    of: int
    middle: Fraction
    least: Fraction
    most: Fraction


def spread(values: Iterable[int | Fraction]) -> Spread | None:
    """None where there are fewer than `LEAST`."""
    exact = sorted(Fraction(value) for value in values)
    if len(exact) < LEAST:
        return None
    return Spread(len(exact), median(exact), exact[0], exact[-1])


def rounded(value: Fraction, digits: int = 0) -> str:
    """With commas, half away from zero: 1243, 12.5."""
    whole = int(value * 10**digits + Fraction(1, 2))
    return f"{whole // 10**digits:,}" + (f".{whole % 10**digits:0{digits}d}" if digits else "")
