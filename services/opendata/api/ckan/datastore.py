"""CKAN's DataStore, read: rows of published tables, by filters or by SQL (services/opendata/datastore/sql.py says why that is safe)."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlencode

from libs.common.errors import NotFound
from services.opendata.api import shell
from services.opendata.api.ckan.call import Call, actions, invalid, not_allowed, not_found
from services.opendata.api.ckan.package import Dict
from services.opendata.datastore import Column, Condition, Question, Table, query, sql
from services.opendata.datastore.types import CHANGED
from services.opendata.db import PublishedRow, published
from services.opendata.settings import tables_of
from services.opendata.use_cases import aliases, programs

MOST = 32_000
"""ckan.datastore.search.rows_max"""
KNOWN = {
    "id", "resource_id", "filters", "q", "plain", "language", "limit", "offset", "fields", "sort", "distinct", "full_text",
    "include_total", "total_estimation_threshold", "records_format", "include_next_page",
}  # fmt: skip
MOST_DEPTH = 20
"""Filters within filters: SQLite reads a hundred (YYSTACKDEPTH)."""
SEPARATORS = {"csv": ",", "tsv": "\t"}


@contextmanager
def opened(call: Call) -> Iterator[tuple[Dict, Table]]:
    """The table behind a file's id, or another name of it. Not found for what is no table, as CKAN says it."""
    wanted = call.need("resource_id", "id")
    with call.reading() as session:
        try:
            row, ident = aliases.file_of(session, wanted)
        except NotFound:
            ident = aliases.find(session, wanted) or wanted
            row = programs.own_resource(call.request.app.state.service, call.actor, ident) if call.identified else None
            if row is None:
                raise not_found(f'Resource "{wanted}" was not found.') from None
    told = published.resource_in(row, ident)
    if not told.get("table"):
        raise not_found(f'Resource "{wanted}" was not found.')
    with tables_of(call.request.app.state.service).open(row.tenant, told["table"]) as table:
        shell.note(call.request, "query", row.id, ident)
        yield told, table


@actions.reads
def datastore_search(call: Call) -> Dict:
    """Rows of a table: filters, words, fields, order, pages."""
    unknown = sorted(set(call.given) - KNOWN)
    if unknown:
        raise invalid(__junk=[f"The input field {unknown[0]} was not expected."])
    with opened(call) as (told, table):
        question = question_of(call, table, call.number("limit", 100, MOST))
        names = list(question.columns) or table.wanted(question)
        rows = list(table.select(question))
        found = [cells[-len(names) :] for cells in rows]
        result: Dict = {"resource_id": told["id"], "include_total": call.flag("include_total", True)}
        result["fields"] = [{"id": name, "type": _type(table, name)} for name in names]
        result["records_format"] = str(call.given.get("records_format") or "objects")
        result["records"] = _records(result["records_format"], names, list(decoded(table.columns, names, found)))
        result["limit"] = question.limit
        if question.offset:
            result["offset"] = question.offset
        for name in ("q", "filters", "sort"):
            if call.given.get(name):
                result[name] = call.given[name]
        result["_links"] = _links(call, question)
        if call.flag("include_total", True):
            result["total"] = table.count(question)
            result["total_was_estimated"] = False
        if call.flag("include_next_page") and found and (way := _keyset(question)):
            at = table.wanted(question).index("_id")
            result["next_page"] = {"_id": {way: rows[-1][at]}}
    return result


def _keyset(question: Question) -> str:
    """Which way the filter that finds the rows after these looks; "" where rows do not come in the order of their numbers."""
    if question.distinct or any(name != "_id" for name, *_ in question.sort):
        return ""
    return "lt" if question.sort and question.sort[0][1] else "gt"


@actions.reads
def datastore_search_sql(call: Call) -> Dict:
    """One SELECT over published tables; each stands in it as "its id", and columns by their names (SQLite's SQL)."""
    text = call.need("sql")
    service = call.request.app.state.service
    with ExitStack() as stack:
        tables = {}
        for name, ident in _tables(call, text).items():
            row, told = _published_table(call, ident)
            opened = stack.enter_context(tables_of(service).open(row.tenant, told["table"]))
            tables[name] = opened.path, opened.columns
            shell.note(call.request, "query", row.id, ident)
        answer = sql.select(tables, text, tables_of(service).seconds)
    fields = [{"id": name, "type": _kind(answer.rows, n)} for n, name in enumerate(answer.names)]
    records = [dict(zip(answer.names, cells, strict=True)) for cells in answer.rows]
    told = {"sql": text, "fields": fields, "records": records}
    return told | ({"records_truncated": True} if answer.truncated else {})


def _tables(call: Call, text: str) -> dict[str, str]:
    """How tables are called in the statement → the ids of their files. A name that is nobody's is left to SQLite: it may be one that
    the statement itself gives."""
    with call.reading() as session:
        named = {name: aliases.find(session, name) for name in sql.tables_called(text)}
    return {ident: ident for ident in sql.named(text)} | {name: ident for name, ident in named.items() if ident}


