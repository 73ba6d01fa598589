"""SELECT over published tables, in a connection that has nothing else: unchanging files, opened for reading, under an authorizer.

Not PostgreSQL's and not CKAN's `datastore_search_sql` (CVE-2026-42031 let it out of its table): there is no server behind it,
no file it could open, no row anybody may not read. Time, memory, disk for sorting and size of the statement are bounded.
"""

# ruff: noqa: S608 (names in SQL are quoted ids of published files and columns' names with their quotes doubled)

import math
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from libs.common.errors import Forbidden, Invalid, Refusal, Unavailable
from services.opendata.datastore import functions
from services.opendata.datastore.build import Column

NAME = re.compile(r'"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')
CALLED = re.compile(r'\b(?:from|join)\s++(?:"?public"?\s*+\.\s*+)?+(?:"([^"]+)"|([^\W\d]\w*))', re.IGNORECASE)
"""What a statement reads from, by name."""
SCHEMA = re.compile(r'\b"?public"?\s*\.\s*(?=")')
"""What programs written for PostgreSQL put before a table."""
MOST_CALLED = 20
MOST_TABLES, MOST_ROWS, MOST_CHARACTERS = 5, 32_000, 50_000_000
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 4_000_000, sqlite3.SQLITE_LIMIT_SQL_LENGTH: 50_000, sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 20, sqlite3.SQLITE_LIMIT_VDBE_OP: 100_000, sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0, sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500, sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
}  # fmt: skip
MOST_SPILLED, LOOK_EVERY = 32 * 1024**2, 0.02
"""Bytes that a statement may sort and keep on the disk: SQLite merges them into a second file as large, so 64 MiB in all. It is looked
up every so many seconds."""
STEPS = 1_000
"""of SQLite's machine between two looks at the clock: one may make a text of megabytes."""
FORBIDDEN = {
    "load_extension",
    "fts3_tokenizer",
    "readfile",
    "writefile",
    "edit",
    "randomblob",
    "sqlite_compileoption_get",
}
UNSTEADY = re.compile(
    r"\b(?:random|current_(?:date|time|timestamp)|date|time|datetime|julianday|unixepoch|strftime|timediff)\b",
    re.IGNORECASE,
)
OPEN_FILES = Path("/proc/self/fd")
_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}


@dataclass(frozen=True, slots=True)
class Answer:
    """`truncated`: there were more than `MOST_ROWS` rows."""

    names: list[str]
    rows: list[tuple[Any, ...]]
    truncated: bool


def named(sql: str) -> list[str]:
    """The ids of tables that stand in the statement, in double quotes. Invalid for more than `MOST_TABLES`."""
    found = list(dict.fromkeys(NAME.findall(sql)))
    if len(found) > MOST_TABLES:
        raise _bad(f"no more than {MOST_TABLES} tables")
    return found


def tables_called(sql: str) -> list[str]:
    """What the statement reads from that is no file's id: other names of tables, or its own. Invalid for more than `MOST_TABLES`."""
    found = dict.fromkeys(quoted or plain for quoted, plain in CALLED.findall(sql))
    names = [name for name in found if not NAME.fullmatch(f'"{name}"')]
    if len(names) > MOST_CALLED:
        raise _bad(f"no more than {MOST_CALLED} names of tables")
    return names


def select(tables: Mapping[str, tuple[Path, list[Column]]], sql: str, seconds: float) -> Answer:
    """Run one SELECT over `tables` (id → file, columns). Invalid, naming what is wrong; Forbidden for what is no reading of them;
    Unavailable when it takes too long."""
    sql = SCHEMA.sub("", sql)
    connection = sqlite3.connect("file::memory:", uri=True, isolation_level=None)
    try:
        for number, (ident, (path, columns)) in enumerate(tables.items()):
            connection.execute(f"ATTACH DATABASE ? AS t{number}", (f"file:{path}?mode=ro&immutable=1",))
            names = ", ".join(["_id", *(f"c{n} AS {_quoted(column.name)}" for n, column in enumerate(columns))])
            connection.execute(f"CREATE TEMP VIEW {_quoted(ident)} AS SELECT {names} FROM t{number}.data")
        for limit, most in LIMITS.items():
            connection.setlimit(limit, most)
        functions.bind(connection, LIMITS[sqlite3.SQLITE_LIMIT_LENGTH])
        watch = Watch(seconds)
        connection.set_progress_handler(watch.ends, STEPS)
        connection.set_authorizer(_may)
        return _answer(connection, sql, watch)
    finally:
        connection.close()


