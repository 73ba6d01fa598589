"""The part of OData that SensorThings' readers use on observations: $top, $skip, $orderby, $count, and times in $filter."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from libs.common.errors import Invalid

MOST = 1000
_TERM = re.compile(r"(phenomenonTime|resultTime)\s++(ge|gt|le|lt|eq)\s++'?([0-9T:.Z+\- ]++)'?", re.IGNORECASE)
_AND = re.compile(r"(?<!\s)\s++and\s+", re.IGNORECASE)
_ORDER = re.compile(r"(phenomenonTime|resultTime)(?:\s+(asc|desc))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    since: datetime | None
    until: datetime | None
    newest: bool
    top: int
    skip: int
    count: bool


def asked_in(given: Mapping[str, str]) -> Asked:
    """Invalid, naming it, for what is not understood: a filter misread must not give all readings."""
    since = until = None
    for part in _AND.split(given.get("$filter", "").strip()):
        if part:
            after, before = _term(part)
            since, until = (
                max(filter(None, (since, after)), default=None),
                min(filter(None, (until, before)), default=None),
            )
    order = _ORDER.fullmatch(given.get("$orderby", "phenomenonTime desc").strip())
    if order is None:
        raise _bad("$orderby")
    return Asked(
        since, until, (order[2] or "asc").lower() == "desc", min(_number(given, "$top", 100), MOST), _number(given, "$skip", 0),
        given.get("$count", "false").lower() == "true",
    )  # fmt: skip


def _term(text: str) -> tuple[datetime | None, datetime | None]:
    found = _TERM.fullmatch(text.strip("() "))
    if found is None:
        raise _bad("$filter")
    try:
        at = datetime.fromisoformat(found[3].strip().replace(" ", "+"))
    except ValueError:
        raise _bad("$filter") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    match found[2].lower():
        case "eq":
            return at, at
        case "ge" | "gt":
            return at, None
    return None, at


def _number(given: Mapping[str, str], name: str, usual: int) -> int:
    text = given.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _bad(name)
    return int(text)


def _bad(name: str) -> Invalid:
    return Invalid(f"{name}の書き方が正しくないか、ここでは使えません。", code="bad-query", parameter=name)
