"""Types of cells that programs write (CKAN's DataStore, PostgreSQL's names): what is kept, and what is given back."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

SAME = {
    "integer": "int4", "bigint": "int8", "smallint": "int2", "float": "float8", "double precision": "float8", "real": "float4",
    "boolean": "bool", "varchar": "text", "character varying": "text", "decimal": "numeric", "nested": "json", "jsonb": "json",
    "timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz", "text[]": "_text", "int[]": "_int4",
    "_text": "_text", "_int4": "_int4", "serial": "int4", "year": "int4",
}  # fmt: skip
"""What means the same → the name it is kept under."""
INTEGERS = {"int", "int2", "int4", "int8"}
NUMBERS = {"numeric", "float4", "float8"}
DOCUMENTS = {"json", "_text", "_int4"}
NUMERIC = INTEGERS | NUMBERS
KNOWN = {"text", "bool", "date", "time", "timestamp", "timestamptz", *NUMERIC, *DOCUMENTS}
NO = {"f", "false", "n", "no", "off", "0"}
YES = {"t", "true", "y", "yes", "on", "1"}
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:?\d{2})?)?")


class BadValue(ValueError):
    """The value is not one of the column's type; the message is what a client is told."""


def canonical(name: str) -> str | None:
    """The name a type is kept under; None if there is no such type."""
    lower = " ".join(str(name).lower().split())
    found = SAME.get(lower, lower)
    return found if found in KNOWN else None


def affinity(type_: str) -> str:
    """How SQLite keeps the column."""
    if type_ in INTEGERS or type_ == "bool":
        return "INTEGER"
    return "REAL" if type_ in NUMBERS else "TEXT"


def guess(value: Any) -> str:
    """The type of a column from its first value, as CKAN guesses it."""
    match value:
        case bool():
            return "bool"
        case int():
            return "int4" if abs(value) < 2**31 else "int8"
        case float():
            return "numeric"
        case dict() | list():
            return "json"
        case str() if _ISO.fullmatch(value.strip()):
            return "timestamp"
    return "text"


def kept(type_: str, value: Any) -> Any:
    """What is written for `value`. BadValue if the type does not allow it."""
    if value is None or (value == "" and type_ != "text"):
        return None
    return _keep(type_)(value)


PLAIN = {"bool", "numeric"}
"""Types whose cells every format tells otherwise than they are kept; JSON tells documents (`DOCUMENTS`) as such, too."""


def shown(type_: str, stored: Any) -> Any:
    """The value a client gets."""
    if stored is None:
        return None
    if type_ == "bool":
        return bool(stored)
    if type_ == "numeric":
        return int(stored) if isinstance(stored, float) and stored.is_integer() and abs(stored) < 2**53 else stored
    if type_ == "timestamp":
        return _milliseconds(stored)
    return json.loads(stored) if type_ in DOCUMENTS else stored


CHANGED = {"bool", "numeric", "timestamp", *DOCUMENTS}
"""Types whose cells are given back in another form than they are kept in."""


def _milliseconds(stored: Any) -> Any:
    """As CKAN shows moments: 2026-11-20T10:00:00.000"""
    try:
        return datetime.fromisoformat(stored).isoformat(timespec="milliseconds")
    except (TypeError, ValueError):
        return stored


def _keep(type_: str) -> Callable[[Any], Any]:
    if type_ in INTEGERS:
        return _integer
    if type_ in NUMBERS:
        return _number
    if type_ in DOCUMENTS:
        return lambda value: _document(type_, value)
    return {"bool": _bool, "date": _date, "timestamp": _moment, "timestamptz": _moment}.get(type_, _text)


def _integer(value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = None
    if number is None or (isinstance(value, float) and value != number) or abs(number) >= 2**63:
        raise BadValue(f'invalid input syntax for type integer: "{value}"')
    return number


def _number(value: Any) -> float | int:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise BadValue(f'invalid input syntax for type numeric: "{value}"') from None
    if not number.is_finite():
        raise BadValue(f'invalid input syntax for type numeric: "{value}"')
    return int(number) if number == number.to_integral_value() and abs(number) < 2**53 else float(number)


def _bool(value: Any) -> int:
    word = str(value).strip().lower()
    if word not in YES | NO:
        raise BadValue(f'invalid input syntax for type boolean: "{value}"')
    return int(word in YES)


def _date(value: Any) -> str:
    return _moment(value)[:10]


def _moment(value: Any) -> str:
    text = str(value).strip().replace("/", "-")
    try:
        found = date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        raise BadValue(f'invalid input syntax for type timestamp: "{value}"') from None
    return f"{found.isoformat()}T00:00:00" if not isinstance(found, datetime) else found.isoformat()


def _document(type_: str, value: Any) -> str:
    if type_ == "json":
        if isinstance(value, str):
            with suppress(ValueError, RecursionError):  # a plain word is a document too, as in CKAN: "ñ"
                value = json.loads(value)
    elif not isinstance(value, list):
        raise BadValue(f'malformed array literal: "{value}"')
    return json.dumps(value, ensure_ascii=False)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
