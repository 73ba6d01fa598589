"""One server span, one count and one log line per request, and the request id. No spans for receive and send."""

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from opentelemetry.trace import SpanKind, Status, StatusCode

from libs.common import log
from libs.common.ids import new_id
from libs.common.telemetry import metrics
from libs.common.telemetry.propagation import context_of, tracer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
NO_ROUTE = "(none)"
NO_ANSWER = 499
"""What is noted when the asker went away before there was an answer; nobody is told it."""

_CONTINUED = frozenset({b"traceparent", b"tracestate", b"x-request-id"})


class TracingMiddleware:
    """Outermost middleware of a service's app. `scope["state"]["request_id"]` holds the request id for error pages."""

    def __init__(self, app: App, service: str) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"] if n in _CONTINUED}
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        status, begun = NO_ANSWER, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        with (
            log.bound(request_id=request_id, service=self._service),
            tracer().start_as_current_span(
                scope["method"],
                context=context_of(headers),
                kind=SpanKind.SERVER,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
        ):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception as error:
                status = 500
                span.set_attribute("error.type", type(error).__name__)
                raise
            finally:
                route, seconds = route_of(scope), time.perf_counter() - begun
                if span.is_recording():
                    span.update_name(f"{scope['method']} {route}")
                    span.set_attributes(
                        {
                            "service": self._service,
                            "http.request.method": scope["method"],
                            "http.route": route,
                            "http.response.status_code": status,
                            "request_id": request_id,
                        }
                    )
                    if status >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                metrics.count_request(self._service, scope["method"], route, status, seconds)
                log.request(
                    service=self._service,
                    request_id=request_id,
                    method=scope["method"] if scope["method"] in metrics.METHODS else "other",
                    route=route,
                    status=status,
                    ms=round(seconds * 1000, 1),
                    code=code_of(scope),
                )


def _request_id(headers: dict[str, str]) -> str:
    given = headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else new_id()


def code_of(scope: Scope) -> str | None:
    """The municipality of the path, if it has the form of one: the place may hold what a person typed."""
    code = scope.get("path_params", {}).get("code")
    return code if code and len(code) == 6 and code.isascii() and code.isdigit() else None


def route_of(scope: Scope) -> str:
    """The template of the route that answered. A path nobody serves is one class: paths hold what people typed."""
    return getattr(scope.get("route"), "path", None) or NO_ROUTE
