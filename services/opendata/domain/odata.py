"""The part of OData that SensorThings' readers use: $filter, $orderby, $top, $skip, $count, $select, $expand. What is not understood is
refused, naming it: a filter misread must not give all readings, nor readings of another time."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from libs.common.errors import Invalid

MOST, USUAL = 1000, 100
LONGEST, DEEPEST = 2000, 20
"""Letters of a $filter, and conditions within conditions."""
MOST_ORDERS, NESTED = 5, 5
"""Fields of an $orderby, and $expand within $expand."""
Kind = Literal["time", "number", "text"]
COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le,
}  # fmt: skip
_TOKEN = re.compile(
    r"\s*+(?:(?P<mark>[(),])|(?P<text>'(?:[^']|'')*+')|(?P<time>\d{4}-\d\d-\d\dT[0-9:.]++(?:Z|[+\- ]\d\d:?\d\d)?)"
    r"|(?P<number>-?\d++(?:\.\d++)?(?:[eE][+-]?\d{1,3})?)|(?P<word>[A-Za-z@][A-Za-z0-9_/@.]*+))"
)
_ORDER = re.compile(r"([\w@./]+)(?:\s+(asc|desc))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entity:
    """What can be asked of one kind of thing. `fields`: what filters and orders name; `order`: how they come unasked; `shown`: what
    $select names; `expands`: what $expand names, and what can be asked of each (which may lead back here)."""

    fields: Mapping[str, Kind]
    order: str
    shown: frozenset[str]
    expands: dict[str, "Entity"] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """`operator`: one of COMPARED, `has`, `starts` or `ends` (texts)."""

    field: str
    operator: str
    value: datetime | float | str


@dataclass(frozen=True, slots=True)
class Joined:
    """`word`: and, or."""

    word: str
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"


Node = Compare | Joined | Not


@dataclass(frozen=True, slots=True)
class Asked:
    """`order`: fields, and whether the largest comes first. `select`: empty for everything."""

    where: Node | None
    order: tuple[tuple[str, bool], ...]
    top: int
    skip: int
    count: bool
    select: frozenset[str]
    expand: Mapping[str, "Asked"]
    given: Mapping[str, str] = field(default_factory=dict, compare=False)
    """As it was written."""

    def shown(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Of what is told what was selected."""
        return {key: value for key, value in told.items() if not self.select or key in self.select}


def asked_in(given: Mapping[str, str], entity: Entity, depth: int = 0) -> Asked:
    """NotUnderstood, naming it, for what is none of these. `depth`: how many $expand it stands in."""
    for name in given:
        if name.startswith("$") and name not in (
            "$filter",
            "$orderby",
            "$top",
            "$skip",
            "$count",
            "$select",
            "$expand",
        ):
            raise _bad(name)
    count = given.get("$count", "false").lower()
    select = frozenset("@iot.id" if name == "id" else name for name in _names(given.get("$select", ""), ","))
    if count not in ("true", "false") or not select <= entity.shown:
        raise _bad("$select" if count in ("true", "false") else "$count")
    where = given.get("$filter", "")
    return Asked(
        _Filter(where, entity.fields).read() if where.strip() else None, _ordered(given.get("$orderby", entity.order), entity),
        min(_number(given, "$top", USUAL), MOST), _number(given, "$skip", 0), count == "true", select,
        _expanded(given.get("$expand", ""), entity, depth), dict(given),
    )  # fmt: skip


def _ordered(text: str, entity: Entity) -> tuple[tuple[str, bool], ...]:
    found = [_ORDER.fullmatch(part.strip()) for part in text.split(",")]
    if not 1 <= len(found) <= MOST_ORDERS or any(each is None or each[1] not in entity.fields for each in found):
        raise _bad("$orderby")
    return tuple((each[1], (each[2] or "asc").lower() == "desc") for each in found if each)


def _expanded(text: str, entity: Entity, depth: int) -> dict[str, Asked]:
    """Observations($top=1;$orderby=phenomenonTime desc),Thing/Locations"""
    found: dict[str, Asked] = {}
    for part in _names(text, ","):
        path, opened, rest = part.partition("(")
        name, further, behind = path.strip().partition("/")
        if name not in entity.expands or depth >= NESTED or (opened and not rest.endswith(")")):
            raise _bad("$expand")
        pairs = [pair.partition("=") for pair in _names(rest.removesuffix(")"), ";")]
        inner = {key.strip(): value for key, _, value in pairs}
        if further:
            inner = {"$expand": f"{behind}{opened}{rest}"}
        asked, known = asked_in(inner, entity.expands[name], depth + 1), found.get(name)
        # Datastreams/Sensor,Datastreams/Thing: both ways begin alike.
        found[name] = replace(known, expand={**known.expand, **asked.expand}) if known else asked
    return found


def _names(text: str, mark: str) -> Iterator[str]:
    """The parts between marks that stand in no brackets."""
    if len(text) > LONGEST:
        raise _bad("$expand")
    depth, part = 0, ""
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == mark and not depth:
            if part.strip():
                yield part.strip()
            part = ""
        else:
            part += letter
    if part.strip():
        yield part.strip()


