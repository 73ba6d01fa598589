"""Programs change a table: on a copy of its file, which becomes a new unchanging file. The file before stays whole."""

# ruff: noqa: S608 (columns stand in SQL as c0, c1, …, made here from numbers; what people give is always a parameter)

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from libs.common.errors import Invalid
from services.opendata.datastore import types
from services.opendata.datastore.build import Column
from services.opendata.datastore.query import Condition, Question, Table

Method = Literal["insert", "upsert", "update"]
Record = Mapping[str, Any]
MOST_COLUMNS = 1_000
NAME_LENGTH = 63
"""Characters; PostgreSQL's limit, which CKAN's clients know."""
_BAD_NAME = re.compile(r'^[\s_]|["\x00]|\s$')


def refused(field: str, message: str) -> Invalid:
    return Invalid(message, fields={field: message}, code="datastore")


def column_of(told: Any) -> Column:
    """A column as a program describes it: `id`, `type`, `info`."""
    if not isinstance(told, dict) or not str(told.get("id") or "").strip():
        raise refused("fields", "Missing value")
    name = str(told["id"])
    if _BAD_NAME.search(name) or not 0 < len(name) <= NAME_LENGTH:
        raise refused("fields", f'"{name}" is not a valid field name')
    type_ = types.canonical(told.get("type") or "text")
    if type_ is None:
        raise refused("fields", f'"{told["type"]}" is not a valid field type')
    return Column(name, type_, told.get("info") or {})


