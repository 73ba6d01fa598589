"""Seeing requests where a span costs as much as the work itself: only those chosen get one, and those that fail.

Every request has its count, its log line, its request id and a `traceparent` for the next service, as with `TracingMiddleware`. What is
not chosen has no span while it runs; if it ends with 5xx, one is made then, in the same trace, so that errors are always kept.
"""

import random
import re
import time

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from libs.common import log
from libs.common.ids import new_id
from libs.common.telemetry import metrics
from libs.common.telemetry.asgi import (
    NO_ANSWER,
    REQUEST_ID,
    App,
    Message,
    Receive,
    Scope,
    Send,
    TracingMiddleware,
    _code,
    route_of,
)
from libs.common.telemetry.propagation import tracer

_TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")
_NOT_SAMPLED = TraceFlags(0)


class SeldomTraced:
    """As `TracingMiddleware`, for a share `ratio` of requests and for those whose caller is being traced.

    `scope["state"]["traceparent"]` is what to tell the next service of a request that has no span.
    """

    def __init__(self, app: App, service: str, ratio: float) -> None:
        self._app, self._service, self._ratio = app, service, ratio
        self._traced = TracingMiddleware(app, service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given, request_id = _continued(scope)
        if random.random() < self._ratio or (given is not None and int(given[2], 16) & 1):  # noqa: S311 (a sample)
            return await self._traced(scope, receive, send)
        trace_id = given[1].decode() if given is not None else f"{random.getrandbits(128):032x}"
        span_id = f"{random.getrandbits(64):016x}"
        state = scope.setdefault("state", {})
        state["request_id"], state["traceparent"] = request_id, f"00-{trace_id}-{span_id}-00"
        header = (b"x-request-id", request_id.encode())
        status, begun = NO_ANSWER, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            status = 500
            raise
        finally:
            self._tell(scope, status, time.perf_counter() - begun, request_id, trace_id, span_id)

    def _tell(self, scope: Scope, status: int, seconds: float, request_id: str, trace_id: str, span_id: str) -> None:
        method, route = scope["method"], route_of(scope)
        metrics.count_request(self._service, method, route, status, seconds)
        log.request(
            service=self._service,
            request_id=request_id,
            method=method if method in metrics.METHODS else "other",
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            code=_code(scope),
            trace_id=trace_id,
            span_id=span_id,
        )
        if status >= 500:
            _keep_failure(
                f"{method} {route}",
                status,
                seconds,
                SpanContext(int(trace_id, 16), int(span_id, 16), True, _NOT_SAMPLED),
            )


def _continued(scope: Scope) -> tuple[re.Match[bytes] | None, str]:
    """The caller's traceparent, and the request id: the caller's or a new one."""
    parent, request_id = None, ""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            parent = _TRACEPARENT.fullmatch(value)
        elif name == b"x-request-id":
            request_id = value.decode("latin-1")
    return parent, request_id if REQUEST_ID.fullmatch(request_id) else new_id()


def _keep_failure(name: str, status: int, seconds: float, place: SpanContext) -> None:
    """The span of a request that failed, made afterwards: under the ids that the next service and the log were told."""
    now = time.time_ns()
    context = trace.set_span_in_context(NonRecordingSpan(place))
    span = tracer().start_span(name, context=context, kind=SpanKind.SERVER, start_time=now - int(seconds * 1e9))
    span.set_attribute("http.response.status_code", status)
    span.set_status(Status(StatusCode.ERROR))
    span.end(now)
