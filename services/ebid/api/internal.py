"""What other services of the cloud ask, in their own name. Never reachable through the gateway."""

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import NotFound
from services.ebid.api.shell import store_of


def router(reader: str) -> APIRouter:
    """`reader` is the service that may fetch what rooms wrote."""
    routes = APIRouter(prefix="/internal/ebid", include_in_schema=False)

    @routes.get("/archives/{file}")
    def archive(request: Request, file: str, actor: Actor = access.service(reader)) -> Response:
        """What the room wrote when the tenant of the token was exported (`ebid.room.exported.v1` names the file)."""
        if actor.tenant is None:
            raise NotFound("このファイルは見つかりません。")
        found = store_of(request).stream(actor.tenant, file)
        headers = {"Content-Length": str(found.size), "Cache-Control": "no-store"}
        return StreamingResponse(found.chunks, media_type="application/zip", headers=headers)

    return routes
