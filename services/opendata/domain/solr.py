"""The part of Solr's query language that CKAN's clients use in `fq` and `q`: terms, phrases, groups, ranges, AND, OR, NOT.

organization:"402036" +tags:(AED OR 避難所) -res_format:PDF metadata_modified:[2026-01-01T00:00:00Z TO *] name:aed*
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from libs.common.errors import Invalid

_TOKEN = re.compile(
    r"""\s*(?:(?P<field>[A-Za-z_][\w.]*):(?=\S) | (?P<range>[\[{][^\]}]*[\]}]) | (?P<open>\() | (?P<close>\)) | (?P<sign>[+\-!](?=\S))
        | (?P<phrase>"(?:[^"\\]|\\.)*")(?:[~^][\d.]*)* | (?P<word>[^\s()"]+))""",
    re.VERBOSE,
)
MAX_TOKENS = 500
MAX_DEPTH = 20
_WEIGHT = re.compile(r"(?<=.)[~^][\d.]*$")
"""How much a part counts (`^4`), or how near its words stand (`~2`): order is by our own relevance."""
_NOW = re.compile(r"(?<=[\[{\s])NOW((?:/[A-Z]+|[+-]\d+[A-Z]+)*)(?=\s+TO\s|\s*[\]}])")
_STEP = re.compile(r"/([A-Z]+)|([+-]\d{1,9})([A-Z]+)")
_SECONDS = {"DAY": 86_400, "DATE": 86_400, "HOUR": 3600, "MINUTE": 60, "SECOND": 1}
_BEGINNINGS = {
    "YEAR": {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}, "MONTH": {"day": 1, "hour": 0, "minute": 0, "second": 0},
    "DAY": {"hour": 0, "minute": 0, "second": 0}, "DATE": {"hour": 0, "minute": 0, "second": 0}, "HOUR": {"minute": 0, "second": 0},
    "MINUTE": {"second": 0}, "SECOND": {},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Term:
    """`field` "" is the text itself. In a value that is no `phrase`, * stands for any letters and ? for one."""

    field: str
    value: str
    phrase: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """`least` and `most` are "*" where there is no bound; both are part of it unless `above` and `below` say that they are not."""

    field: str
    least: str
    most: str
    above: bool = False
    below: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    part: "Query"


@dataclass(frozen=True, slots=True)
class All:
    parts: "tuple[Query, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: "tuple[Query, ...]"


Query = Term | Range | Not | All | AnyOf


def at(text: str, now: datetime) -> str:
    """The query with moments for what is counted from now in its ranges (`NOW/DAY-7DAYS`, to the second). Invalid for units that are
    none and moments that no calendar has."""
    return _NOW.sub(lambda found: _counted_from(now.astimezone(UTC), found[1]).strftime("%Y-%m-%dT%H:%M:%SZ"), text)


def _counted_from(moment: datetime, steps: str) -> datetime:
    try:
        for beginning, number, unit in _STEP.findall(steps):
            if beginning:
                moment = moment.replace(microsecond=0, **_BEGINNINGS[beginning])
            else:
                moment = _moved(moment, int(number), unit.removesuffix("S"))
    except (KeyError, ValueError, OverflowError):
        raise _not_understood(f"NOW{steps}") from None
    return moment


def _moved(moment: datetime, number: int, unit: str) -> datetime:
    """Months later, on the month's last day where it has no such day."""
    if unit not in ("YEAR", "MONTH"):
        return moment + timedelta(seconds=number * _SECONDS[unit])
    months = moment.year * 12 + moment.month - 1 + number * (12 if unit == "YEAR" else 1)
    first = moment.replace(year=months // 12, month=months % 12 + 1, day=1)
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(moment.day, last.day))


def parse(text: str) -> Query:
    """The query; an empty one is All(()). Invalid for what Solr would not parse either."""
    parser = _Parser(_tokens(text))
    found = parser.expression("", 0)
    if parser.rest:
        raise _not_understood(text)
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at or len(found) >= MAX_TOKENS:
            raise _not_understood(text)
        found.append((str(match.lastgroup), str(match.group(str(match.lastgroup)))))
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.rest = tokens

    def expression(self, field: str, depth: int) -> Query:
        """Clauses up to a closing bracket. OR binds its two neighbours; otherwise all must hold."""
        if depth > MAX_DEPTH:
            raise _not_understood("((((")
        parts: list[Query] = []
        either = False
        while self.rest and self.rest[0][0] != "close":
            if self.rest[0][1] in ("AND", "&&"):
                self.rest = self.rest[1:]
                continue
            if self.rest[0][1] in ("OR", "||"):
                self.rest, either = self.rest[1:], True
                continue
            clause = self.clause(field, depth)
            if either and parts:
                before = parts.pop()
                clause = AnyOf((*before.parts, clause) if isinstance(before, AnyOf) else (before, clause))
            parts.append(clause)
            either = False
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def clause(self, field: str, depth: int) -> Query:
        kind, text = self.rest[0]
        self.rest = self.rest[1:]
        if (kind == "sign" and text != "+") or (kind == "word" and text == "NOT"):
            return Not(self._needed(field, depth))
        match kind:
            case "sign":
                return self._needed(field, depth)
            case "field":
                return self._needed(text, depth)
            case "open":
                inner = self.expression(field, depth + 1)
                if not self.rest:
                    raise _not_understood("(")
                self.rest = self.rest[1:]
                return inner
            case "phrase":
                return Term(field, re.sub(r"\\(.)", r"\1", text[1:-1]), phrase=True)
            case "range":
                bounds = re.fullmatch(r"[\[{]\s*(\S+)\s+TO\s+(\S+)\s*[\]}]", text)
                if bounds is None or not field:
                    raise _not_understood(text)
                return Range(field, bounds[1].strip('"'), bounds[2].strip('"'), text[0] == "{", text[-1] == "}")
        if text == "*:*":
            return All(())
        return Term(field, re.sub(r"\\(.)", r"\1", _WEIGHT.sub("", text)))

    def _needed(self, field: str, depth: int) -> Query:
        if not self.rest or self.rest[0][0] == "close":
            raise _not_understood(field)
        return self.clause(field, depth)


def _not_understood(text: str) -> Invalid:
    return Invalid(f"Cannot parse '{text[:100]}'", code="search-query")
