"""Functions of SQL whose own form takes the product of two lengths in one step, which no clock of SQLite's can end: here in their sum.

`instr` and `replace` of two megabytes take minutes in SQLite 3, `trim` hours; its progress handler is asked between steps only.
"""

import sqlite3
from collections.abc import Callable
from functools import partial

MOST_TRIMMED = 1_000
"""Characters that `trim` takes away, at most."""


def bind(connection: sqlite3.Connection, most: int) -> None:
    """Put them in the place of SQLite's. `most`: bytes that a value may have. What is larger ends the statement as SQLite ends it."""
    connection.create_function("instr", 2, _instr, deterministic=True)
    connection.create_function("replace", 3, partial(_replace, most), deterministic=True)
    for name, way in (("trim", str.strip), ("ltrim", str.lstrip), ("rtrim", str.rstrip)):
        for arguments in (1, 2):
            connection.create_function(name, arguments, partial(_trim, way), deterministic=True)


Value = str | bytes | int | float | None


def _instr(whole: Value, part: Value) -> int | None:
    if whole is None or part is None:
        return None
    if isinstance(whole, bytes) and isinstance(part, bytes):
        return whole.find(part) + 1
    return _text(whole).find(_text(part)) + 1


def _replace(most: int, whole: Value, part: Value, new: Value) -> Value:
    if whole is None or part is None:
        return None
    text, old = _text(whole), _text(part)
    if not old:
        return text if isinstance(whole, bytes) else whole
    if new is None:
        return None
    put = _text(new)
    if len(text) + text.count(old) * (len(put) - len(old)) > most:
        raise OverflowError
    return text.replace(old, put)


def _trim(way: Callable[[str, str], str], whole: Value, marks: Value = " ") -> str | None:
    if whole is None or marks is None:
        return None
    if len(_text(marks)) > MOST_TRIMMED:
        raise OverflowError
    return way(_text(whole), _text(marks))


def _text(value: Value) -> str:
    """As SQLite's cast to text has it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, float):
        number, e, power = f"{value:.15g}".partition("e")
        return (number if set(number) & set(".ni") else f"{number}.0") + e + power
    return str(value)
