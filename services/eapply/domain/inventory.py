"""棚卸し: why a procedure is not online, and which to put online first. Plain rules."""

from collections.abc import Iterable
from dataclasses import dataclass

REASONS = {
    "": "まだ決めていない",
    "in_person": "法令で対面が要る",
    "original": "原本や現物が要る",
    "payment": "手数料の払い方が決まらない",
    "low_volume": "件数が少ない",
    "other_system": "別のシステムで受け付けている",
    "planned": "これからオンライン化する",
    "other": "そのほか",
}
BY_WORD = {words: reason for reason, words in REASONS.items()}
BLOCKED = frozenset({"in_person", "original", "other_system"})
"""Reasons that the municipality cannot take away by itself: such procedures come last."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What ranking needs to know of a procedure that is not online."""

    id: str
    yearly_volume: int | None
    reason: str
    has_template: bool


def first_online(entries: Iterable[Entry]) -> list[Entry]:
    """Those that people would gain most by, first: nothing in the way before something, then by applications a year
    (not counted: 0), then those of which a template exists."""
    return sorted(entries, key=lambda e: (e.reason in BLOCKED, -(e.yearly_volume or 0), not e.has_template, e.id))
