"""Spans as OTLP-JSON lines in a folder, a bounded number of bytes of them (OpenTelemetry protocol, JSON encoding:
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). Each line is one ExportTraceServiceRequest."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext
from opentelemetry.util.types import Attributes

FILE_BYTES = 5_000_000
FILES = 20


class JsonLinesExporter(SpanExporter):
    """Writes `<service>-<pid>-<n>.jsonl`; a file that is full is followed by the next, and the oldest of the folder
    go."""

    def __init__(self, folder: Path, service: str, *, file_bytes: int = FILE_BYTES, files: int = FILES) -> None:
        self._folder, self._file_bytes, self._files = folder, file_bytes, files
        self._name = re.sub(r"[^A-Za-z0-9_-]", "-", service)
        self._number = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            self._append(otlp_json(spans) + "\n")
        except Exception:  # a full disk must never reach the work that is watched
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def _append(self, line: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path()
        if path.exists() and path.stat().st_size + len(line) > self._file_bytes:
            self._number += 1
            path = self._path()
        new = not path.exists()
        with path.open("a", encoding="utf-8") as file:
            file.write(line)
        if new:
            self._forget_oldest()

    def _path(self) -> Path:
        return self._folder / f"{self._name}-{os.getpid()}-{self._number}.jsonl"

    def _forget_oldest(self) -> None:
        """Other processes write here too: all of them together keep `files` files."""
        by_age = sorted(self._folder.glob("*.jsonl"), key=_age)
        for path in by_age[: -self._files]:
            path.unlink(missing_ok=True)

    def shutdown(self) -> None:
        """Every line is already written."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process has just removed it
        return 0.0


def otlp_json(spans: Sequence[ReadableSpan]) -> str:
    """One line of OTLP JSON: what protobuf's own JSON of the same message holds, but for the ids, which are hex here.

    Written straight from the spans: by way of protobuf's messages it took a millisecond a span, in a thread that shares the
    interpreter with the work that is watched.
    """
    scopes: dict[InstrumentationScope | None, list[dict[str, Any]]] = {}
    for span in spans:
        scopes.setdefault(span.instrumentation_scope, []).append(_span(span))
    made = [{"scope": _scope(scope), "spans": of_it} for scope, of_it in scopes.items()]
    of_process = {"attributes": _attributes(spans[0].resource.attributes)}  # one exporter, one provider, one resource
    return _encode({"resourceSpans": [{"resource": of_process, "scopeSpans": made}]})


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Kept: `json.dumps` makes a new one at each call."""


def _known(**fields: Any) -> dict[str, Any]:
    """Without those that have the value they would have anyway: so does protobuf's JSON."""
    return {name: value for name, value in fields.items() if value}


def _span(span: ReadableSpan) -> dict[str, Any]:
    context, parent = span.context, span.parent
    assert context is not None  # every span that has ended has one
    return {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "name": span.name,
        "kind": span.kind.value + 1,  # OTLP begins with "unspecified"
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "status": _known(code=span.status.status_code.value, message=span.status.description),
        "flags": _flags(parent),
        **_known(
            traceState=",".join(f"{key}={value}" for key, value in context.trace_state.items()),
            parentSpanId=f"{parent.span_id:016x}" if parent else "",
            attributes=_attributes(span.attributes),
            droppedAttributesCount=span.dropped_attributes,
            events=[_event(event) for event in span.events],
            droppedEventsCount=span.dropped_events,
            links=[_link(link) for link in span.links],
            droppedLinksCount=span.dropped_links,
        ),
    }


def _event(event: Event) -> dict[str, Any]:
    told = _known(attributes=_attributes(event.attributes), droppedAttributesCount=event.dropped_attributes)
    return {"name": event.name, "timeUnixNano": str(event.timestamp), **told}


def _link(link: Link) -> dict[str, Any]:
    ids = {"traceId": f"{link.context.trace_id:032x}", "spanId": f"{link.context.span_id:016x}"}
    told = _known(attributes=_attributes(link.attributes), droppedAttributesCount=link.dropped_attributes)
    return {**ids, **told, "flags": _flags(link.context)}


def _flags(context: SpanContext | None) -> int:
    """SpanFlags of OTLP: 0x100 says that the next bit is meant, 0x200 that the other span is another process's."""
    return 0x300 if context is not None and context.is_remote else 0x100


def _scope(scope: InstrumentationScope | None) -> dict[str, Any]:
    if scope is None:
        return {}
    return _known(name=scope.name, version=scope.version, attributes=_attributes(scope.attributes))


def _attributes(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in (attributes or {}).items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case str():
            return {"stringValue": value}
        case int():
            return {"intValue": str(value)}  # 64 bits: more than a number of JSON surely holds
        case float():
            return {"doubleValue": value}
        case _:
            return {"arrayValue": {"values": [_value(item) for item in value]}}