def _kind(rows: list[tuple[Any, ...]], at: int) -> str:
    value = next((row[at] for row in rows if row[at] is not None), "")
    return "int8" if isinstance(value, int) else "numeric" if isinstance(value, float) else "text"


def _published_table(call: Call, ident: str) -> tuple[PublishedRow, Dict]:
    """Not allowed for what nobody may read, whether it is there or not."""
    with call.reading() as session:
        try:
            row = published.dataset_of(session, ident)
        except NotFound:
            raise not_allowed(f"not authorized to read {ident}") from None
    told = published.resource_in(row, ident)
    if not told.get("table"):
        raise not_found(f'Resource "{ident}" was not found.')
    return row, told


def question_of(call: Call, table: Table, limit: int) -> Question:
    """What `filters`, `q`, `fields`, `sort`, `offset` and `distinct` ask of the table. Invalid for what it does not have."""
    conditions = list(_filters(call, table))
    words = _words(call, call.given.get("full_text"))
    q = _json(call.given.get("q"))
    if isinstance(q, dict):
        if not all(isinstance(word, str | int | float) for word in q.values()):
            raise invalid(q=["Expected a string or a dictionary of strings"])
        plain = call.flag("plain", True)
        for name, text in q.items():
            wanted = (str(text),) if plain else _words(call, text)
            conditions += [Condition(_column(table, name, "q"), "contains", word) for word in wanted if word]
    elif q:
        words += _words(call, q)
    return Question(
        conditions=tuple(conditions),
        words=words,
        columns=tuple(_column(table, name, "fields") for name in listed(call.given.get("fields"))),
        sort=tuple(_sort(call, table)),
        limit=limit,
        offset=call.number("offset", 0),
        distinct=call.flag("distinct"),
    )


def _words(call: Call, text: Any) -> tuple[str, ...]:
    """What each row has to hold. With `plain` false PostgreSQL's `a & b:*` is read, which asks for no more here: any part of a cell
    is found, whether a word begins with it or not."""
    told = str(text or "")
    found = (
        told.split() if call.flag("plain", True) else [part.removesuffix(":*") for part in re.split(r"[\s&]+", told)]
    )
    return tuple(word for word in found if word)[:10]


OPERATORS = {"lt": "lt", "lte": "lte", "gt": "gt", "gte": "gte", "eq": "eq", "neq": "ne", "ne": "ne", "in": "in"}


def _filters(call: Call, table: Table) -> Iterator[Condition]:
    """`{"町名": "中央"}`, `{"町名": ["中央", "北"]}`, and since 2.12 `{"人口": {"gte": 100}}`, or a list of such of which one holds."""
    given = _json(call.given.get("filters"), ("{", "[")) or {}
    if isinstance(given, list):
        given = {"$or": given}
    if not isinstance(given, dict):
        raise invalid(filters=["Not a json object"])
    return conditions_in(given, table.names)


def conditions_in(given: Dict, names: list[str], depth: int = 0) -> Iterator[Condition]:
    """A value, a list of values of which one must be, `{"gte": 1}`; `$and`, `$or`: lists of such filters. Invalid for columns and
    operators that are not there."""
    if depth > MOST_DEPTH:
        raise invalid(filters=["Too many filters within filters"])
    for name, value in given.items():
        if name in ("$and", "$or"):
            parts = [
                list(conditions_in(_dict(each), names, depth + 1))
                for each in (value if isinstance(value, list) else [value])
            ]
            yield from [Condition("", "any", parts)] if name == "$or" else [one for part in parts for one in part]
            continue
        if name != "_id" and name not in names:
            raise invalid(filters=[f'column "{name}" does not exist'])
        if not isinstance(value, list):
            yield from _alternative(name, value)
        elif any(isinstance(each, dict) for each in value):
            yield Condition("", "any", [list(_alternative(name, each)) for each in value])
        else:
            yield Condition(name, "in", value)


def _dict(value: Any) -> Dict:
    if not isinstance(value, dict):
        raise invalid(filters=["Must be a dict"])
    return value


def _alternative(name: str, value: Any) -> Iterator[Condition]:
    """`5`, or `{"gte": 1, "lt": 5}`: all of it must be so."""
    if not isinstance(value, dict):
        yield Condition(name, "eq", value)
        return
    for operator, bound in value.items():
        if operator not in OPERATORS:
            raise invalid(filters=[f"Unsupported filter operator: {operator}"])
        many = operator == "in" and not isinstance(bound, list)
        yield Condition(name, OPERATORS[operator], [bound] if many else bound)


