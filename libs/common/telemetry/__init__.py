"""Seen from outside: one trace from the browser's request to the last reader, and counts per route. No collector
needed.

A process calls `start(name, …)` once. Spans go to `OTEL_EXPORTER_OTLP_ENDPOINT` where that is set, else to a bounded
set of OTLP-JSON-lines files under DATA_DIR/traces. Nothing here blocks or raises into the work that is being watched,
and no exception text enters a span: it could hold what a person typed.
"""

from libs.common.telemetry import metrics
from libs.common.telemetry.asgi import TracingMiddleware
from libs.common.telemetry.propagation import (
    consumer_span,
    consuming,
    context_of,
    current_ids,
    current_traceparent,
    event_failed,
    headers_with_trace,
    span,
)
from libs.common.telemetry.seldom import SeldomTraced, look
from libs.common.telemetry.tracing import start, stop

__all__ = [
    "SeldomTraced",
    "TracingMiddleware",
    "consumer_span",
    "consuming",
    "context_of",
    "current_ids",
    "current_traceparent",
    "event_failed",
    "headers_with_trace",
    "look",
    "metrics",
    "span",
    "start",
    "stop",
]
