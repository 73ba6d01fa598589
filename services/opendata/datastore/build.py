"""A table becomes one SQLite file: written beside, made durable, and only then named by a row. Nothing changes it later.

So an import that is killed leaves nothing but a file nobody knows, the version before stays whole, both stores behave
alike, and a question to a table can reach nothing but that table.
"""

# ruff: noqa: S608 (columns stand in SQL as c0, c1, …, made here from numbers; what people give is always a parameter)

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,17})?(?:[eE][+-]\d{1,2})?", re.ASCII)
"""Programs write the sign of an exponent, as Excel does; 「3E5」 is a house. Three digits of it make numbers beyond all numbers."""
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?", re.ASCII)
SHAPES = (("int", INTEGER), ("numeric", NUMBER), ("date", DAY), ("timestamp", MOMENT))
AFFINITY = {"int": "INTEGER", "numeric": "REAL"}
SAMPLE = 1000
BATCH = 250
"""Rows written at once: more of them no longer stay in the processor's caches."""

Row = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Column:
    """`type`: text, int, numeric, date or timestamp where a file was read; any of `types.KNOWN` where a program wrote it.
    `info`: what a program says of the column (label, notes); `key`: part of what rows are unique by."""

    name: str
    type: str = "text"
    info: Mapping[str, Any] = field(default_factory=dict)
    key: bool = False

    def as_document(self) -> dict[str, Any]:
        told: dict[str, Any] = {"name": self.name, "type": self.type}
        return told | ({"info": dict(self.info)} if self.info else {}) | ({"key": True} if self.key else {})


@dataclass(frozen=True, slots=True)
class Built:
    """What was written."""

    columns: list[Column]
    rows: int


def build(path: Path, names: Sequence[str], rows: Callable[[], Iterable[Row]]) -> Built:
    """Write the table to `path` (a new file). `rows` may be taken more than once: a column that looked like numbers and
    was not is written again as text, so that no leading zero is ever lost. Empty cells are NULL."""
    types = guess_types(len(names), islice(iter(rows()), SAMPLE))
    while True:
        path.unlink(missing_ok=True)
        columns = [Column(name, type_) for name, type_ in zip(names, types, strict=True)]
        count, broken = _write(path, columns, iter(rows()))
        if not broken:
            return Built(columns, count)
        types = [_wider(type_) if number in broken else type_ for number, type_ in enumerate(types)]


def guess_types(width: int, rows: Iterable[Row]) -> list[str]:
    """The narrowest type of each column that fits every cell of `rows`; text where all are empty."""
    possible = [[name for name, _ in SHAPES] for _ in range(width)]
    seen = [False] * width
    for row in rows:
        for number, cell in enumerate(row[:width]):
            if cell:
                seen[number] = True
                possible[number] = [name for name in possible[number] if fits(name, cell)]
    return [names[0] if known and names else "text" for known, names in zip(seen, possible, strict=True)]


def fits(type_: str, cell: str) -> bool:
    return dict(SHAPES)[type_].fullmatch(cell) is not None


def _wider(type_: str) -> str:
    return "numeric" if type_ == "int" else "text"


def _write(path: Path, columns: list[Column], rows: Iterator[Row]) -> tuple[int, set[int]]:
    """(rows written, columns whose type did not hold)"""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "page_size=8192", "locking_mode=EXCLUSIVE"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        declared = ", ".join(f"c{n} {AFFINITY.get(column.type, 'TEXT')}" for n, column in enumerate(columns))
        connection.execute(f"CREATE TABLE data (_id INTEGER PRIMARY KEY, {declared})")
        count, broken = _insert(connection, columns, rows)
        if not broken:
            connection.execute("CREATE TABLE about (columns TEXT, rows INTEGER)")
            told = json.dumps([column.as_document() for column in columns], ensure_ascii=False)
            connection.execute("INSERT INTO about VALUES (?, ?)", (told, count))
        connection.execute("COMMIT")
    finally:
        connection.close()
    return count, broken


def _insert(connection: sqlite3.Connection, columns: list[Column], rows: Iterator[Row]) -> tuple[int, set[int]]:
    width = len(columns)
    typed = [(n, _shape_of_all(column.type)) for n, column in enumerate(columns) if column.type != "text"]
    cells = ", ".join(["NULLIF(?, '')"] * width)
    statement = f"INSERT INTO data ({', '.join(f'c{n}' for n in range(width))}) VALUES ({cells})"
    count, broken = 0, set()
    while batch := [row if len(row) == width else _of_width(row, width) for row in islice(rows, BATCH)]:
        for number, shape in typed:
            if number not in broken and not _all_fit(batch, number, shape):
                broken.add(number)
        # The first broken column stops the writing, not the looking: all of them are found before it is written again.
        if not broken:
            connection.executemany(statement, batch)
            count += len(batch)
    return count, broken


def _shape_of_all(type_: str) -> re.Pattern[str]:
    """Many cells of a type at once, each with a line's end behind it."""
    return re.compile(rf"(?:(?:{dict(SHAPES)[type_].pattern})?\n)*+", re.ASCII)


def _all_fit(batch: Sequence[Row], number: int, shape: re.Pattern[str]) -> bool:
    """Whether every cell of the column is empty or of the shape: one look at all of them costs a third of one at each."""
    lines = "\n".join([row[number] or "" for row in batch]) + "\n"
    return lines.count("\n") == len(batch) and shape.fullmatch(lines) is not None


def _of_width(row: Row, width: int) -> Row:
    return row if len(row) == width else [*row[:width], *[None] * (width - len(row))]
