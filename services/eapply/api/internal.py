"""What other services of the cloud ask, in their own name. Never reachable through the gateway."""

import base64
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access, room
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.errors import Invalid
from services.eapply.api.shell import service_of
from services.eapply.use_cases import snapshot


@cache
def router(reader: str) -> APIRouter:
    """`reader` is the service that may take the snapshot."""
    routes = APIRouter(prefix="/internal/eapply", include_in_schema=False)

    @routes.get("/snapshot")
    def take_snapshot(request: Request, cursor: str = "", actor: Actor = access.service(reader)) -> Response:
        """Every application, one JSON object per line, municipality by municipality.

        After every page a line `{"cursor": …}` tells where to go on when the connection breaks; the last line is
        `{"complete": true}`. `sequence` is the number of the application's last event that is contained.
        """
        database = service_of(request).database
        return StreamingResponse(_lines(database, _read(cursor)), media_type="application/x-ndjson")

    return routes


def _lines(database: Database, start: tuple[str, str]) -> Iterator[str]:
    """One short transaction per page, so that a slow reader holds nothing up."""
    with database.reading() as session:
        tenants = room.rooms(session, "provisioned", "suspended")
    for tenant in (each for each in tenants if each >= start[0]):
        after: str | None = start[1] if tenant == start[0] else ""
        while after is not None:
            with database.reading(tenant=tenant) as session:
                page = snapshot.applications(session, tenant, after)
            yield from (_line(each) for each in page)
            after = page[-1]["application_id"] if len(page) == snapshot.PAGE else None
            yield _line({"cursor": _write(tenant, page[-1]["application_id"] if page else "")})
    yield _line({"complete": True})


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _write(tenant: str, after: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([tenant, after]).encode()).decode()


def _read(cursor: str) -> tuple[str, str]:
    if not cursor:
        return "", ""
    try:
        tenant, after = json.loads(base64.urlsafe_b64decode(cursor))
        return str(tenant), str(after)
    except (ValueError, TypeError) as error:
        raise Invalid("The cursor is not one of ours.", code="bad-cursor") from error
