"""A data set as a Frictionless data package (Data Package v1, tabular where it is a table): `datapackage.json`, and all of it in one
ZIP."""

import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import PurePath
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.clock import JST
from libs.common.errors import NotFound
from services.opendata.api import shell
from services.opendata.api.data import STREAM_SECONDS
from services.opendata.api.describe import dataset_address, file_address
from services.opendata.datastore import Question, Tables
from services.opendata.db import PublishedRow, published
from services.opendata.domain.vocabulary import LICENSES
from services.opendata.settings import files_of, tables_of

router = APIRouter(tags=["public"])
FIELD_TYPES = {
    "int": "integer", "int2": "integer", "int4": "integer", "int8": "integer", "numeric": "number", "float4": "number",
    "float8": "number", "bool": "boolean", "date": "date", "time": "time", "json": "object", "_text": "array", "_int4": "array",
}  # fmt: skip
"""A column's type → the type of Table Schema; every other one is a string."""

LICENSE_NAMES = {"cc-by": "CC-BY-4.0", "cc-zero": "CC0-1.0", "cc-by-sa": "CC-BY-SA-4.0"}
"""Of the Open Definition, which the standard asks for; a licence without one is named by its address."""


@router.get("/opendata/datasets/{name}/datapackage.json", summary="One data set as a Frictionless data package")
def data_package(request: Request, name: str, actor: Actor = access.public()) -> Response:
    catalogue = shell.catalogue_in(request).refresh()
    with shell.public(request) as session:
        row = _with_files(published.get(session, name))
    told = package_of(shell.site(request), row, catalogue.place(row.tenant)[1])
    headers = {"Cache-Control": "public, no-cache", "Access-Control-Allow-Origin": "*"}
    return JSONResponse(told, headers=headers)


@router.get(
    "/opendata/datasets/{name}.zip", summary="All files of a data set in one ZIP, as a Frictionless data package"
)
def zipped_package(request: Request, name: str, actor: Actor = access.public()) -> Response:
    """`datapackage.json` and below `data/` each table as CSV (UTF-8), each other file as it was sent; streamed. 304 while nothing
    changed."""
    catalogue = shell.catalogue_in(request).refresh()
    with shell.public(request) as session:
        row = _with_files(published.get(session, name))
    etag = f'"zip-{row.id}-{row.document["version"]}"'
    headers = {"ETag": etag, "Cache-Control": "public, no-cache", "Access-Control-Allow-Origin": "*"}
    if shell.is_known(request, etag):
        return Response(status_code=304, headers=headers)
    package = package_of(shell.site(request), row, catalogue.place(row.tenant)[1])
    service = shell.service_of(request)
    store, entries = files_of(service), []
    for number, (told, described) in enumerate(
        zip(row.document["resources"], package["resources"], strict=True), start=1
    ):
        if not told.get("table") and not told.get("file"):
            continue  # it lies elsewhere: the package names its address
        described["path"] = _path(number, told)
        pieces = (
            _csv(tables_of(service), row.tenant, told)
            if told.get("table")
            else store.stream(row.tenant, told["file"]).chunks
        )
        entries.append((described["path"], pieces))
        shell.note(request, "download", row.id, told["id"])
    head = json.dumps(package, ensure_ascii=False, indent=1).encode()
    headers["Content-Disposition"] = csvout.attachment(f"{row.name}.zip")
    content = zipped([("datapackage.json", [head]), *entries], row.modified_at)
    return StreamingResponse(content, headers=headers, media_type="application/zip")


def _with_files(row: PublishedRow) -> PublishedRow:
    """NotFound for a data set without files: the standard knows no package of nothing (`resources`: at least one)."""
    if not row.document["resources"]:
        raise NotFound("このデータセットには、まだファイルがありません。", code="no-files")
    return row


