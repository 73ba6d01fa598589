"""Calendar files (RFC 5545) that calendars of offices and phones take: whole days and spans of time."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Entry:
    """`start` and `end` are days (the end is the first day no longer) or moments. `uid` never changes for the same thing."""

    uid: str
    start: date | datetime
    end: date | datetime
    summary: str
    description: str = ""
    cancelled: bool = False


def calendar(name: str, entries: Iterable[Entry], now: datetime) -> str:
    """The text of a .ics file."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//kyodo-cloud//JA",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_text(name)}",
    ]
    for entry in entries:
        lines += _entry(entry, now)
    return "".join(_folded(line) for line in [*lines, "END:VCALENDAR"])


def _entry(entry: Entry, now: datetime) -> list[str]:
    lines = [
        "BEGIN:VEVENT",
        f"UID:{entry.uid}@kyodo-cloud",
        f"DTSTAMP:{_moment(now)}",
        f"DTSTART{_when(entry.start)}",
        f"DTEND{_when(entry.end)}",
        f"SUMMARY:{_text(entry.summary)}",
    ]
    lines += [f"DESCRIPTION:{_text(entry.description)}"] if entry.description else []
    lines += ["STATUS:CANCELLED"] if entry.cancelled else []
    return [*lines, "END:VEVENT"]


def _when(value: date | datetime) -> str:
    if isinstance(value, datetime):
        return f":{_moment(value)}"
    return f";VALUE=DATE:{value:%Y%m%d}"


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(words: str) -> str:
    """Characters with a meaning of their own escaped (RFC 5545, 3.3.11), those that may not be there (CONTROL, 3.1) left out."""
    plain = _CONTROL.sub("", words.replace("\r\n", "\n").replace("\r", "\n"))
    return plain.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _folded(line: str) -> str:
    """At most 75 bytes on a line, never cut inside a character; what follows begins with a blank (3.1)."""
    pieces, piece = [], ""
    for character in line:
        if len((piece + character).encode()) > 75 - (1 if pieces else 0):
            pieces.append(piece)
            piece = ""
        piece += character
    return "\r\n ".join([*pieces, piece]) + "\r\n"