def decoded(columns: list[Column], names: list[str], found: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Cells as CKAN's clients get them."""
    return query.decoded(columns, names, found, kinds=CHANGED)


def shown_rows(columns: list[Column], found: Iterable[Dict]) -> Iterator[Dict]:
    for row in found:
        yield dict(zip(row, next(decoded(columns, list(row), [tuple(row.values())])), strict=True))


def _json(value: Any, starts: tuple[str, ...] = ("{",)) -> Any:
    """A parameter that may be JSON in a query string."""
    if isinstance(value, str) and value.lstrip().startswith(starts):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise invalid(filters=["Cannot parse JSON"]) from None
    return value


def listed(value: Any, where: str = "fields") -> list[str]:
    """A list, or text parted by commas. `where`: the parameter it came in."""
    if isinstance(value, str):
        return [name.strip().strip('"') for name in _parted(value, '"', where) if name.strip()]
    if not isinstance(value, list | None):
        raise invalid(**{where: ["Not a list or a string"]})
    return [str(name) for name in value or []]


def _parted(text: str, quote: str, where: str) -> list[str]:
    """What stands between commas. Raises ValidationError for what csv cannot read: a line end, or 131,072 letters without a comma."""
    try:
        return next(csv.reader([text], quotechar=quote), [])
    except csv.Error:
        raise invalid(**{where: ["Not a list or a string"]}) from None


def _column(table: Table, name: str, where: str) -> str:
    if name != "_id" and name not in table.names:
        sentence = f'field "{name}" not in table' if where == "fields" else f'column "{name}" does not exist'
        raise invalid(**{where: [sentence]})
    return name


def _ordered(text: str) -> tuple[str, str, str]:
    """`人口 desc nulls last` → (人口, desc, last). From the end: a column's name may have blanks, too."""
    way = empty = ""
    match text.rsplit(None, 2):
        case [name, word, end] if word.lower() == "nulls" and end.lower() in ("first", "last"):
            text, empty = name, end.lower()
    match text.rsplit(None, 1):
        case [name, end] if end.lower() in ("asc", "desc"):
            text, way = name, end.lower()
    return text.strip('"'), way, empty


def _sort(call: Call, table: Table) -> Iterator[tuple[str, bool, str]]:
    """`町名 asc, "人口" desc nulls last`; where nothing else is said, empty cells are greater than all others, as in PostgreSQL."""
    given = call.given.get("sort")
    for part in given if isinstance(given, list) else _parted(str(given or ""), "\x00", "sort"):
        name, way, empty = _ordered(str(part).strip())
        if not name:
            continue
        if name.split(" ")[0] == "rank" and name not in table.names and call.given.get("q"):
            continue  # rows that hold the words come in their own order
        yield _column(table, name, "sort"), way == "desc", empty or ("first" if way == "desc" else "last")


def _type(table: Table, name: str) -> str:
    return next((column.type for column in table.columns if column.name == name), "int")


def _records(shape: str, names: list[str], found: list[tuple[Any, ...]]) -> Any:
    match shape:
        case "objects":
            return [dict(zip(names, cells, strict=True)) for cells in found]
        case "lists":
            return [list(cells) for cells in found]
        case "csv" | "tsv":
            buffer = io.StringIO(newline="")
            written = ([_as_text(cell) for cell in cells] for cells in found)
            csv.writer(buffer, delimiter=SEPARATORS[shape], lineterminator="\n").writerows(written)
            return buffer.getvalue()
    raise invalid(records_format=[f"Value must be one of objects, lists, csv, tsv, not {shape}"])


def _as_text(cell: Any) -> Any:
    """Lists and documents as JSON."""
    return json.dumps(cell, ensure_ascii=False) if isinstance(cell, list | dict) else cell


def _links(call: Call, question: Question) -> Dict:
    path = "/api/3/action/datastore_search"
    kept = {key: value for key, value in call.given.items() if key != "offset"}

    def address(offset: int) -> str:
        pairs = {
            key: json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
            for key, value in kept.items()
        }
        return f"{path}?{urlencode(pairs | ({'offset': offset} if offset else {}))}"

    links = {"start": address(0), "next": address(question.offset + question.limit)}
    return links | ({"prev": address(max(question.offset - question.limit, 0))} if question.offset else {})


@actions.reads
def datastore_info(call: Call) -> Dict:
    """A table's columns and number of rows; without either where `include_meta`, `include_fields_schema` say so."""
    with opened(call) as (told, table):
        with call.reading() as session:
            others = aliases.of(session, told["id"])
        fields = [_field(column, schema=call.flag("include_fields_schema", True)) for column in table.columns]
        meta = {"id": told["id"], "count": table.rows, "table_type": "BASE TABLE", "size": told["size"], "db_size": None,
                "idx_size": 0, "aliases": others}  # fmt: skip
    return {"fields": fields} | ({"meta": meta} if call.flag("include_meta", True) else {})


NATIVE = {"int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint", "float8": "double precision", "bool": "boolean",
          "timestamp": "timestamp without time zone", "_text": "text[]", "_int4": "integer[]"}  # fmt: skip
"""What PostgreSQL calls types that the DataStore abbreviates."""


def _field(column: Column, *, schema: bool) -> Dict:
    told: Dict = {"id": column.name, "type": column.type}
    if schema:
        told["schema"] = {"native_type": NATIVE.get(column.type, column.type), "notnull": False,
                          "index_name": "key" if column.key else None, "is_index": column.key, "uniquekey": column.key}  # fmt: skip
    return told | ({"info": dict(column.info)} if column.info else {})
