"""The rows of a published table over plain HTTP: filters, order, columns, keyset cursor; CSV, JSON, GeoJSON; streamed, ETag.

/opendata/data/<file>.json?住所__contains=福島町&columns=名称,緯度,経度&limit=100
/opendata/data/<file>.csv                       every row
/opendata/data/<file>/count?group=町名          how many rows by value
"""

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Invalid
from services.opendata.api import shell
from services.opendata.api.tables import is_number
from services.opendata.datastore import Condition, Question, Table, parquet, query, sql
from services.opendata.datastore.types import DOCUMENTS, NUMERIC, PLAIN
from services.opendata.db import PublishedRow, published
from services.opendata.settings import tables_of

router = APIRouter(tags=["data"])
Format = Literal["csv", "json", "geojson", "parquet"]
MEDIA = {
    "parquet": "application/vnd.apache.parquet", "csv": "text/csv; charset=utf-8", "json": "application/json",
    "geojson": "application/geo+json",
}  # fmt: skip
LIMIT, MOST = 100, 10_000
OWN = {"limit", "cursor", "sort", "columns", "q", "group", "sum", "avg", "min", "max"}
OPERATORS = {"eq", "ne", "lt", "lte", "gt", "gte", "contains", "in", "empty"}
STREAM_SECONDS = 600.0


@router.get("/opendata/data/{resource_id}.{format}", summary="Rows of a table")
def rows(request: Request, resource_id: str, format: Format, actor: Actor = access.public()) -> Response:
    """JSON gives a page and `next`; CSV, Parquet and GeoJSON all rows asked for, unless `limit` says less. 304 while the version stays."""
    row, told = _found(request, resource_id)
    etag = f'"{told["table"]}-{format}"'
    headers = {
        "ETag": etag,
        "Cache-Control": "public, no-cache",
        "Access-Control-Allow-Origin": "*",
        "Vary": "Accept-Encoding",
    }
    if shell.is_known(request, etag):
        return Response(status_code=304, headers=headers)
    shell.note(request, "query", row.id, resource_id)
    tables = tables_of(shell.service_of(request))
    if format == "json":
        with tables.open(row.tenant, told["table"]) as table:
            return _json(_page(request, table, question_in(request, table, LIMIT)), headers)
    with tables.open(row.tenant, told["table"]) as table:
        question = question_in(request, table, told["rows"] or 1, most=None)
        table.check_size(question)
        names = table.wanted(question)
        places = (
            tuple(told["points"][each] for each in ("lat", "lng")) if told.get("points") and format == "geojson" else ()
        )
        if any(each not in names for each in places):
            # A feature has its place also where its columns were not asked for.
            question = replace(question, columns=(*question.columns, *(each for each in places if each not in names)))

    def pieces() -> Iterator[bytes]:
        with tables.open(row.tenant, told["table"], STREAM_SECONDS) as opened:
            found = opened.select(question)
            if format == "csv":
                kept = [name for name in names if name != "_id"]
                told_rows = query.decoded(opened.columns, names, found, kinds=PLAIN)
                yield from csvout.rows((cells[1:] if names[0] == "_id" else cells for cells in told_rows), header=kept)
            elif format == "parquet":
                kinds = {column.name: column.type for column in opened.columns}
                yield from parquet.pieces([(name, kinds.get(name, "int")) for name in names], found)
            else:
                read = opened.wanted(question)
                told_rows = query.decoded(opened.columns, read, found, kinds=PLAIN | DOCUMENTS)
                yield from _geojson(names, read, told_rows, told.get("points"))

    if format in ("csv", "parquet"):
        headers["Content-Disposition"] = csvout.attachment(
            f"{told['filename'].rpartition('.')[0] or resource_id}.{format}"
        )
    return StreamingResponse(shell.begun(pieces()), headers=headers, media_type=MEDIA[format])