def _path(number: int, told: dict[str, Any]) -> str:
    """Where a file lies in the package: numbered, as two may have one name; without what a file system or the standard refuses."""
    name = re.sub(r'[\x00-\x1f\\/:*?"<>|~]|\.{2,}', "_", told["filename"])
    return f"data/{number}_{PurePath(name).stem}.csv" if told.get("table") else f"data/{number}_{name}"


def _csv(tables: Tables, tenant: str, told: dict[str, Any]) -> Iterator[bytes]:
    with tables.open(tenant, told["table"], STREAM_SECONDS) as table:
        columns = tuple(column.name for column in table.columns)
        yield from csvout.rows(table.select(Question(columns=columns, limit=told["rows"] or 1)), header=columns)


class _Sink:
    """What a ZIP is written to when it leaves as it is made: nothing is sought, nothing is kept."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits longer than until it is taken."""

    def taken(self) -> bytes:
        found = bytes(self._waiting)
        self._waiting.clear()
        return found


def zipped(entries: Iterable[tuple[str, Iterable[bytes]]], at: datetime) -> Iterator[bytes]:
    """A ZIP of (path, pieces), each of the time `at`, piece by piece in a memory that does not grow; of any size (ZIP64)."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:  # type: ignore[arg-type]  # it asks for no more than write and flush
        for path, pieces in entries:
            info = zipfile.ZipInfo(path, at.astimezone(JST).timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as entry:
                for piece in pieces:
                    entry.write(piece)
                    yield sink.taken()
    yield sink.taken()


def package_of(site: str, row: PublishedRow, place: str) -> dict[str, Any]:
    told = row.document
    license_ = LICENSES.get(told["license"])
    resources = [_resource(site, row, each) for each in told["resources"]]
    tabular = all(each["profile"] == "tabular-data-resource" for each in resources)
    return _whole(
        {
            "profile": "tabular-data-package" if tabular and resources else "data-package",
            "name": row.name,
            "id": row.id,
            "title": told["title"],
            "description": told["notes"],
            "homepage": dataset_address(site, row),
            "version": str(told["version"]),
            "created": told["created"],
            "keywords": told["tags"],
            "licenses": [_whole({"name": LICENSE_NAMES.get(license_.id), "path": license_.url, "title": str(license_.title)})]
            if license_ else None,
            "contributors": [{"title": place, "role": "publisher"}],
            "sources": [{"title": place, "path": dataset_address(site, row)}],
            "resources": resources,
        }
    )  # fmt: skip


def _resource(site: str, row: PublishedRow, told: dict[str, Any]) -> dict[str, Any]:
    common = {"name": told["id"], "title": told["name"] or row.document["title"], "description": told["description"]}
    if not told.get("table"):
        rest = {
            "profile": "data-resource", "path": file_address(site, told) or dataset_address(site, row), "format": told["format"].lower(),
            "mediatype": told.get("media_type"), "bytes": told.get("size"),
            "hash": f"sha256:{told['sha256']}" if told.get("sha256") else None,
        }  # fmt: skip
        return _whole(common | rest)
    # The rows themselves, always in one form, whatever form the file was sent in: what the fields say is true of them.
    return _whole(
        common
        | {
            "profile": "tabular-data-resource",
            "path": f"{site}/data/{told['id']}.csv",
            "format": "csv",
            "mediatype": "text/csv",
            "encoding": "utf-8",
            "schema": {
                "fields": [_field(column) for column in told["columns"]],
                "missingValues": [""],
            }
            | ({"primaryKey": keys} if (keys := [each["name"] for each in told["columns"] if each.get("key")]) else {}),
        }
    )


def _field(column: dict[str, Any]) -> dict[str, Any]:
    info = column.get("info", {})
    return _whole(
        {
            "name": column["name"],
            "type": FIELD_TYPES.get(column["type"], "string"),
            "title": info.get("label"),
            "description": info.get("notes"),
        }
    )


def _whole(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if value not in (None, "", [])}
