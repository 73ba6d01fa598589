"""The tracer of one process: what is kept, and where it goes."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState
from opentelemetry.util.types import Attributes

from libs.common.telemetry import metrics
from libs.common.telemetry.files import JsonLinesExporter

EXPORT_TIMEOUT = 5
"""Seconds for one attempt to reach a collector; it happens in a thread of its own."""

_lock = threading.Lock()
_provider: TracerProvider | None = None


def start(
    service: str,
    *,
    data_dir: Path | None = None,
    trace_ratio: float = 1.0,
    metrics_port: int | None = None,
    metrics_host: str = "127.0.0.1",
    ready: Callable[[], bool] | None = None,
    exporter: SpanExporter | None = None,
) -> TracerProvider:
    """Begin tracing in this process; a second call returns the first one's provider.

    `trace_ratio` is the share of traces that are kept (0 to 1); a trace with a failed span is always kept. `exporter`
    is for tests; `ready` as in `metrics.serve`.
    Without a collector's address and without `data_dir`, spans only carry ids through logs and events.
    """
    global _provider
    with _lock:
        if _provider is None:
            _provider = make_provider(service, data_dir, trace_ratio, exporter)
            trace.set_tracer_provider(_provider)
            metrics.process = service
            if metrics_port is not None:
                metrics.serve(metrics_port, metrics_host, ready)
        return _provider


def stop() -> None:
    """Hand over what is still waiting (at most a few seconds) and end the exporting thread."""
    if _provider is not None:
        _provider.shutdown()


def make_provider(
    service: str, data_dir: Path | None, trace_ratio: float, exporter: SpanExporter | None = None
) -> TracerProvider:
    """A provider that is not yet the process's own."""
    provider = TracerProvider(
        sampler=RatioKeepingErrors(trace_ratio), resource=Resource.create({"service.name": service})
    )
    exporter = exporter or _exporter(service, data_dir)
    if exporter is not None:
        provider.add_span_processor(KeepErrorTraces(BatchSpanProcessor(exporter)))
    return provider


def _exporter(service: str, data_dir: Path | None) -> SpanExporter | None:
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(timeout=EXPORT_TIMEOUT)
    return JsonLinesExporter(data_dir / "traces", service) if data_dir else None


class RatioKeepingErrors(Sampler):
    """Marks `ratio` of the traces as sampled, follows the caller's mark, and records the others too: if one fails it
    is kept."""

    def __init__(self, ratio: float) -> None:
        self._ratio = TraceIdRatioBased(ratio)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        parent = trace.get_current_span(parent_context).get_span_context()
        if parent.is_valid:
            chosen = parent.trace_flags.sampled
        else:
            chosen = self._ratio.should_sample(None, trace_id, name).decision is Decision.RECORD_AND_SAMPLE
        decision = Decision.RECORD_AND_SAMPLE if chosen else Decision.RECORD_ONLY
        return SamplingResult(decision, attributes, parent.trace_state if parent.is_valid else trace_state)

    def get_description(self) -> str:
        return "RatioKeepingErrors"


class KeepErrorTraces(SpanProcessor):
    """Passes sampled spans on; holds the others of a trace until this process's part of it ends, then keeps them if
    any failed."""

    MAX_TRACES = 1000
    MAX_SPANS = 200

    def __init__(self, inner: SpanProcessor) -> None:
        self._inner = inner
        self._held: OrderedDict[int, list[ReadableSpan]] = OrderedDict()
        self._lock = threading.Lock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._inner.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        context = span.context
        if context is None:
            return
        if context.trace_flags.sampled:
            self._inner.on_end(span)
            return
        with self._lock:
            held = self._held.setdefault(context.trace_id, [])
            if len(held) < self.MAX_SPANS:
                held.append(span)
            if span.parent is not None and not span.parent.is_remote:
                self._drop_oldest()
                return
            del self._held[context.trace_id]
        if any(one.status.status_code is StatusCode.ERROR for one in (*held, span)):
            for one in held:
                self._inner.on_end(_marked_as_sampled(one))

    def _drop_oldest(self) -> None:
        while len(self._held) > self.MAX_TRACES:
            self._held.popitem(last=False)

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._inner.force_flush(timeout_millis)


def _marked_as_sampled(span: ReadableSpan) -> ReadableSpan:
    context = span.context
    assert context is not None
    return ReadableSpan(
        name=span.name,
        context=SpanContext(
            context.trace_id, context.span_id, context.is_remote, TraceFlags(TraceFlags.SAMPLED), context.trace_state
        ),
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
