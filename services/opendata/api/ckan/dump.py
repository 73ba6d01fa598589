"""`/opendata/datastore/dump/<file>`: every row as CSV, TSV, JSON or XML, streamed, as CKAN's DataStore dumps them."""

import json
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound
from services.opendata.api import shell
from services.opendata.datastore import Question, Table
from services.opendata.db import published
from services.opendata.settings import tables_of

router = APIRouter(tags=["ckan"])
MEDIA = {
    "csv": "text/csv; charset=utf-8", "tsv": "text/tab-separated-values; charset=utf-8", "json": "application/json; charset=utf-8",
    "xml": "text/xml; charset=utf-8",
}  # fmt: skip
SECONDS = 600.0


@router.get("/opendata/datastore/dump/{resource_id}", summary="Every row (CKAN's DataStore)")
def dump(
    request: Request, resource_id: str, format: str = "csv", bom: bool = False, actor: Actor = access.public()
) -> Response:
    """`format`: csv, tsv, json, xml. `bom`: with a byte order mark, for Excel."""
    if format not in MEDIA:
        raise Invalid("formatは、csv・tsv・json・xmlのどれかにしてください。", code="bad-format")
    with shell.public(request) as session:
        row = published.dataset_of(session, resource_id)
    told = published.resource_in(row, resource_id)
    if not told.get("table"):
        raise NotFound("このファイルは表ではありません。", code="no-table")
    shell.note(request, "download", row.id, resource_id)
    tables = tables_of(shell.service_of(request))

    def pieces() -> Iterator[bytes]:
        with tables.open(row.tenant, told["table"], SECONDS) as table:
            yield b"\xef\xbb\xbf" if bom else b""
            yield from WRITERS[format](table)

    headers = {"Content-Disposition": csvout.attachment(f"{resource_id}.{format}"), "Access-Control-Allow-Origin": "*"}
    return StreamingResponse(pieces(), media_type=MEDIA[format], headers=headers)


def _rows(table: Table) -> Iterator[tuple[Any, ...]]:
    return table.select(Question(limit=-1))


def _csv(table: Table) -> Iterator[bytes]:
    yield from (
        piece.removeprefix(b"\xef\xbb\xbf") for piece in csvout.rows(_rows(table), header=["_id", *table.names])
    )


def _tsv(table: Table) -> Iterator[bytes]:
    yield _tab_separated(("_id", *table.names))
    for cells in _rows(table):
        yield _tab_separated(cells)


def _tab_separated(cells: tuple[Any, ...]) -> bytes:
    clean = ("" if cell is None else str(cell).translate({9: " ", 10: " ", 13: " "}) for cell in cells)
    return ("\t".join(clean) + "\n").encode()


def _json(table: Table) -> Iterator[bytes]:
    fields = [{"id": "_id", "type": "int"}, *({"id": c.name, "type": c.type} for c in table.columns)]
    yield f'{{"fields": {json.dumps(fields, ensure_ascii=False)},\n"records": ['.encode()
    for number, cells in enumerate(_rows(table)):
        yield (",\n" if number else "\n").encode() + json.dumps(cells, ensure_ascii=False).encode()
    yield b"\n]}\n"


def _xml(table: Table) -> Iterator[bytes]:
    yield b'<data xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
    for number, *cells in _rows(table):
        told = "".join(_element(name, cell) for name, cell in zip(table.names, cells, strict=True))
        yield f'<row _id="{number}">{told}</row>\n'.encode()
    yield b"</data>\n"


def _element(name: str, cell: Any) -> str:
    tag, named = (name, "") if name.isidentifier() else ("value", f" name={quoteattr(name)}")
    return f'<{tag}{named} xsi:nil="true"/>' if cell is None else f"<{tag}{named}>{escape(str(cell))}</{tag}>"


WRITERS = {"csv": _csv, "tsv": _tsv, "json": _json, "xml": _xml}
