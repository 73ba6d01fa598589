"""Questions to one table. Column names become numbers before any SQL is written; values are always parameters."""

# ruff: noqa: S608 (columns stand in SQL as c0, c1, …, made here from numbers; what people give is always a parameter)

import json
import re
import sqlite3
import threading
import time
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from libs.common.errors import Invalid, TooLarge, Unavailable, say
from services.opendata.datastore.build import Column
from services.opendata.datastore.types import DOCUMENTS, NUMERIC, BadValue, affinity, kept, shown

OPERATORS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "=", "ne": "<>"}
ROWS_AT_ONCE, TOGETHER = 500, 100
LARGEST_PAGE, DEEP = 10_000, 5_000
"""Rows of what is a page; so many rows before it, and an index on the column it is ordered by is worth making."""
LARGEST_ANSWER = 32_000
"""Rows of what is no export: SQLite keeps only so many while it sorts."""
MOST_SORTED, SORTED_AT_ONCE = 512 * 1024**2, 4
"""Bytes of a table whose rows are sorted as a whole, and how many are in one process: SQLite sorts them on the disk, at most twice their
size each."""
_SORTING = threading.BoundedSemaphore(SORTED_AT_ONCE)
WIDE = 300
"""Columns; in wider tables a word is looked for as it is written only."""
NUMERAL = re.compile(r"[-+.\dEe]+", re.ASCII)
"""What the text of a number can hold."""
LETTER = re.compile(r"[A-Za-z]")
MOST_CONDITIONS, MOST_VALUES, LONGEST = 200, 32_000, 1_000
"""A question's conditions, their values in all, characters of a word: SQLite takes a thousand and 32,766 (SQLITE_MAX_EXPR_DEPTH,
SQLITE_MAX_VARIABLE_NUMBER)."""
STEPS = 2_000
"""of SQLite's machine between two looks at the clock."""
Row = tuple[Any, ...]
Part = tuple[str, list[Any]]
"""A condition in SQL, and its parameters."""
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


