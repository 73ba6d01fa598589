"""A data set as a Frictionless data package (Data Package v1, tabular where it is a table): `datapackage.json`."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from libs.common import access
from libs.common.actor import Actor
from services.opendata.api import shell
from services.opendata.api.describe import dataset_address, file_address
from services.opendata.db import PublishedRow, published
from services.opendata.domain.vocabulary import LICENSES

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
        row = published.get(session, name)
    told = package_of(shell.site(request), row, catalogue.place(row.tenant)[1])
    headers = {"Cache-Control": "public, no-cache", "Access-Control-Allow-Origin": "*"}
    return JSONResponse(told, headers=headers)


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
