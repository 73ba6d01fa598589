"""Seeing requests where a span costs as much as the work itself: only those chosen get one, and those that fail.

Every request has its count, its log line, its request id and a `traceparent` for the next service, as with `TracingMiddleware`. What is
not chosen has no span while it runs; if it ends with 5xx, one is made then, in the same trace, so that errors are always kept.
"""

import random
import re
import time
from collections.abc import Iterable

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
    code_of,
    route_of,
)
from libs.common.telemetry.propagation import tracer

_TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")
_NOT_SAMPLED = TraceFlags(0)
Headers = Iterable[tuple[bytes, bytes]]


class Seen:
    """A request without a span: what others are told of it, and what is told when it has been answered."""

    __slots__ = ("_begun", "_span_id", "_trace_id", "request_id")

    def __init__(self, request_id: str, given: re.Match[bytes] | None) -> None:
        self._begun = time.perf_counter()
        self.request_id = request_id
        self._trace_id = given[1].decode() if given is not None else f"{random.getrandbits(128):032x}"
        self._span_id = f"{random.getrandbits(64):016x}"

    @property
    def header(self) -> tuple[bytes, bytes]:
        return b"x-request-id", self.request_id.encode()

    @property
    def traceparent(self) -> str:
        return f"00-{self._trace_id}-{self._span_id}-00"

    def tell(self, service: str, method: str, route: str, code: str | None, status: int) -> None:
        """Its count, its log line and, where it failed, its span. `route` is the template, `code` a municipality's or None."""
        seconds = time.perf_counter() - self._begun
        metrics.count_request(service, method, route, status, seconds)
        log.request(
            service=service,
            request_id=self.request_id,
            method=method if method in metrics.METHODS else "other",
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            code=code,
            trace_id=self._trace_id,
            span_id=self._span_id,
        )
        if status >= 500:
            place = SpanContext(int(self._trace_id, 16), int(self._span_id, 16), True, _NOT_SAMPLED)
            _keep_failure(f"{method} {route}", status, seconds, place)


def look(headers: Headers, ratio: float) -> Seen | None:
    """A request that gets no span; None for one that is chosen: a share `ratio`, and those whose caller is being traced."""
    given, request_id = _continued(headers)
    if random.random() < ratio or (given is not None and int(given[2], 16) & 1):  # noqa: S311 (a sample)
        return None
    return Seen(request_id, given)


class SeldomTraced:
    """As `TracingMiddleware`, for a share `ratio` of requests and for those whose caller is being traced.

    `scope["state"]["traceparent"]` is what to tell the next service of a request that has no span.
    """

    def __init__(self, app: App, service: str, ratio: float) -> None:
        self._app, self._service, self._ratio = app, service, ratio
        self._traced = TracingMiddleware(app, service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = look(scope["headers"], self._ratio)
        if seen is None:
            return await self._traced(scope, receive, send)
        state = scope.setdefault("state", {})
        state["request_id"], state["traceparent"] = seen.request_id, seen.traceparent
        status = NO_ANSWER

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), seen.header]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            status = 500
            raise
        finally:
            seen.tell(self._service, scope["method"], route_of(scope), code_of(scope), status)


def _continued(headers: Headers) -> tuple[re.Match[bytes] | None, str]:
    """The caller's traceparent, and the request id: the caller's or a new one."""
    parent, request_id = None, ""
    for name, value in headers:
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