@dataclass(frozen=True, slots=True)
class Condition:
    """`operator`: one of OPERATORS, `in` (value: a list), `contains` (text in any of its spellings, as `words`), `empty`, or
    `any` (value: lists of conditions, of which one must hold as a whole; no column)."""

    column: str
    operator: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a table. `words`: each must occur in some column. `sort`: (column, descending), and with a third part
    whether empty cells come `first` or `last`. `after`: only
    rows that come after the one with this `_id` (a keyset cursor; without `first` and `last`)."""

    conditions: tuple[Condition, ...] = ()
    words: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sort: tuple[tuple[Any, ...], ...] = ()
    limit: int = 100
    offset: int = 0
    after: int = 0
    distinct: bool = False


@dataclass
class Table:
    """A table open for reading, and for nothing else."""

    connection: sqlite3.Connection
    columns: list[Column]
    rows: int
    path: Path = Path()
    indexed: frozenset[str] = frozenset()
    """Columns that have an index."""
    compared: set[str] = field(default_factory=set)
    """Columns (c0, c1, …) by which single values or a deep page were asked for: an index would find them."""
    sorting: bool = False
    """It has one of the places for sorting on the disk, until it is closed."""
    _numbers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._numbers = {"_id": "_id"} | {column.name: f"c{n}" for n, column in enumerate(self.columns)}

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def select(self, question: Question) -> Iterator[tuple[Any, ...]]:
        """The rows asked for, as tuples of `_id` and the wanted columns (of the wanted columns alone if distinct)."""
        wanted = self.wanted(question)
        where, values = self._where(question)
        start = question.offset
        if start and not where and not question.sort and not question.distinct and self._without_gap():
            # A deep page costs what the first one does.
            where, values, start = ["_id > ?"], [start], 0
        cells = f"SELECT {'DISTINCT ' if question.distinct else ''}{', '.join(self._numbers[name] for name in wanted)} FROM data"
        ordered = [self._order(*each) for each in question.sort] + ([] if question.distinct else ["_id"])
        order = f" ORDER BY {', '.join(ordered)}" if ordered else ""
        chosen = f" WHERE {' AND '.join(where)}" if where else ""
        rows = f"{_by(question)}{chosen}{order}"
        page = f"{rows} LIMIT ? OFFSET ?"
        if start and question.sort and _is_page(question):
            # Only numbers are sorted, and the page's rows alone are read: millions of whole rows would be sorted on the disk.
            page = f" WHERE _id IN (SELECT _id FROM data{page}){order}"
            if start >= DEEP and (where or self._column(question.sort[0][0]) not in self.indexed):
                # With a limit SQLite keeps the first half million in a tree, row by row; without one it sorts all in a tenth of the time.
                cells = f"WITH deep AS MATERIALIZED (SELECT _id FROM data{rows}) {cells}"
                page = f" WHERE _id IN (SELECT _id FROM deep LIMIT ? OFFSET ?){order}"
            self.compared |= {self._column(question.sort[0][0])} if start >= DEEP and not where else set()
        self._take_room(question)
        if question.after and question.sort and not (question.conditions or question.words):
            first = self._column(question.sort[0][0])
            self.compared.add(first)
            if first in self.indexed and _is_page(question):
                return self._walk(question, cells, order)
        return self._run(cells + page, [*values, question.limit, start])

    def _walk(self, question: Question, cells: str, order: str) -> Iterator[Row]:
        """The page behind a row by the index: part after part, so that no more is read than the page."""
        found: list[Row] = []
        for part, values in self._after(question):
            if len(found) < question.limit:
                found += self._run(f"{cells} WHERE {part}{order} LIMIT ?", [*values, question.limit - len(found)])
        return iter(found)

    def _take_room(self, question: Question) -> None:
        """Rows that are no page are sorted on the disk: of so much, so often at once. Unavailable where others do it now."""
        if not _sorts_whole(question) or self.sorting:
            return
        self.check_size(question)
        if not _SORTING.acquire(blocking=False):
            sentence = "並べ替えた全件の書き出しが、いま重なっています。少し待つか、並べ替えずに書き出してください。"
            raise Unavailable(sentence, code="sorting-busy", retry_after=30)
        self.sorting = True

    def check_size(self, question: Question) -> None:
        """TooLarge where all rows of a table beyond `MOST_SORTED` are wanted in an order."""
        if _sorts_whole(question) and self.path.stat().st_size > MOST_SORTED:
            sentence = "この表は大きいため、全件を並べ替えて書き出せません。並べ替えずに書き出すか、limitを32000以下にしてください。"
            raise TooLarge(sentence, code="too-large-to-sort")

    def _without_gap(self) -> bool:
        """Whether rows are numbered 1, 2, 3 …; where a program has deleted some, they are not."""
        return self.connection.execute("SELECT coalesce(max(_id), 0) FROM data").fetchone()[0] == self.rows

    def check(self, question: Question) -> None:
        """Invalid if it names a column or an operator that is not there."""
        self.wanted(question)
        self._where(question)
        for name, *_ in question.sort:
            self._column(name)
        self.check_size(question)

    def wanted(self, question: Question) -> list[str]:
        names = list(question.columns) or self.names
        for name in names:
            self._column(name)
        return names if question.distinct or "_id" in names else ["_id", *names]

    def count(self, question: Question) -> int:
        """How many rows there are without limit and offset."""
        where, values = self._where(question)
        if not where and not question.distinct:
            return self.rows
        inner = f" WHERE {' AND '.join(where)}" if where else ""
        if question.distinct:
            names = ", ".join(self._numbers[name] for name in self.wanted(question))
            sql = f"SELECT count(*) FROM (SELECT DISTINCT {names} FROM data{inner})"
        else:
            sql = f"SELECT count(*) FROM data{_by(question)}{inner}"
        return next(self._run(sql, values))[0]

    def statistics(self, name: str, top: int = 10) -> dict[str, Any]:
        """`filled`, `distinct`, `least`, `most`, `mean` (numbers only) and the commonest values with their counts."""
        column = self._column(name)
        kind = self._type(name)
        mean = f"avg({column})" if kind in NUMERIC else "NULL"
        sql = f"SELECT count({column}), count(DISTINCT {column}), min({column}), max({column}), {mean} FROM data"
        filled, distinct, least, most, average = next(self._run(sql, []))
        common = f"SELECT {column}, count(*) FROM data WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?"
        return {
            "name": name, "type": kind, "filled": filled, "distinct": distinct, "least": least, "most": most,
            "mean": average, "common": list(self._run(common, [top])) if distinct < filled else [],
        }  # fmt: skip

    def squares(self, lat: str, lng: str) -> list[tuple[int, int]]:
        """Squares of 1/12° × 1/8° that hold a row, counted from the equator and from 100° E (domain/meshes.py). 0, 0 is no place."""
        north, east = self._column(lat), self._column(lng)
        sql = f"""SELECT DISTINCT CAST({north} * 12 AS INTEGER), CAST(({east} - 100) * 8 AS INTEGER) FROM data
                  WHERE {north} BETWEEN 1 AND 90 AND {east} BETWEEN 100 AND 180 LIMIT 5000"""
        return list(self._run(sql, []))

    def aggregate(
        self, group: Sequence[str], measures: Sequence[tuple[str, str]], question: Question, *, largest: bool = False
    ) -> Iterator[tuple]:
        """Groups with their measures: (function, column), function one of count, sum, avg, min, max. In the order of the groups, or
        those with the `largest` last measure first."""
        for function, name in measures:
            if function not in ("count", "sum", "avg", "min", "max") or (name == "*" and function != "count"):
                raise Invalid(f"計算「{function}」は使えません。", code="bad-aggregate")
            if function in ("sum", "avg") and self._type(name) not in NUMERIC:
                # SQLite takes words for zeros: a sum of them would look like one.
                sentence = f"列「{name[:60]}」は数の列ではないので、合計と平均を計算できません。"
                raise Invalid(sentence, code="bad-aggregate", column=name[:60])
        keys = [self._column(name) for name in group]
        told = [f"{function}({self._column(name) if name != '*' else '*'})" for function, name in measures]
        where, values = self._where(question)
        sql = f"SELECT {', '.join([*keys, *told])} FROM data"
        sql += f" WHERE {' AND '.join(where)}" if where else ""
        order = [f"{len(keys) + len(told)} DESC", *keys] if largest else keys
        sql += f" GROUP BY {', '.join(keys)} ORDER BY {', '.join(order)}" if keys else ""
        return self._run(f"{sql} LIMIT ? OFFSET ?", [*values, question.limit, question.offset])

    # ---- the SQL

    def _column(self, name: str) -> str:
        try:
            return self._numbers[name]
        except KeyError:
            raise Invalid(
                say("列「%(name)s」はこの表にありません。", name=name[:60]), code="unknown-column", column=name[:60]
            ) from None

    def _type(self, name: str) -> str:
        """Invalid for a column that is not there."""
        self._column(name)
        return next((column.type for column in self.columns if column.name == name), "int")

    def _order(self, name: str, down: bool, empty: str = "") -> str:
        nulls = {"first": " NULLS FIRST", "last": " NULLS LAST"}.get(empty, "")
        return f"{self._column(name)}{' DESC' if down else ''}{nulls}"

    def _any_of(self, choices: Sequence[Sequence[Condition]]) -> tuple[str, list[Any]]:
        parts, values = [], []
        for choice in choices:
            told = [self._condition(condition) for condition in choice]
            parts.append("(" + (" AND ".join(part for part, _ in told) or "1") + ")")
            values += [value for _, given in told for value in given]
        return "(" + (" OR ".join(parts) or "0") + ")", values

    def _where(self, question: Question) -> tuple[list[str], list[Any]]:
        parts, values = [], []
        if question.after:
            part, values = _either(self._after(question))
            parts.append(part)
        for condition in question.conditions:
            part, given = self._condition(condition)
            parts.append(part)
            values += given
        for word in question.words:
            part, given = self._word(_plain(_short(word)))
            parts.append(part)
            values += given
        if leaves(question.conditions) > MOST_CONDITIONS or len(values) > MOST_VALUES:
            raise Invalid(say("条件が多すぎます。減らしてお試しください。"), code="too-many-conditions")
        return parts, values

    def _after(self, question: Question) -> list[Part]:
        """Behind the row with this number, in the order asked for, in parts that come one after the other; rows with equal cells stand
        in the order of their numbers."""
        if not question.sort:
            return [("_id > ?", [question.after])]
        columns = [self._column(name) for name, *_ in question.sort]
        sql = f"SELECT {', '.join(columns)} FROM data WHERE _id = ?"
        found = self.connection.execute(sql, [question.after]).fetchone()
        if found is None:
            sentence = "続きの位置（cursor）の行は、もうありません。はじめのページから、もう一度お読みください。"
            raise Invalid(sentence, code="bad-cursor")
        parts: list[Part] = [("_id > ?", [question.after])]
        for column, value, (_, down, *_rest) in reversed(list(zip(columns, found, question.sort, strict=True))):
            same, values = _either(parts)
            parts = [(f"({column} IS ? AND {same})", [value, *values]), *_behind(column, value, down=down)]
        return parts

    def _word(self, word: str) -> tuple[str, list[Any]]:
        """Some cell holds the word, in either case of ASCII's letters and in any of its spellings. Columns of numbers are looked
        through for numerals only."""
        parts, values = [], []
        for each in spellings(word) if len(self.columns) <= WIDE else [word]:
            test, value = _holds(each)
            for n, column in enumerate(self.columns):
                if affinity(column.type) == "TEXT" or NUMERAL.fullmatch(each):
                    parts.append(f"instr(c{n}, ?)" if test == "instr" else f"c{n} LIKE ? ESCAPE '\\'")
                    values.append(value)
        return (_any(parts) if parts else "0"), values

    def _condition(self, condition: Condition) -> tuple[str, list[Any]]:
        if condition.operator == "any":
            return self._any_of(condition.value)
        column = self._column(condition.column)
        match condition.operator:
            case "in":
                given = [self._given(condition.column, value) for value in condition.value]
                self.compared.add(column)
                return f"{column} IN ({', '.join('?' * len(given))})", given
            case "contains":
                return self._held(column, str(condition.value))
            case "empty":
                return f"{column} IS {'' if condition.value else 'NOT '}NULL", []
            case "eq" if condition.value is None:
                return f"{column} IS NULL", []
            case operator if operator in OPERATORS:
                self.compared |= {column} if operator == "eq" else set()
                return f"{column} {OPERATORS[operator]} ?", [self._given(condition.column, condition.value)]
        raise Invalid(
            say("条件「%(operator)s」は使えません。", operator=condition.operator[:20]), code="unknown-operator"
        )

    def _held(self, column: str, text: str) -> tuple[str, list[Any]]:
        """The column's cells hold the text in one of its spellings."""
        parts, values = [], []
        for each in spellings(_plain(_short(text))):
            test, value = _holds(each)
            parts.append(f"instr({column}, ?) > 0" if test == "instr" else f"{column} LIKE ? ESCAPE '\\'")
            values.append(value)
        return _any(parts), values

    def _given(self, name: str, value: Any) -> Any:
        """A value as the column keeps it: true and false are 1 and 0 there, whichever way a program writes them; lists are JSON."""
        kind = self._type(name)
        if kind != "bool" and not (kind in DOCUMENTS and isinstance(value, list | dict)):
            return _plain(value)
        try:
            return kept(kind, value)
        except BadValue as error:
            raise Invalid(say("条件の値は、列の種類に合わせて指定してください。"), code="bad-value") from error

    def _run(self, sql: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """The first rows are there when it returns: what was sorted is sorted, and what could not be is refused before anything is sent."""
        rest = self._fetched(sql, values)
        return chain(next(rest, []), chain.from_iterable(rest))

    def _fetched(self, sql: str, values: Sequence[Any]) -> Iterator[list[tuple[Any, ...]]]:
        try:
            cursor = self.connection.execute(sql, values)
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                yield rows
        except sqlite3.OperationalError as error:
            if "integer overflow" in str(error):
                raise Invalid(say("合計が大きすぎて、計算できません。"), code="bad-aggregate") from error
            if "disk" in str(error):
                sentence = (
                    "並べ替えに使う場所が、いま足りません。並べ替えずに書き出すか、しばらくしてからお試しください。"
                )
                raise Unavailable(sentence, code="no-room-to-sort", retry_after=60) from error
            if "interrupted" not in str(error):
                raise
            sentence = "問い合わせに時間がかかりすぎたため、中断しました。条件を減らすか、全件をダウンロードしてお使いください。"
            raise Unavailable(sentence, code="query-too-long", retry_after=60) from error
        except sqlite3.IntegrityError as error:
            raise Invalid(say("_idは、行の番号です。数で指定してください。"), code="bad-value") from error
        except OverflowError as error:
            raise Invalid(say("数が大きすぎて、比べられません。"), code="bad-value") from error


def _by(question: Question) -> str:
    """An index only where single values are wanted, or a page of the whole table in its order: SQLite would take it for half of a
    table, too, and sort what it finds."""
    single = any(each.operator in ("eq", "in") for each in question.conditions)
    whole = not (question.conditions or question.words or question.after)
    return "" if single or (whole and question.sort and _is_page(question)) else " NOT INDEXED"


def _sorts_whole(question: Question) -> bool:
    return bool(question.sort) and not 0 <= question.limit <= LARGEST_ANSWER


def _is_page(question: Question) -> bool:
    return 0 <= question.limit <= LARGEST_PAGE and not question.distinct


def _behind(column: str, value: Any, *, down: bool) -> list[Part]:
    """Cells that stand behind `value`: empty ones are the least of all."""
    if value is None:
        return [] if down else [(f"{column} IS NOT NULL", [])]
    return [(f"{column} < ?", [value]), (f"{column} IS NULL", [])] if down else [(f"{column} > ?", [value])]


def _either(parts: Sequence[Part]) -> Part:
    return f"({' OR '.join(part for part, _ in parts)})", [value for _, values in parts for value in values]


def _holds(text: str) -> tuple[str, str]:
    """The test of a cell, and its value: LIKE knows both cases of ASCII's letters, but looks for other characters one by one."""
    if LETTER.search(text):
        return "like", "%" + re.sub(r"([%_\\])", r"\\\1", text) + "%"
    return "instr", text


def spellings(word: str) -> list[str]:
    """The word as it may stand in a cell: as written, in half and full width, in hiragana, katakana and half-width katakana."""
    plain = unicodedata.normalize("NFKC", word)
    wide = [each.translate(_FULL_WIDTH) for each in (plain.upper(), plain.lower())]
    kana = plain.translate(_TO_KATAKANA)
    return list(dict.fromkeys([word, plain, *wide, plain.translate(_TO_HIRAGANA), kana, kana.translate(_TO_HALF)]))


_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_TO_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_HALF = [chr(code) for code in range(0xFF61, 0xFFA0)]
_TO_HALF = {
    ord(wide): half
    for half in (*_HALF, *(f"{each}{mark}" for each in _HALF for mark in "ﾞﾟ"))
    if len(wide := unicodedata.normalize("NFKC", half)) == 1
}
_TO_KATAKANA = {code - 0x60: code for code in range(0x30A1, 0x30F7)}


def _any(parts: Sequence[str]) -> str:
    """One of `parts`, in groups: SQLite refuses a thousand of them in one row (SQLITE_MAX_EXPR_DEPTH), and tables are wider."""
    groups = [" OR ".join(parts[start : start + TOGETHER]) for start in range(0, len(parts), TOGETHER)]
    return "(" + " OR ".join(f"({group})" for group in groups) + ")"


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise Invalid(say("条件の値は、文字か数で指定してください。"), code="bad-value")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Invalid(say("条件の値に、文字でないものがあります。"), code="bad-value") from error
    return value


def _short(text: str) -> str:
    """What is looked for inside cells: SQLite takes the product of both lengths for it, in a step that nothing ends."""
    if len(text) > LONGEST:
        raise Invalid(say("さがす言葉は、%(most)s文字までです。", most=f"{LONGEST:,}"), code="bad-value")
    return text


def leaves(conditions: Iterable[Condition]) -> int:
    """How many conditions there are, those in conditions included."""
    return sum(1 + sum(map(leaves, condition.value)) if condition.operator == "any" else 1 for condition in conditions)


@contextmanager
def open_table(path: Path, seconds: float) -> Iterator[Table]:
    """The table in `path`. Whatever is asked, it ends after `seconds` and can only read this file."""
    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    try:
        told, rows = connection.execute("SELECT columns, rows FROM about").fetchone()
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'").fetchall()
        indexed = frozenset(name[:-1] for (name,) in names if name.startswith("c") and name.endswith("_"))
        end = time.monotonic() + seconds
        connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY)
        table = Table(connection, [Column(**column) for column in json.loads(told)], rows, path, indexed)
        try:
            yield table
        finally:
            if table.sorting:
                _SORTING.release()
    finally:
        connection.close()


def decoded(
    columns: Sequence[Column], names: Sequence[str], rows: Iterable[Row], *, kinds: Collection[str]
) -> Iterator[Row]:
    """Rows with the cells of these types as a client gets them (types.shown): truth values are kept as numbers, documents as text."""
    types = {column.name: column.type for column in columns if column.type in kinds}
    changed = [(n, types[name]) for n, name in enumerate(names) if name in types]
    if not changed:
        yield from rows
        return
    for row in rows:
        cells = list(row)
        for n, kind in changed:
            cells[n] = shown(kind, cells[n])
        yield tuple(cells)
