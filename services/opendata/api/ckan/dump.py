"""`/opendata/datastore/dump/<file>`: rows as CSV, TSV, JSON or XML, streamed, as CKAN's DataStore dumps them."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound
from services.opendata.api import shell
from services.opendata.api.ckan.call import Call, Given, Refused
from services.opendata.api.ckan.datastore import decoded, question_of
from services.opendata.api.describe import NOT_XML
from services.opendata.datastore import Question, Table
from services.opendata.db import published
from services.opendata.settings import tables_of
from services.opendata.use_cases import aliases

router = APIRouter(tags=["ckan"])
MEDIA = {
    "csv": "text/csv; charset=utf-8", "tsv": "text/tab-separated-values; charset=utf-8", "json": "application/json; charset=utf-8",
    "xml": "text/xml; charset=utf-8",
}  # fmt: skip
SECONDS = 600.0
ASKED = ("filters", "q", "fields", "sort", "distinct", "limit", "offset")
"""What a dump takes of datastore_search's parameters."""


@router.get("/opendata/datastore/dump/{resource_id}", summary="Rows as a file (CKAN's DataStore)")
def dump(
    request: Request, resource_id: str, format: str = "csv", bom: bool = False, actor: Actor = access.public()
) -> Response:
    """`format`: csv, tsv, json, xml. `bom`: with a byte order mark, for Excel. `filters`, `q`, `fields`, `sort`, `distinct`, `limit`,
    `offset` as datastore_search takes them; without them, every row."""
    if format not in MEDIA:
        raise Invalid("formatは、csv・tsv・json・xmlのどれかにしてください。", code="bad-format")
    with shell.public(request) as session:
        row, ident = aliases.file_of(session, resource_id)
    told = published.resource_in(row, ident)
    if not told.get("table"):
        raise NotFound("このファイルは表ではありません。", code="no-table")
    tables = tables_of(shell.service_of(request))
    given = {name: request.query_params[name] for name in ASKED if name in request.query_params}
    with tables.open(row.tenant, told["table"], SECONDS) as table:
        question = _question(Call(request, actor, given), given, table)
    shell.note(request, "download", row.id, ident)

    def pieces() -> Iterator[bytes]:
        with tables.open(row.tenant, told["table"], SECONDS) as table:
            written = WRITERS[format](table, question)
            yield (b"\xef\xbb\xbf" if bom else b"") + next(written, b"")
            yield from written

    headers = {
        "Content-Disposition": f'attachment; filename="{told["id"]}.{format}"',
        "Access-Control-Allow-Origin": "*",
    }
    return StreamingResponse(shell.begun(pieces()), media_type=MEDIA[format], headers=headers)


def _question(call: Call, given: Given, table: Table) -> Question:
    """Invalid before the first byte is sent: afterwards nobody could be told."""
    try:
        question = question_of(call, table, call.number("limit", 0) if "limit" in given else -1)
    except Refused as refused:
        told = ", ".join(f"{name}: {text}" for name, text in refused.error.items() if name != "__type")
        raise Invalid(f"パラメーターを直してください（{told}）。", code="bad-question") from refused
    table.check(question)
    return question


def _rows(table: Table, question: Question) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """The names of the columns and the rows; `_id` where no `fields` were asked for, or it is one of them."""
    names = list(question.columns) or table.wanted(question)
    return names, (cells[-len(names) :] for cells in table.select(question))


def _csv(table: Table, question: Question) -> Iterator[bytes]:
    names, rows = _rows(table, question)
    yield from (piece.removeprefix(b"\xef\xbb\xbf") for piece in csvout.rows(rows, header=names))


def _tsv(table: Table, question: Question) -> Iterator[bytes]:
    """As Python's and PostgreSQL's readers of tab-separated values have it: quoted where a cell holds a quote, a tab or a line end."""
    names, rows = _rows(table, question)
    yield _tab_separated(tuple(names))
    for cells in rows:
        yield _tab_separated(cells)


def _tab_separated(cells: tuple[Any, ...]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, "excel-tab", lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode(errors="replace")


def _json(table: Table, question: Question) -> Iterator[bytes]:
    names, rows = _rows(table, question)
    kinds = {"_id": "int"} | {column.name: column.type for column in table.columns}
    fields = [{"id": name, "type": kinds[name]} for name in names]
    yield f'{{"fields": {json.dumps(fields, ensure_ascii=False)},\n"records": ['.encode()
    for number, cells in enumerate(decoded(table.columns, names, rows)):
        yield (",\n" if number else "\n").encode() + json.dumps(cells, ensure_ascii=False).encode()
    yield b"\n]}\n"


def _xml(table: Table, question: Question) -> Iterator[bytes]:
    names, rows = _rows(table, question)
    tags = _tags(names)
    yield b'<data xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
    for cells in decoded(table.columns, names, rows):
        told = dict(zip(names, cells, strict=True))
        number = f' _id="{told.pop("_id")}"' if "_id" in told else ""
        yield f"<row{number}>{''.join(_element(name, tags[name], cell) for name, cell in told.items())}</row>\n".encode()
    yield b"</data>\n"


_NOT_IN_TAG = (
    (re.compile(r"^(\d*xml\d*|\d+)", re.IGNORECASE), ""),
    (re.compile(r"\s+"), "_"),
    (re.compile(r"[^\w_.-]"), ""),
    (re.compile(r"^[\d.-]+"), ""),
)
"""What CKAN makes of a column's name that can be no element's, in this order."""


def _tags(names: list[str]) -> dict[str, str]:
    """Each column's element, no two alike, as CKAN calls it; what nothing is left of is a `value`."""
    found: dict[str, str] = {}
    for name in names:
        tag = unicodedata.normalize("NFC", name)
        for pattern, instead in _NOT_IN_TAG:
            tag = pattern.sub(instead, tag)
        tag = tag if _is_tag(tag) else "value"
        taken, number, free = set(found.values()), 0, tag
        while free in taken:
            free, number = f"{tag}_{number}", number + 1
        found[name] = free
    return found


def _is_tag(name: str) -> bool:
    """Whether every reader of XML takes it for an element's name; older editions of XML know fewer letters than Python does."""
    try:
        return name.isidentifier() and bool(expat.ParserCreate().Parse(f"<{name}/>", True))
    except expat.ExpatError:
        return False


def _element(name: str, tag: str, cell: Any) -> str:
    named = "" if tag == name else f" name={quoteattr(NOT_XML.sub('', name))}"
    return f'<{tag}{named} xsi:nil="true"/>' if cell is None else f"<{tag}{named}>{_inside(cell)}</{tag}>"


def _inside(cell: Any) -> str:
    """Lists and documents have an element for each of their parts, with its place as `key`."""
    if not isinstance(cell, list | dict):
        return escape(NOT_XML.sub("", str(cell)))
    parts = cell.items() if isinstance(cell, dict) else enumerate(cell)
    keyed = ((quoteattr(NOT_XML.sub("", str(key))), value) for key, value in parts)
    return "".join(f"<value key={key}>{_inside(value)}</value>" for key, value in keyed)


WRITERS = {"csv": _csv, "tsv": _tsv, "json": _json, "xml": _xml}
