"""The years that data are about: those its title names, those its first columns run through."""

import re
from collections.abc import Iterable

_YEAR = re.compile(r"(令和|平成|昭和)\s*(元|\d{1,2})\s*年|(?<!\d)((?:19|20)\d\d)\s*年")
BEFORE = {"令和": 2018, "平成": 1988, "昭和": 1925}
MOST = 80
"""Years told of one data set."""


def named_in(title: str) -> set[int]:
    """令和6年度 is 2024, as 2024年 is."""
    found = set()
    for era, number, western in _YEAR.findall(title.translate(_NARROW)):
        found.add(int(western) if western else BEFORE[era] + (1 if number == "元" else int(number)))
    return found


def run_through(least: object, most: object) -> list[int]:
    """The years from the first to the last day (or year) of a column, none where they are no years."""
    first, last = _year(least), _year(most)
    return list(range(first, last + 1)) if first and last and first <= last < first + MOST else []


def _year(value: object) -> int:
    text = str(value)[:4]
    return int(text) if text.isascii() and text.isdigit() and 1868 <= int(text) <= 2100 else 0


def told(years: Iterable[int]) -> tuple[str, ...]:
    return tuple(map(str, sorted(set(years), reverse=True)[:MOST]))


_NARROW = str.maketrans("０１２３４５６７８９", "0123456789")
