"""`/docs/`: the API of all services on one page that needs no script, and as one OpenAPI document."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api_document import ApiDocument
from gateway.pages.common import page
from gateway.parts import parts_of
from libs.common import access
from libs.common.actor import Actor

router = APIRouter(prefix="/docs", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Operation:
    service: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[str]
    responses: list[tuple[str, str]]


@router.get("/")
def show(request: Request, actor: Actor = access.public()) -> Response:
    merged = _documents(request).get()
    operations = sorted(_operations(merged.document), key=lambda one: (one.service, one.path, one.method))
    groups = [(service, list(ones)) for service, ones in groupby(operations, key=lambda one: one.service)]
    return page(parts_of(request), request, "docs.html", groups=groups, away=merged.away)


@router.get("/openapi.json")
def document(request: Request, actor: Actor = access.public()) -> JSONResponse:
    return JSONResponse(_documents(request).get().document)


def _documents(request: Request) -> ApiDocument:
    return request.app.state.service.extras["api_document"]


def _operations(document: dict[str, Any]) -> list[Operation]:
    return [
        Operation(
            service=operation["tags"][0],
            method=method.upper(),
            path=path,
            summary=operation.get("summary", ""),
            description=operation.get("description", ""),
            parameters=[parameter["name"] for parameter in operation.get("parameters", []) if "name" in parameter],
            responses=[(status, facts.get("description", "")) for status, facts in operation["responses"].items()],
        )
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
