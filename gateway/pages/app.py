"""The FastAPI app behind the gateway's own paths."""

from urllib.parse import quote

from fastapi import APIRouter, FastAPI
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api_document import ApiDocument
from gateway.pages import (
    account,
    address,
    close,
    closures,
    confirm,
    docs,
    door,
    internal,
    internal_keys,
    join,
    mails,
    second_factor,
    sign_in,
    town_provider,
    with_provider,
)
from gateway.pages.again import Stale
from gateway.pages.common import see
from gateway.parts import Parts, parts_of
from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Refusal, TooWeak
from libs.common.http import create_app
from libs.common.web import static_url

OPERATORS_PAGES = "tenants"
"""The service whose pages show operators the queues of all."""


def create_own_app(parts: Parts) -> FastAPI:
    settings, service = parts.settings, parts.service
    service.extras["api_document"] = ApiDocument(settings.services, service.signer, settings.public_url)
    pages = (
        sign_in,
        with_provider,
        confirm,
        second_factor,
        join,
        account,
        town_provider,
        address,
        close,
        mails,
        docs,
        door,
        closures,
        internal,
        internal_keys,
    )
    routers = [_readiness(), *(page.router for page in pages)]
    return create_app(service, routers, watcher=OPERATORS_PAGES, error_page=_error_page)


def _error_page(request: Request, refusal: Refusal) -> Response:
    """Somebody who is not signed in, or not surely enough, is led to the door, and back afterwards."""
    if isinstance(refusal, Stale):
        return see(refusal.where)
    if isinstance(refusal, TooWeak):
        return parts_of(request).refusals.response(request, refusal)
    if refusal.status == 401 and request.method == "GET":
        return see(f"/sign-in?next={quote(_here(request))}")
    return parts_of(request).refusals.response(request, refusal)


def _here(request: Request) -> str:
    """Path and query, to come back to."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _readiness() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/health/ready")
    def ready(request: Request) -> JSONResponse:
        """Ready when the tenants are known and the store answers. The registry may be away: the last known serves."""
        parts = parts_of(request)
        try:
            with parts.service.database.reading() as session:
                session.execute(select(1))
        except Exception as error:
            return JSONResponse({"status": "store unreachable", "error": type(error).__name__}, 503)
        if not parts.snapshots.known:
            return JSONResponse({"status": "tenants not known yet"}, 503)
        confirmed = parts.snapshots.confirmed_at
        age = (parts.clock.now() - confirmed).total_seconds() if confirmed else None
        return JSONResponse({"status": "ok", "snapshot_age": age})

    @router.get("/favicon.ico")
    def favicon(request: Request, actor: Actor = access.public()) -> Response:
        return see(static_url("favicon.svg"))

    return router
