"""Spans as OTLP-JSON lines in a folder, a bounded number of bytes of them (OpenTelemetry protocol, JSON encoding:
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). Each line is one ExportTraceServiceRequest."""

import base64
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

FILE_BYTES = 5_000_000
FILES = 20
_IDS = ("traceId", "spanId", "parentSpanId")


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
    """One line of OTLP JSON. Ids are hex there, although protobuf's own JSON would make them base64."""
    document = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
    return json.dumps(_with_hex_ids(document), ensure_ascii=False, separators=(",", ":"))


def _with_hex_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hex(item) if key in _IDS else _with_hex_ids(item) for key, item in value.items()}
    return [_with_hex_ids(item) for item in value] if isinstance(value, list) else value


def _hex(text: str) -> str:
    return base64.b64decode(text).hex()