class Copy:
    """A table's own copy, open for changing. `columns` are in the order of their numbers."""

    def __init__(self, connection: sqlite3.Connection, columns: list[Column]) -> None:
        self._connection, self.columns = connection, columns

    @property
    def key(self) -> list[str]:
        return [column.name for column in self.columns if column.key]

    def define(self, wanted: Sequence[Column], *, drop: bool = False) -> None:
        """New columns come after those there are; `drop`: those not wanted go, with what is in them."""
        names = [column.name for column in wanted]
        if len(set(names)) < len(names):
            raise refused("fields", "Duplicate column names are not supported")
        known = {column.name: column for column in self.columns}
        self.columns = [self._merged(column, wanted) for column in self.columns]
        if drop:
            self._drop({name for name in known if name not in names})
        for column in wanted:
            if column.name not in known:
                self._add(column)

    def _merged(self, column: Column, wanted: Sequence[Column]) -> Column:
        said = next((each for each in wanted if each.name == column.name), None)
        return replace(column, info=said.info or column.info) if said else column

    def _add(self, column: Column) -> None:
        if len(self.columns) >= MOST_COLUMNS:
            raise refused("fields", f"no more than {MOST_COLUMNS} columns")
        kind = types.affinity(column.type)
        self._connection.execute(f"ALTER TABLE data ADD COLUMN c{len(self.columns)} {kind}")
        self.columns.append(column)

    def _drop(self, gone: set[str]) -> None:
        kept = [(n, column) for n, column in enumerate(self.columns) if column.name not in gone]
        if not gone:
            return
        self._connection.execute("DROP INDEX IF EXISTS key")
        declared = ", ".join(f"c{n} {types.affinity(column.type)}" for n, (_, column) in enumerate(kept))
        self._connection.execute(f"CREATE TABLE fresh (_id INTEGER PRIMARY KEY{', ' if kept else ''}{declared})")
        taken = ", ".join(["_id", *(f"c{n}" for n, _ in kept)])
        self._connection.execute(f"INSERT INTO fresh SELECT {taken} FROM data")
        self._connection.execute("DROP TABLE data")
        self._connection.execute("ALTER TABLE fresh RENAME TO data")
        self.columns = [column for _, column in kept]
        if self.key:
            self.set_key(self.key)

    def set_key(self, names: Sequence[str]) -> None:
        """Rows are unique by these columns from now on; none: by nothing."""
        unknown = [name for name in names if name not in self._numbers()]
        if unknown:
            raise refused("primary_key", f'field "{unknown[0]}" not in table')
        self.columns = [replace(column, key=column.name in names) for column in self.columns]
        self._connection.execute("DROP INDEX IF EXISTS key")
        if names:
            numbers = ", ".join(self._numbers()[name] for name in names)
            with _told("primary_key"):
                self._connection.execute(f"CREATE UNIQUE INDEX key ON data ({numbers})")

    def write(self, records: Sequence[Any], method: Method) -> list[dict[str, Any]]:
        """Insert, update, or whichever of both fits; the rows as they now are."""
        if method != "insert" and not self.key and any("_id" not in each for each in _dicts(records)):
            raise refused("table", "table does not have a unique key defined")
        self._check_columns(records, method)
        found = {}
        for number, record in enumerate(_dicts(records)):
            with _told("records"):
                row = self._put(record, method, number)
                found[row["_id"]] = found.get(row["_id"], {}) | row
        return list(found.values())

    def _check_columns(self, records: Sequence[Any], method: Method) -> None:
        known = {*self._numbers(), "_id"}
        for number, record in enumerate(_dicts(records)):
            extra = sorted(str(name) for name in record if name not in known)
            if extra:
                if method != "insert":
                    raise refused("fields", f'fields "{", ".join(extra)}" do not exist')
                raise refused("records", f'row "{number + 1}" has extra keys "{", ".join(extra)}"')

    def _put(self, record: Record, method: Method, number: int) -> dict[str, Any]:
        try:
            values = {name: types.kept(self._type(name), value) for name, value in record.items() if name != "_id"}
        except types.BadValue as error:
            message = str(error)
            raise Invalid(message, fields={"records": message, "records_row": str(number)}, code="datastore") from None
        row_id = None if method == "insert" else self._update(record, values)
        if row_id is None and (method == "update" or (method == "upsert" and "_id" in record)):
            told = [str(record.get(name)) for name in (["_id"] if "_id" in record else self.key)]
            raise refused("key", f'key "{told}" not found')
        row_id = self._insert(values) if row_id is None else row_id
        return {"_id": row_id, **record}

    def _update(self, record: Record, values: Mapping[str, Any]) -> int | None:
        """The row's number; None if there is no such row."""
        by = ["_id"] if "_id" in record else self.key
        missing = [name for name in by if name not in record]
        if missing:
            raise refused("key", f'fields "{", ".join(missing)}" are missing but needed as key')
        numbers = self._numbers() | {"_id": "_id"}
        where = " AND ".join(f"{numbers[name]} IS ?" for name in by)
        given = [record["_id"] if name == "_id" else values[name] for name in by]
        found = self._connection.execute(f"SELECT _id FROM data WHERE {where}", given).fetchone()
        changed = {name: value for name, value in values.items() if name not in by}
        if found and changed:
            sets = ", ".join(f"{numbers[name]} = ?" for name in changed)
            self._connection.execute(f"UPDATE data SET {sets} WHERE _id = ?", [*changed.values(), found[0]])
        return found[0] if found else None

    def _insert(self, values: Mapping[str, Any]) -> int:
        if not values:
            return self._connection.execute("INSERT INTO data DEFAULT VALUES").lastrowid or 0
        names = ", ".join(self._numbers()[name] for name in values)
        sql = f"INSERT INTO data ({names}) VALUES ({', '.join('?' * len(values))})"
        return self._connection.execute(sql, list(values.values())).lastrowid or 0

    def delete(self, conditions: Sequence[Condition]) -> list[dict[str, Any]]:
        """Rows that fulfil all conditions go; they are given back."""
        table = Table(self._connection, self.columns, 0)
        names = ["_id", *table.names]
        found = [dict(zip(names, row, strict=True)) for row in table.select(Question(tuple(conditions), limit=-1))]
        self._connection.executemany("DELETE FROM data WHERE _id = ?", ([row["_id"]] for row in found))
        return found

    def _numbers(self) -> dict[str, str]:
        return {column.name: f"c{n}" for n, column in enumerate(self.columns)}

    def _type(self, name: str) -> str:
        return next(column.type for column in self.columns if column.name == name)


def _dicts(records: Iterable[Any]) -> Iterator[Record]:
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise refused("records", f"row {number + 1} is not a json object")
        yield record


@contextmanager
def _told(field: str) -> Iterator[None]:
    """What the database refuses becomes a sentence for the client."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise refused(field, "duplicate key value violates unique constraint") from None
    except (sqlite3.OperationalError, OverflowError) as error:
        raise refused(field, str(error)) from error


@contextmanager
def changing(path: Path) -> Iterator[Copy]:
    """The table in `path` (a copy nobody reads yet; made empty where there is no file), written out whole at the end."""
    fresh = not path.exists()
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        if fresh:
            connection.execute("CREATE TABLE data (_id INTEGER PRIMARY KEY AUTOINCREMENT)")
            connection.execute("CREATE TABLE about (columns TEXT, rows INTEGER)")
            connection.execute("INSERT INTO about VALUES ('[]', 0)")
        told = json.loads(connection.execute("SELECT columns FROM about").fetchone()[0])
        copy = Copy(connection, [Column(**column) for column in told])
        yield copy
        told = json.dumps([column.as_document() for column in copy.columns], ensure_ascii=False)
        connection.execute("UPDATE about SET columns = ?, rows = (SELECT count(*) FROM data)", [told])
        connection.execute("COMMIT")
    finally:
        connection.close()