@router.get(
    "/opendata/data/sql", summary="One SELECT over published tables, each named by its file's id in double quotes"
)
def select_sql(request: Request, q: str, actor: Actor = access.public()) -> Response:
    """SQLite's SQL, for reading only; at most 32,000 rows, `OPENDATA_QUERY_SECONDS` long (docs/decisions/0070). 304 while all of its
    tables stay, unless it asks for the time or for chance."""
    tables = tables_of(shell.service_of(request))
    found = {ident: _found(request, ident) for ident in sql.named(q)}
    headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, no-cache"}
    if found and not sql.depends_on_more(q):
        known = "\n".join([q, *(told["table"] for _, told in found.values())])
        headers["ETag"] = f'"{hashlib.sha256(known.encode(errors="surrogatepass")).hexdigest()[:32]}"'
        if shell.is_known(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
    with ExitStack() as stack:
        opened = {}
        for ident, (row, told) in found.items():
            table = stack.enter_context(tables.open(row.tenant, told["table"]))
            opened[ident] = table.path, table.columns
            shell.note(request, "query", row.id, ident)
        answer = sql.select(opened, q, tables.seconds)
    rows = [dict(zip(answer.names, cells, strict=True)) for cells in answer.rows]
    return _json({"columns": answer.names, "rows": rows, "truncated": answer.truncated}, headers)


@router.get("/opendata/data/{resource_id}/count", summary="Numbers of rows, by the values of columns")
def count(request: Request, resource_id: str, actor: Actor = access.public()) -> Response:
    """`group` (columns, parted by commas) and any of `sum`, `avg`, `min`, `max` (a column each). `truncated`: there are more groups."""
    row, told = _found(request, resource_id)
    given = request.query_params
    group = [name for name in given.get("group", "").split(",") if name]
    measures = [("count", "*"), *((f, given[f]) for f in ("sum", "avg", "min", "max") if given.get(f))]
    shell.note(request, "query", row.id, resource_id)
    names = [*group, *(f"{function}({name})" if name != "*" else "count" for function, name in measures)]
    headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, no-cache"}
    with tables_of(shell.service_of(request)).open(row.tenant, told["table"]) as table:
        question = question_in(request, table, MOST)
        found = list(table.aggregate(group, measures, replace(question, limit=question.limit + 1)))
        told_rows = list(query.decoded(table.columns, names, found[: question.limit], kinds=PLAIN | DOCUMENTS))
    rows = [dict(zip(names, cells, strict=True)) for cells in told_rows]
    return _json({"rows": rows, "truncated": len(found) > question.limit}, headers)


@router.get("/opendata/data/{resource_id}/columns", summary="A table's columns with types and statistics")
def columns(request: Request, resource_id: str, actor: Actor = access.public()) -> Response:
    row, told = _found(request, resource_id)
    wanted = request.query_params.get("column", "")
    with tables_of(shell.service_of(request)).open(row.tenant, told["table"]) as table:
        found = [table.statistics(wanted)] if wanted else [column.as_document() for column in table.columns]
        rows_ = table.rows
    return _json({"rows": rows_, "columns": found}, {"Access-Control-Allow-Origin": "*"})


def _json(content: dict[str, Any], headers: dict[str, str]) -> Response:
    """JSON has no number beyond all numbers, which a sum or an older table may hold: there is nothing in its place."""
    try:
        return JSONResponse(content, headers=headers)
    except ValueError:
        return JSONResponse(_finite(content), headers=headers)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _found(request: Request, resource_id: str) -> tuple[PublishedRow, dict[str, Any]]:
    with shell.public(request) as session:
        row = published.dataset_of(session, resource_id)
    told = published.resource_in(row, resource_id)
    if not told.get("table"):
        raise Invalid("このファイルは表ではないので、行を問い合わせられません。", code="no-table")
    return row, told


def question_in(request: Request, table: Table, usual: int, most: int | None = MOST) -> Question:
    """From the query string. Invalid, naming it, for whatever is not understood: a filter misspelt must not give all rows."""
    conditions, given = [], request.query_params
    numbers = {"_id"} | {column.name for column in table.columns if column.type in NUMERIC}
    for key, value in given.multi_items():
        if key in OWN:
            continue
        name, parted, operator = key.rpartition("__")
        if not parted or operator not in OPERATORS:
            name, operator = key, "eq"
        if name in numbers and operator not in ("contains", "empty"):
            _check_numbers(name, value.split(",") if operator == "in" else [value])
        conditions.append(_condition(name, operator, value))
    sort = given.get("sort", "")
    cursor = _cursor(given["cursor"]) if given.get("cursor") else 0
    question = Question(
        conditions=tuple(conditions),
        words=tuple(given.get("q", "").split()[:5]),
        columns=tuple(name for name in given.get("columns", "").split(",") if name),
        sort=tuple(_order(table, name) for name in sort.split(",") if name),
        limit=_limit(given.get("limit"), usual, most),
        after=cursor,
    )
    table.check(question)
    return question


def _order(table: Table, name: str) -> tuple[str, bool]:
    """The column and whether it comes down; 「-」 before the name says so, unless the name itself begins with it."""
    return (name, False) if name in table.names else (name.removeprefix("-"), name.startswith("-"))


def _check_numbers(name: str, values: list[str]) -> None:
    """Every number is less than any text: a number mistyped would find all rows."""
    for value in values:
        if not (value.isascii() and is_number(value)):
            sentence = f"列「{name[:60]}」は数の列です。条件の値を、半角の数で指定してください。"
            raise Invalid(sentence, code="bad-value", column=name[:60])


def _condition(name: str, operator: str, value: str) -> Condition:
    match operator:
        case "in":
            return Condition(name, "in", value.split(",")[:500])
        case "empty":
            return Condition(name, "empty", value not in ("0", "false", "no"))
    return Condition(name, operator, value)


def _limit(text: str | None, usual: int, most: int | None) -> int:
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= 12) or int(text) > (most or 10**9):
        raise Invalid(f"limitは、{most or 10**9:,}までの数で指定してください。", code="bad-limit")
    return int(text)


