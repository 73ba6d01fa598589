"""The part of Solr's query language that CKAN's clients use in `fq` and `q`: terms, phrases, groups, ranges, AND, OR, NOT.

organization:"402036" +tags:(AED OR 避難所) -res_format:PDF metadata_modified:[2026-01-01T00:00:00Z TO *] name:aed*
"""

import re
from dataclasses import dataclass

from libs.common.errors import Invalid

_TOKEN = re.compile(
    r"""\s*(?:(?P<field>[A-Za-z_][\w.]*):(?=\S) | (?P<range>[\[{][^\]}]*[\]}]) | (?P<open>\() | (?P<close>\)) | (?P<sign>[+\-!](?=\S))
        | (?P<phrase>"(?:[^"\\]|\\.)*") | (?P<word>[^\s()"]+))""",
    re.VERBOSE,
)
MAX_TOKENS = 500
MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Term:
    """`field` "" is the text itself. `value` "*" is any value; one that ends with * is a beginning."""

    field: str
    value: str
    phrase: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """`least` and `most` are "*" where there is no bound; both are part of it."""

    field: str
    least: str
    most: str


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
                return Range(field, bounds[1].strip('"'), bounds[2].strip('"'))
        if text == "*:*":
            return All(())
        return Term(field, re.sub(r"\\(.)", r"\1", text))

    def _needed(self, field: str, depth: int) -> Query:
        if not self.rest or self.rest[0][0] == "close":
            raise _not_understood(field)
        return self.clause(field, depth)


def _not_understood(text: str) -> Invalid:
    return Invalid(f"Cannot parse '{text[:100]}'", code="search-query")
