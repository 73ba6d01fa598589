"""Two versions of a table, compared by the databases they are: no rows pass through memory but those shown."""

# ruff: noqa: S608 (columns stand in SQL as c0, c1, …, made here from numbers; what people give is always a parameter)

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHOWN = 100


@dataclass
class Comparison:
    """`key`: the column that names rows; "" where none does, then a changed row is one gone and one new.

    `changed`: (key, column, before, after). Lists hold the first `SHOWN`; the counts are of all.
    """

    key: str = ""
    columns_added: list[str] = field(default_factory=list)
    columns_removed: list[str] = field(default_factory=list)
    added: list[dict[str, Any]] = field(default_factory=list)
    removed: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[Any, str, Any, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: {"added": 0, "removed": 0, "changed": 0})

    @property
    def same(self) -> bool:
        return not (any(self.counts.values()) or self.columns_added or self.columns_removed)


def compare(before: Path, after: Path, names_before: Sequence[str], names_after: Sequence[str]) -> Comparison:
    """What `after` has, lacks and says differently. Both are tables made by `build`."""
    found = Comparison(
        columns_added=[name for name in names_after if name not in names_before],
        columns_removed=[name for name in names_before if name not in names_after],
    )
    common = [name for name in names_after if name in names_before]
    connection = sqlite3.connect("file::memory:", uri=True)
    try:
        _attach(connection, "old", before)
        _attach(connection, "new", after)
        old = {name: f"c{names_before.index(name)}" for name in common}
        new = {name: f"c{names_after.index(name)}" for name in common}
        found.key = _key(connection, common, old, new)
        if found.key:
            _by_key(connection, found, common, old, new)
        elif common:
            _by_content(connection, found, common, old, new)
    finally:
        connection.close()
    return found


def _attach(connection: sqlite3.Connection, name: str, path: Path) -> None:
    connection.execute(f"ATTACH DATABASE ? AS {name}", (f"file:{path}?mode=ro&immutable=1",))


def _key(connection: sqlite3.Connection, common: Sequence[str], old: dict[str, str], new: dict[str, str]) -> str:
    """The first column that is filled and different in every row of both."""
    for name in common:
        unique = all(
            connection.execute(f"SELECT count(*) = count(DISTINCT {column}) FROM {where}.data").fetchone()[0]
            for where, column in (("old", old[name]), ("new", new[name]))
        )
        if unique:
            return name
    return ""


def _by_key(
    connection: sqlite3.Connection, found: Comparison, common: Sequence[str], old: dict[str, str], new: dict[str, str]
) -> None:
    gone = f"FROM old.data WHERE {old[found.key]} NOT IN (SELECT {new[found.key]} FROM new.data)"
    come = f"FROM new.data WHERE {new[found.key]} NOT IN (SELECT {old[found.key]} FROM old.data)"
    _rows(connection, found, "removed", gone, common, old)
    _rows(connection, found, "added", come, common, new)
    joined = f"FROM old.data o JOIN new.data n ON o.{old[found.key]} = n.{new[found.key]}"
    for name in common:
        where = f"{joined} WHERE o.{old[name]} IS NOT n.{new[name]}"
        found.counts["changed"] += connection.execute(f"SELECT count(*) {where}").fetchone()[0]
        room = SHOWN - len(found.changed)
        sql = f"SELECT n.{new[found.key]}, o.{old[name]}, n.{new[name]} {where} ORDER BY n._id LIMIT {room}"
        found.changed += [(key, name, one, other) for key, one, other in connection.execute(sql)]


def _by_content(
    connection: sqlite3.Connection, found: Comparison, common: Sequence[str], old: dict[str, str], new: dict[str, str]
) -> None:
    olds, news = ", ".join(old[name] for name in common), ", ".join(new[name] for name in common)
    numbered_old = ", ".join(f"{old[name]} AS k{n}" for n, name in enumerate(common))
    numbered_new = ", ".join(f"{new[name]} AS k{n}" for n, name in enumerate(common))
    keys = {name: f"k{n}" for n, name in enumerate(common)}
    # The how-manieth equal row each one is: three equal rows against two leave one.
    old_rows = f"SELECT {numbered_old}, row_number() OVER (PARTITION BY {olds}) AS again FROM old.data"
    new_rows = f"SELECT {numbered_new}, row_number() OVER (PARTITION BY {news}) AS again FROM new.data"
    _rows(connection, found, "removed", f"FROM ({old_rows} EXCEPT {new_rows})", common, keys)
    _rows(connection, found, "added", f"FROM ({new_rows} EXCEPT {old_rows})", common, keys)


def _rows(
    connection: sqlite3.Connection,
    found: Comparison,
    what: str,
    source: str,
    names: Sequence[str],
    columns: dict[str, str],
) -> None:
    found.counts[what] = connection.execute(f"SELECT count(*) {source}").fetchone()[0]
    cursor = connection.execute(f"SELECT {', '.join(columns[name] for name in names)} {source} LIMIT {SHOWN}")
    getattr(found, what).extend(dict(zip(names, row, strict=True)) for row in cursor)
