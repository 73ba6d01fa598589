"""A service's HTTP side: refusals become answers (RFC 9457), access is declared, health is told, requests are seen."""

import logging
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.telemetry import TelemetryConfig
from sqlalchemy import select
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, compile_path

from libs.common import access, telemetry
from libs.common.errors import (
    Invalid,
    NotAllowed,
    NotFound,
    Refusal,
    Sentence,
    TooWeak,
    Unavailable,
    Unexpected,
    say,
)
from libs.common.operations import operations_router
from libs.common.service import Service
from libs.common.web import i18n
from libs.common.web.pages import Pages, refusal_heading

PROBLEM = "application/problem+json"
ErrorPage = Callable[[Request, Refusal], Response]

_log = logging.getLogger(__name__)


def create_app(
    service: Service, routers: list[APIRouter], *, watcher: str, error_page: ErrorPage | None = None
) -> FastAPI:
    """The HTTP side of `service`.

    `error_page` makes the page for people; programs get problem+json. `watcher` is the service whose operator's page
    may read and mend this one's queues.
    """
    app = _bare_app(service.name)
    app.state.service = service
    app.state.error_page = error_page
    app.router.routes.extend(_routes_of([*routers, _health_routes(), _internal_routes(service.name, watcher)]))
    _install_answers(app)
    app.add_middleware(telemetry.TracingMiddleware, service=service.name)
    return app


def _bare_app(name: str) -> FastAPI:
    return FastAPI(
        title=name, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=_UNSEEN
    )


_UNSEEN: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI's own spans hold the path and the query that were asked: names that people look for. `TracingMiddleware` tells the route."""


_read: dict[tuple[int, ...], tuple[list[APIRouter], list[BaseRoute]]] = {}
"""Routers by their identity, kept so that it stays theirs, and the routes that were made of them."""


def _routes_of(routers: list[APIRouter]) -> list[BaseRoute]:
    """The routes of `routers`, each of which declares its access. Reading two hundred takes half a second: once in a process."""
    key = tuple(id(router) for router in routers)
    if key not in _read:
        whole = _bare_app("")
        for router in routers:
            whole.include_router(router)
        access.check_declared(whole, exempt=lambda path: path.startswith(("/health/", "/static")))
        _read[key] = (routers, whole.routes)
    return _read[key][1]


# ---- refusals -------------------------------------------------------------------------------------------------------


def problem(refusal: Refusal, tell: Callable[[str], str] = str) -> JSONResponse:
    """`refusal` for a program: problem+json with the stable `code`, and `fields` where values were wrong. `tell` says a sentence in the
    reader's language."""
    body: dict[str, Any] = {
        "type": f"urn:kyodo:problem:{refusal.code}",
        "title": tell(refusal_heading(refusal.status)),
        "status": refusal.status,
        "detail": tell(refusal.message),
        "code": refusal.code,
        **{name: tell(fact) if isinstance(fact, Sentence) else fact for name, fact in refusal.details.items()},
    }
    if isinstance(refusal, Invalid) and refusal.fields:
        body["fields"] = {name: tell(sentence) for name, sentence in refusal.fields.items()}
    headers = {"Retry-After": str(refusal.details["retry_after"])} if "retry_after" in refusal.details else None
    return JSONResponse(body, refusal.status, headers, PROBLEM)


