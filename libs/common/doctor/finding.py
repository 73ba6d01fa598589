"""One finding: what was looked at, what is so, what to do about it."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """UNKNOWN: it could not be looked at from here."""

    GOOD = "good"
    UNKNOWN = "unknown"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    what: str
    said: str
    do: str = ""


def good(what: str, said: str) -> Finding:
    return Finding(Level.GOOD, what, said)


def unknown(what: str, said: str, do: str = "") -> Finding:
    return Finding(Level.UNKNOWN, what, said, do)


def warning(what: str, said: str, do: str) -> Finding:
    return Finding(Level.WARNING, what, said, do)


def bad(what: str, said: str, do: str) -> Finding:
    return Finding(Level.BAD, what, said, do)
