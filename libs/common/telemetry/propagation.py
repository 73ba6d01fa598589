"""W3C trace context (https://www.w3.org/TR/trace-context/) in and out, and the spans our code makes by hand."""

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from libs.common import log
from libs.common.telemetry import metrics

Value = str | bool | int | float

_w3c = TraceContextTextMapPropagator()
_EMPTY = Context()
_log = log.get(__name__)


_found: tuple[trace.TracerProvider, trace.Tracer] | None = None


def tracer() -> trace.Tracer:
    """Found once per provider: asking OpenTelemetry costs more than half a span."""
    global _found
    provider = trace.get_tracer_provider()
    if _found is None or _found[0] is not provider:
        _found = provider, provider.get_tracer("libs.common")
    return _found[1]


def current_traceparent() -> str | None:
    """The `traceparent` of what is going on now, to be kept with an event or a job; None outside any span."""
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return carrier.get("traceparent")


def headers_with_trace(headers: MutableMapping[str, str] | None = None) -> MutableMapping[str, str]:
    """`headers` for an outgoing call (httpx), with traceparent put in."""
    headers = {} if headers is None else headers
    _w3c.inject(headers)
    return headers


def context_of(headers: Mapping[str, str]) -> Context:
    """The trace that a caller's headers continue; an empty context when they hold none or nonsense."""
    return _w3c.extract(headers, context=_EMPTY)


def current_ids() -> dict[str, str]:
    """`trace_id` and `span_id` in hex for a log line; empty outside any span."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


@contextmanager
def span(name: str, *, kind: SpanKind = SpanKind.INTERNAL, **attributes: Value | None) -> Iterator[Span]:
    """A child of what is going on now. An exception marks it as failed by its class name only."""
    with _marked(name, None, kind, (), attributes) as made:
        yield made


@contextmanager
def consumer_span(name: str, traceparent: str | None, **attributes: Value | None) -> Iterator[Span]:
    """The handling of an event or a job: a trace of its own with a *link* to where it came from.

    Not a child: the cause may be hours old and long exported, and one cause may have many readers.
    """
    source = trace.get_current_span(context_of({"traceparent": traceparent or ""})).get_span_context()
    links = (Link(source),) if source.is_valid else ()
    with _marked(name, _EMPTY, SpanKind.CONSUMER, links, attributes) as made:
        yield made


@contextmanager
def consuming(envelope: Mapping[str, Any]) -> Iterator[Span]:
    """The handling of one event: its span, its count, and its facts on every log line meanwhile."""
    facts = {"event_type": envelope["type"], "event_id": envelope["id"], "tenant": envelope.get("tenantid")}
    with log.bound(**facts), consumer_span(f"handle {envelope['type']}", envelope.get("traceparent"), **facts) as made:
        try:
            yield made
        except Exception:
            metrics.count_event(envelope["type"], "failed")
            raise
        metrics.count_event(envelope["type"], "handled")


def event_failed(event_id: str, error: Exception) -> None:
    """A reader could not apply an event; it is tried again or dead. The text stays on the inbox row, for operators."""
    _log.warning("event_failed", event_id=event_id, error=type(error).__name__)


@contextmanager
def _marked(
    name: str,
    context: Context | None,
    kind: SpanKind,
    links: tuple[Link, ...],
    attributes: Mapping[str, Value | None],
) -> Iterator[Span]:
    known = {key: value for key, value in attributes.items() if value is not None}
    with tracer().start_as_current_span(
        name,
        context=context,
        kind=kind,
        links=links,
        attributes=known,
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except Exception as error:
            made.set_attribute("error.type", type(error).__name__)
            made.set_status(Status(StatusCode.ERROR))
            raise
