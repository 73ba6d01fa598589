"""`/internal/tenants/…`: what the gateway asks every second."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.service import Service
from services.tenants.use_cases import snapshot as use_case

router = APIRouter(prefix="/internal/tenants", include_in_schema=False)


@router.get("/snapshot")
def snapshot(request: Request, _actor: Actor = access.service("gateway")) -> Response:
    """Tenants, services and members; 304 from one number as long as nothing changed."""
    service: Service = request.app.state.service
    today = local_date(service.clock.now())
    with service.database.reading() as session:
        etag = f'"{use_case.version(session, today)}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        document = use_case.snapshot(session, today)
    return JSONResponse(document, headers={"ETag": etag, "Cache-Control": "no-cache"})