class _Filter:
    """Reads one $filter: comparisons of a field with a value, joined by and, or, not and brackets."""

    def __init__(self, text: str, fields: Mapping[str, Kind]) -> None:
        if len(text) > LONGEST:
            raise _bad("$filter")
        self._fields, self._at = fields, 0
        self._tokens: list[tuple[str, str]] = []
        text, place = text.strip(), 0
        while place < len(text):
            found = _TOKEN.match(text, place)
            if found is None or not found.lastgroup:
                raise _bad("$filter")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            place = found.end()

    def read(self) -> Node:
        node = self._joined("or", 0)
        if self._at != len(self._tokens):
            raise _bad("$filter")
        return node

    def _joined(self, word: str, depth: int) -> Node:
        parts = [self._part(word, depth)]
        while self._take(word):
            parts.append(self._part(word, depth))
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def _part(self, word: str, depth: int) -> Node:
        return self._joined("and", depth) if word == "or" else self._one(depth + 1)

    def _one(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise _bad("$filter")
        if self._take("not"):
            return Not(self._one(depth + 1))
        if self._take("("):
            node = self._joined("or", depth + 1)
            self._need(")")
            return node
        for name, how in (("substringof", "has"), ("contains", "has"), ("startswith", "starts"), ("endswith", "ends")):
            if self._take(name):
                return self._function(how, text_first=name == "substringof")
        name = self._field()
        _, word = self._next()
        if word.lower() not in COMPARED:
            raise _bad("$filter")
        return Compare(name, word.lower(), self._value(self._fields[name]))

    def _function(self, how: str, *, text_first: bool) -> Node:
        self._need("(")
        value = self._value("text") if text_first else ""
        if text_first:
            self._need(",")
        name = self._field()
        if not text_first:
            self._need(",")
            value = self._value("text")
        self._need(")")
        if self._fields[name] != "text":
            raise _bad("$filter")
        return Compare(name, how, value)

    def _field(self) -> str:
        _, name = self._next()
        if name not in self._fields:
            raise _bad("$filter")
        return name

    def _value(self, kind: Kind) -> datetime | float | str:
        said, text = self._next()
        bare = text[1:-1].replace("''", "'") if said == "text" else text
        if kind == "text" and said == "text":
            return bare
        if kind == "number" and said == "number":
            return float(text)
        if kind == "time" and said in ("time", "text"):
            return _moment(bare)
        raise _bad("$filter")

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise _bad("$filter")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, word: str) -> bool:
        here = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        found = here[0] in ("word", "mark") and here[1].lower() == word
        self._at += found
        return found

    def _need(self, mark: str) -> None:
        if not self._take(mark):
            raise _bad("$filter")


def _moment(text: str) -> datetime:
    """In UTC. A blank for the plus of a zone is what an address makes of it."""
    try:
        at = datetime.fromisoformat(text.strip().replace(" ", "+"))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _bad("$filter") from None


class Told(Protocol):
    """What is said of each field; None for what is not known."""

    def get(self, name: str, /) -> Any: ...


def narrowed(node: Node, told: Told, known: Callable[[str], bool]) -> Node | bool:
    """What is left of it once the fields that are `known` have been looked up."""
    if isinstance(node, Not):
        part = narrowed(node.part, told, known)
        return not part if isinstance(part, bool) else Not(part)
    if isinstance(node, Compare):
        return holds(node, told) if known(node.field) else node
    parts, decisive = [narrowed(part, told, known) for part in node.parts], node.word == "or"
    if decisive in parts:
        return decisive
    left = tuple(part for part in parts if not isinstance(part, bool))
    return Joined(node.word, left) if left else not decisive


def fields_of(node: Node) -> set[str]:
    """What it compares."""
    if isinstance(node, Compare):
        return {node.field}
    return set().union(*map(fields_of, node.parts)) if isinstance(node, Joined) else fields_of(node.part)


def holds(node: Node, told: Told) -> bool:
    """Whether it is true of what `told` says of each field; of what is not known nothing is true."""
    match node:
        case Joined("and", parts):
            return all(holds(part, told) for part in parts)
        case Joined(_, parts):
            return any(holds(part, told) for part in parts)
        case Not(part):
            return not holds(part, told)
        case Compare(name, how, value):
            there = told.get(name)
            if there is None:
                return False
            match how:
                case "has":
                    return str(value) in str(there)
                case "starts":
                    return str(there).startswith(str(value))
                case "ends":
                    return str(there).endswith(str(value))
            return bool(COMPARED[how](there, value))


def _number(given: Mapping[str, str], name: str, usual: int) -> int:
    text = given.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _bad(name)
    return int(text)


class NotUnderstood(Invalid):
    """A question that cannot be answered as it stands: 400, as SensorThings 1.1 wants it (9.3.1, `query-status-code`)."""

    status = 400

    def __init__(self, sentence: str, parameter: str) -> None:
        super().__init__(sentence, code="bad-query", parameter=parameter)


def _bad(name: str) -> NotUnderstood:
    return NotUnderstood(f"{name}の書き方が正しくないか、ここでは使えません。", name)