def problem_for(request: Request, refusal: Refusal, pages: Pages | None) -> JSONResponse:
    """`problem` in the language that the asker likes best (Accept-Language, RFC 9110, 12.5.4) of those that `pages` knows."""
    if pages is None:
        return problem(refusal)
    lang = i18n.asked_language(request)
    response = problem(refusal, partial(pages.translated, lang))
    response.headers["Content-Language"] = i18n.HTML_LANG[lang]
    return response


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks, rather than a program."""
    return "text/html" in request.headers.get("accept", "")


def answer(request: Request, refusal: Refusal) -> Response:
    page: ErrorPage | None = request.app.state.error_page
    if page and wants_page(request):
        response = page(request, refusal)
    else:
        response = problem_for(request, refusal, request.app.state.service.extras.get("pages"))
    response.headers["Cache-Control"] = "no-store"
    if isinstance(refusal, TooWeak):
        response.headers["WWW-Authenticate"] = challenge(refusal.details["acr"])
    return response


def challenge(acr: str) -> str:
    """How a route says that this sign-in is too weak for it (RFC 9470, 3)."""
    return f'Bearer error="insufficient_user_authentication", acr_values="{acr}"'


def _other_slash(request: Request, *, named: bool) -> str | None:
    """The page that was meant where only the slash at the end is wrong (…/desk, …/mine/); None where there is none.

    `named`: only a page whose last part is a word of ours. `/mine/` is read as a procedure called "mine", which there is not;
    a name that somebody else gave leads nowhere else, so that two addresses never point at each other."""
    path = request.url.path
    other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    if request.method != "GET" or not wants_page(request) or not other or other.startswith("//"):
        return None
    ends = [
        template.rstrip("/").rpartition("/")[2] for template in _pages(request.app) if _pattern(template).match(other)
    ]
    if not ends or (named and "{" in ends[0]):
        return None
    return quote(other) + (f"?{request.url.query}" if request.url.query else "")


def _pages(app: FastAPI) -> Iterator[str]:
    """The addresses that can be opened, with their {parameters}, in the order in which they are tried."""
    return (route.path or "" for route in access.routes_of(app) if "GET" in (route.methods or ()))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return compile_path(template)[0]


def _elsewhere(address: str) -> Response:
    return RedirectResponse(address, 307, {"Cache-Control": "no-store"})


def _install_answers(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    def refused(request: Request, error: Refusal) -> Response:
        meant = _other_slash(request, named=True) if isinstance(error, NotFound) else None
        return _elsewhere(meant) if meant else answer(request, error)

    @app.exception_handler(RequestValidationError)
    def misshapen(request: Request, error: RequestValidationError) -> Response:
        names = {".".join(str(p) for p in e["loc"][1:]) or str(e["loc"][0]): e["msg"] for e in error.errors()}
        return answer(request, Invalid(say("送られた内容の形が合いません。"), code="misshapen", fields=names))

    @app.exception_handler(HTTPException)
    def framework(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            if meant := _other_slash(request, named=False):
                return _elsewhere(meant)
            return answer(request, NotFound(say("このページは見つかりません。アドレスをお確かめください。")))
        refusal = NotAllowed(say("この操作はできません。"))
        if error.status_code != NotAllowed.status:
            refusal.status = error.status_code  # type: ignore[misc]
        response = answer(request, refusal)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    @app.exception_handler(NoConnectionLeft)
    def store_unreachable(request: Request, error: Exception) -> Response:
        _log.error("store unreachable", extra={"error": type(error).__name__})
        sentence = say("いま保存できませんでした。入力は画面に残っています。少し待ってから、もう一度お試しください。")
        return answer(request, Unavailable(sentence, code="store-unreachable", retry_after=10))

    @app.exception_handler(DataError)
    @app.exception_handler(OverflowError)
    def unstorable(request: Request, error: Exception) -> Response:
        """A NUL in a text or a number beyond its column, which PostgreSQL refuses, SQLite's beyond 64 bits, a day beyond the year 9999:
        what was sent is wrong, not we."""
        _log.warning("unstorable", extra={"error": type(getattr(error, "orig", error)).__name__})
        sentence = say(
            "送られた内容に、扱えない文字か、大きすぎる数や日付があります。確かめて、もう一度お試しください。"
        )
        return answer(request, Invalid(sentence, code="unstorable"))

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> Response:
        return answer(request, Unexpected())


# ---- health and internal routes -------------------------------------------------------------------------------------


@cache
def _health_routes() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    def live() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/health/ready")
    def ready(request: Request) -> JSONResponse:
        service: Service = request.app.state.service
        try:
            with service.database.reading() as session:
                session.execute(select(1))
        except Exception as error:
            return JSONResponse({"status": "store unreachable", "error": type(error).__name__}, 503)
        return JSONResponse({"status": "ok"})

    return router


@cache
def _internal_routes(name: str, watcher: str) -> APIRouter:
    """The API document of this service, and what an operator needs of its queues. Never reachable through the gateway."""
    router = APIRouter(prefix=f"/internal/{name}", include_in_schema=False)

    @router.get("/openapi.json")
    def openapi(request: Request, _actor: Any = access.service("gateway")) -> dict[str, Any]:
        return request.app.openapi()

    router.include_router(operations_router(watcher))
    return router