def _page(request: Request, table: Table, question: Question) -> dict[str, Any]:
    names = table.wanted(question)
    told_rows = query.decoded(table.columns, names, table.select(question), kinds=PLAIN | DOCUMENTS)
    found = [dict(zip(names, cells, strict=True)) for cells in told_rows]
    following = None
    if len(found) == question.limit and found:
        pairs = [(key, value) for key, value in request.query_params.multi_items() if key != "cursor"]
        following = f"{shell.site(request)}{request.url.path.removeprefix('/opendata')}?" + urlencode(
            [*pairs, ("cursor", _as_cursor(found[-1]["_id"]))]
        )
    total = table.count(Question(question.conditions, question.words))
    return {"total": total, "rows": found, "next": following, "columns": [c.as_document() for c in table.columns]}


def _as_cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"after:{number}".encode()).decode().rstrip("=")


def _cursor(text: str) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(":")
        if word == "after" and len(number) <= 18 and number.isdigit():
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise Invalid("続きの位置（cursor）が正しくありません。前の答えのnextをそのままお使いください。", code="bad-cursor")


def _geojson(
    names: list[str], read: list[str], found: Iterable[tuple[Any, ...]], points: dict[str, str] | None
) -> Iterator[bytes]:
    """RFC 7946. Rows without a place have a null geometry. `names`: the properties asked for, of those `read`."""
    yield b'{"type":"FeatureCollection","features":['
    for number, cells in enumerate(found):
        row = dict(zip(read, cells, strict=True))
        lat, lng = (row.get(points["lat"]), row.get(points["lng"])) if points else (None, None)
        placed = isinstance(lat, int | float) and isinstance(lng, int | float) and abs(lat) <= 90 and abs(lng) <= 180
        geometry = {"type": "Point", "coordinates": [lng, lat]} if placed else None
        asked = {name: row[name] for name in names if name != "_id"}
        feature = {"type": "Feature", "id": row.get("_id", number + 1), "geometry": geometry, "properties": asked}
        yield (b",\n" if number else b"") + json.dumps(feature, ensure_ascii=False).encode()
    yield b"]}"