class Watch:
    """When a statement has had its time, or its room on the disk. What another statement of this process spills meanwhile counts, too:
    the room is the process's."""

    def __init__(self, seconds: float) -> None:
        now = time.monotonic()
        self._end, self._next, self._before, self.spilled = now + seconds, now + LOOK_EVERY, spilled(), False

    def ends(self) -> bool:
        now = time.monotonic()
        if now > self._next:
            self._next = now + LOOK_EVERY
            self.spilled = spilled() - self._before > MOST_SPILLED
        return self.spilled or now > self._end


def spilled() -> int:
    """Bytes in the temporary files that SQLite has open in this process. It takes their names away at once (SQLITE_OPEN_DELETEONCLOSE):
    they stand among the open files only. 0 where the system shows none."""
    total = 0
    with suppress(FileNotFoundError):
        for file in OPEN_FILES.iterdir():
            with suppress(OSError):  # closed meanwhile
                if file.readlink().name.startswith("etilqs_"):
                    total += file.stat().st_size
    return total


def depends_on_more(sql: str) -> bool:
    """Whether the answer may be another one later, though the tables are the same: it asks for the time, or for chance."""
    return UNSTEADY.search(sql) is not None


def _answer(connection: sqlite3.Connection, sql: str, watch: Watch) -> Answer:
    try:
        cursor = connection.execute(sql)
        rows = list(_within(islice(cursor, MOST_ROWS + 1)))
    except sqlite3.OperationalError as error:
        if watch.spilled:
            sentence = (
                "並べ替えや重複の除去に使う場所が足りません。行や列を減らすか、全件をダウンロードしてお使いください。"
            )
            raise Invalid(sentence, fields={"query": sentence}, code="too-much-to-sort") from error
        if "interrupted" in str(error):
            raise Unavailable("問い合わせに時間がかかりすぎたため、中断しました。", code="query-too-long") from error
        raise _refusal(str(error)) from error
    except (sqlite3.Error, sqlite3.Warning, MemoryError, UnicodeEncodeError) as error:
        raise _refusal(str(error)) from error
    if cursor.description is None:
        raise _bad("Query is not a SELECT statement.")
    return Answer(_apart([each[0] for each in cursor.description]), rows[:MOST_ROWS], len(rows) > MOST_ROWS)


def _apart(names: list[str]) -> list[str]:
    """No two alike, in SQLite's own way (`a`, `a:1`): of two columns of one name JSON would hold the last only."""
    found: dict[str, None] = {}
    for name in names:
        number, free = 1, name
        while free in found:
            free, number = f"{name}:{number}", number + 1
        found[free] = None
    return list(found)


def _refusal(message: str) -> Refusal:
    if message.startswith("no such function: "):
        # CKAN allows functions by a list; clients know a 403 with these words.
        return Forbidden(
            f"Not authorized to call function {message.removeprefix('no such function: ')}", code="bad-sql"
        )
    if "authorized" in message or "prohibited" in message:
        return Forbidden(message, code="bad-sql")
    return _bad("Query is not a single statement." if "one statement" in message else message)


def _within(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The rows, as long as all of them are no larger than `MOST_CHARACTERS`."""
    left = MOST_CHARACTERS
    for row in rows:
        left -= sum(len(cell) for cell in row if isinstance(cell, str | bytes))
        if left < 0:
            raise _bad("the answer is too large: ask for fewer rows or columns")
        yield tuple(map(_told, row))


def _told(cell: Any) -> Any:
    """A cell as JSON can have it: bytes in hexadecimal, nothing for a number beyond all numbers."""
    if isinstance(cell, bytes):
        return cell.hex()
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def _may(action: int, first: str | None, second: str | None, *_: object) -> int:
    """Reading tables and views, and functions that compute."""
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if (second or "").lower() in FORBIDDEN else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_READ:
        return sqlite3.SQLITE_DENY if (first or "").startswith(("sqlite_", "pragma_", "about")) else sqlite3.SQLITE_OK
    return sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _bad(message: str) -> Invalid:
    return Invalid(message, fields={"query": message}, code="bad-sql")
