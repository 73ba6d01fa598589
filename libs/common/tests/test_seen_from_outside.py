"""Traces, logs and counts: one thread through everything, nothing personal in any of it, never in the way."""

import asyncio
import base64
import io
import json
import logging
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from google.protobuf.json_format import MessageToDict
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState
from prometheus_client import REGISTRY, generate_latest
from pydantic import BaseModel

from infra.local import processes
from libs.common import log, telemetry
from libs.common.db import Database
from libs.common.http import create_app
from libs.common.log import HIDDEN, clean_text, redact
from libs.common.settings import Settings
from libs.common.telemetry import propagation, tracing
from libs.common.telemetry.files import JsonLinesExporter, otlp_json
from libs.common.testing.service import make_service

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-00f067aa0ba902b7-01", f"00-{TRACE}-00f067aa0ba902b7-00"
CANARIES = {
    "personal number": "1234 5678 9018",
    "mail address": "hanako.tanaka@example.jp",
    "inner token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "machine token": "kyodo_0193abcdef_Zm9vYmFyYmF6cXV4cXV1eHF1dXo",
    "database password": "postgresql://app:hunter2@10.0.0.1/kyodo",
    "bearer": "Bearer 0123456789abcdef",
    "link": "/resume?token=s3cr3tlink",
}
BARE = [
    "1234 5678 9018", "hanako", "eyJhbGci", "Zm9vYmFy", "hunter2", "0123456789abcdef", "s3cr3tlink",
]  # fmt: skip


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], Callable[[], list[ReadableSpan]]]]:
    """`spans(ratio)` traces the test with that sampling; calling what it returns gives the spans kept so far."""
    providers: list[TracerProvider] = []

    def begin(ratio: float = 1.0) -> Callable[[], list[ReadableSpan]]:
        kept = InMemorySpanExporter()
        provider = tracing.make_provider("shop", None, ratio, kept)
        providers.append(provider)
        monkeypatch.setattr(propagation, "tracer", lambda: provider.get_tracer("test"))
        monkeypatch.setattr("libs.common.telemetry.asgi.tracer", lambda: provider.get_tracer("test"))
        monkeypatch.setattr("libs.common.telemetry.seldom.tracer", lambda: provider.get_tracer("test"))

        def so_far() -> list[ReadableSpan]:
            provider.force_flush()
            return list(kept.get_finished_spans())

        return so_far

    yield begin
    for provider in providers:
        provider.shutdown()


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The log as it leaves the process."""
    root = logging.getLogger()
    before, level, stream = root.handlers, root.level, io.StringIO()
    log.start("shop", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers, root.level = before, level


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()

    @app.get("/t/{code}/things/{thing}")
    def thing(code: str, thing: str) -> dict[str, str | None]:
        with telemetry.span("look it up", table="things"):
            return {"traceparent": telemetry.current_traceparent()}

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError(" ".join(CANARIES.values()))

    app.add_middleware(telemetry.TracingMiddleware, service="shop")  # type: ignore[arg-type]
    return TestClient(app, raise_server_exceptions=False)


def test_a_request_is_one_server_span_that_continues_the_callers_trace(client: TestClient, spans: Any) -> None:
    kept = spans()
    answer = client.get("/t/402036/things/7", headers={"traceparent": SAMPLED})
    [inner, server] = kept()
    assert server.name == "GET /t/{code}/things/{thing}"
    assert f"{server.context.trace_id:032x}" == TRACE
    assert f"{server.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert inner.parent.span_id == server.context.span_id, "also through the endpoint's thread"
    assert server.attributes["http.response.status_code"] == 200
    assert "7" not in str(server.attributes.get("http.route")), "no ids in spans"
    assert answer.json()["traceparent"].startswith(f"00-{TRACE}-{inner.context.span_id:016x}-01")


@pytest.mark.parametrize("header", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 5000])
def test_a_callers_nonsense_begins_a_new_trace(client: TestClient, spans: Any, header: str) -> None:
    kept = spans()
    assert client.get("/t/402036/things/7", headers={"traceparent": header}).status_code == 200
    assert kept()[-1].parent is None


def test_a_reader_links_to_the_cause_instead_of_continuing_it(spans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = spans()
    monkeypatch.setattr(telemetry.metrics, "process", "")
    envelope = {"type": "shop.thing.sold.v1", "id": "e1", "tenantid": "402036", "traceparent": SAMPLED}
    with telemetry.consuming(envelope):
        assert telemetry.current_traceparent() is not None
        assert TRACE not in str(telemetry.current_traceparent())
    [handling] = kept()
    assert handling.parent is None
    assert [f"{link.context.trace_id:032x}" for link in handling.links] == [TRACE]
    assert handling.attributes["tenant"] == "402036"
    counted = {"service": "", "type": "shop.thing.sold.v1", "result": "handled"}
    assert (REGISTRY.get_sample_value("events_total", counted) or 0) >= 1


def test_calls_to_others_carry_the_trace(spans: Any) -> None:
    spans()
    assert telemetry.headers_with_trace({"Accept": "x"}) == {"Accept": "x"}
    with telemetry.span("calling"):
        headers = telemetry.headers_with_trace({"Accept": "x"})
        assert headers["traceparent"] == telemetry.current_traceparent()


def test_few_traces_are_kept_but_every_failed_one_with_all_its_parts(client: TestClient, spans: Any) -> None:
    kept = spans(0.0)
    for _ in range(20):
        client.get("/t/402036/things/7")
    assert kept() == []
    with pytest.raises(ValueError, match="x"), telemetry.span("outer"), telemetry.span("inner"):
        raise ValueError("x")
    assert [span.name for span in kept()] == ["inner", "outer"]
    assert all(span.context.trace_flags.sampled for span in kept())
    client.get("/broken", headers={"traceparent": NOT_SAMPLED})
    assert kept()[-1].name == "GET /broken"
    with telemetry.span("fine again"):
        pass
    assert len(kept()) == 3


def test_the_callers_choice_to_keep_a_trace_is_followed(client: TestClient, spans: Any) -> None:
    kept = spans(0.0)
    client.get("/t/402036/things/7", headers={"traceparent": SAMPLED})
    assert len(kept()) == 2
    kept = spans(1.0)
    client.get("/t/402036/things/7", headers={"traceparent": NOT_SAMPLED})
    assert kept() == []


@pytest.mark.parametrize(
    ("status", "ratio", "parent", "kept"),
    [
        (200, 0.0, None, 0),
        (200, 1.0, None, 1),
        (200, 0.0, SAMPLED, 1),
        (200, 0.0, NOT_SAMPLED, 0),
        (503, 0.0, None, 1),
        (503, 0.0, NOT_SAMPLED, 1),
    ],
)
def test_a_request_without_a_span_is_seen_all_the_same(
    spans: Any, lines: Any, status: int, ratio: float, parent: str | None, kept: int
) -> None:
    """What is chosen, traced by its caller, or failed has a span; everything has its line, its id and its place in a trace."""
    so_far, told = spans(ratio), {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.update(scope["state"])
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        told.setdefault("sent", []).append(message)

    headers = [(b"traceparent", parent.encode())] if parent else []
    scope = {"type": "http", "method": "GET", "path": "/x", "headers": headers}
    asyncio.run(telemetry.SeldomTraced(app, "door", ratio)(scope, None, send))
    found = so_far()
    assert len(found) == kept
    line = next(one for one in lines() if one.get("event") == "request")
    assert dict(told["sent"][0]["headers"])[b"x-request-id"].decode() == line["request_id"] == told["request_id"]
    trace_id = told["traceparent"].split("-")[1] if "traceparent" in told else line["trace_id"]
    assert line["trace_id"] == trace_id and (parent is None or trace_id == TRACE)
    if kept:
        assert f"{found[0].context.trace_id:032x}" == trace_id
        assert (found[0].status.status_code is StatusCode.ERROR) == (status >= 500)


def test_traces_that_never_end_here_do_not_pile_up() -> None:
    held = tracing.KeepErrorTraces(_Nothing())  # type: ignore[arg-type]
    provider = TracerProvider(sampler=tracing.RatioKeepingErrors(0.0), shutdown_on_exit=False)
    provider.add_span_processor(held)
    tracer = provider.get_tracer("test")
    for _ in range(held.MAX_TRACES + 50):
        outer = tracer.start_span("outer")  # never ended
        tracer.start_span("inner", context=trace.set_span_in_context(outer)).end()
    assert len(held._held) <= held.MAX_TRACES


class _Nothing:
    def on_start(self, *_: Any) -> None: ...
    def on_end(self, *_: Any) -> None: ...


def test_no_exception_text_enters_a_span(client: TestClient, spans: Any) -> None:
    kept = spans()
    assert client.get("/broken").status_code == 500
    [server] = kept()
    assert (server.status.status_code, server.status.description) == (StatusCode.ERROR, None)
    assert server.attributes["error.type"] == "RuntimeError"
    assert server.events == ()
    assert "hanako" not in server.to_json()


def test_spans_go_to_bounded_files_as_otlp_json(tmp_path: Path) -> None:
    provider = tracing.make_provider("shop/api", tmp_path, 1.0)
    with provider.get_tracer("t").start_as_current_span("書く") as span:
        ids = span.get_span_context()
    provider.shutdown()
    [file] = (tmp_path / "traces").glob("*.jsonl")
    [written] = json.loads(file.read_text("utf-8"))["resourceSpans"]
    assert {"key": "service.name", "value": {"stringValue": "shop/api"}} in written["resource"]["attributes"]
    [one] = written["scopeSpans"][0]["spans"]
    assert (one["name"], one["traceId"], one["spanId"]) == ("書く", f"{ids.trace_id:032x}", f"{ids.span_id:016x}")
    exporter = JsonLinesExporter(tmp_path / "traces", "shop", file_bytes=3000, files=4)
    spans: list[ReadableSpan] = []
    other = tracing.make_provider("shop", None, 1.0, InMemorySpanExporter())
    for n in range(60):
        made = other.get_tracer("t").start_span(f"span {n}")
        made.end()
        spans.append(made)  # type: ignore[arg-type]
        exporter.export([spans[-1]])
    left = list((tmp_path / "traces").glob("*.jsonl"))
    assert len(left) == 4
    assert sum(path.stat().st_size for path in left) <= 4 * 3000
    assert "span 59" in "".join(path.read_text("utf-8") for path in left)


def test_the_lines_are_what_protobuf_s_own_json_says() -> None:
    """The oracle: OpenTelemetry's messages, made JSON by protobuf. Only ids differ: hex here, base64 there (OTLP's own rule)."""
    kept = InMemorySpanExporter()
    provider = tracing.make_provider("店", None, 1.0, kept)
    tracer = provider.get_tracer("t", "1.2", attributes={"of": "scope"})
    told = {
        "text": "書く\n",
        "yes": True,
        "no": False,
        "whole": 2**53 + 1,
        "part": 0.5,
        "many": ["a", "b"],
        "empty": "",
        "zero": 0,
    }
    far = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("a", "b"), ("c", "d")]))
    context = trace.set_span_in_context(NonRecordingSpan(far))
    with tracer.start_as_current_span(
        "outer", context=context, kind=SpanKind.CONSUMER, links=[trace.Link(far, told)]
    ) as outer:
        outer.set_attributes(told)
        outer.add_event("seen", {"n": 1})
        with tracer.start_as_current_span("inner") as inner:
            inner.set_status(StatusCode.ERROR, "away")
    with provider.get_tracer("other").start_as_current_span("alone"):
        pass
    provider.force_flush()
    spans = kept.get_finished_spans()
    assert len(spans) == 3
    ours = json.loads(otlp_json(spans))
    theirs = _with_hex_ids(MessageToDict(encode_spans(spans), use_integers_for_enums=True))
    assert ours == theirs


def _with_hex_ids(value: Any) -> Any:
    if isinstance(value, dict):
        ids = ("traceId", "spanId", "parentSpanId")
        return {k: base64.b64decode(v).hex() if k in ids else _with_hex_ids(v) for k, v in value.items()}
    return [_with_hex_ids(item) for item in value] if isinstance(value, list) else value


def test_a_full_disk_or_a_collector_that_hangs_is_not_noticed_by_the_work(tmp_path: Path) -> None:
    (tmp_path / "traces").write_text("a file is where the folder should be")
    hanging = socket.socket()
    hanging.bind(("127.0.0.1", 0))
    hanging.listen(1)  # takes connections, never answers
    url = f"http://127.0.0.1:{hanging.getsockname()[1]}/v1/traces"
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it says, in its own thread, that it cannot export
    for exporter in (JsonLinesExporter(tmp_path / "traces", "shop"), OTLPSpanExporter(endpoint=url, timeout=1)):
        provider = tracing.make_provider("shop", None, 1.0, exporter)
        waited = 0
        for _ in range(5000):  # more than the queue holds
            begun = time.perf_counter()
            with provider.get_tracer("t").start_as_current_span("work"):
                pass
            waited += time.perf_counter() - begun > 0.9
        threading.Thread(target=provider.shutdown, daemon=True).start()
        assert waited < 4, "the work waited for the exporter: not now and then for a busy machine, but for each batch"
    hanging.close()


PROCESS = """
import sys, urllib.request
from pathlib import Path
from libs.common import log, telemetry
from libs.common.db import Database
from libs.common.http import create_app
log.start("shop")
telemetry.start("shop", data_dir=Path(sys.argv[1]), metrics_port=int(sys.argv[2]))
telemetry.start("another", trace_ratio=0.0)  # a second service of the same process changes nothing
telemetry.metrics.count_request("shop", "GET", "/", 200, 0.1)
with telemetry.span("at the end"):
    log.get("shop").info("seen")
print(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[2]}/metrics").read().decode())
"""


def test_a_process_writes_its_last_spans_and_shows_its_metrics_on_loopback(tmp_path: Path) -> None:
    port = processes.free_port()
    command = [sys.executable, "-c", PROCESS, str(tmp_path), str(port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'http_requests_total{method="GET",route="/",service="shop",status="200"} 1.0' in done.stdout
    line = json.loads(done.stdout.splitlines()[0])
    [file] = (tmp_path / "traces").glob("*.jsonl")
    assert "at the end" in file.read_text("utf-8")
    assert line["trace_id"] in file.read_text("utf-8")


def test_requests_are_counted_by_route_and_never_by_path(client: TestClient) -> None:
    client.get("/t/402036/things/7")
    client.get("/t/402036/things/8")
    client.get("/nowhere/hanako")
    client.request("BREW", "/t/402036/things/8")
    labels = {"service": "shop", "method": "GET", "route": "/t/{code}/things/{thing}", "status": "200"}
    assert (REGISTRY.get_sample_value("http_requests_total", labels) or 0) >= 2
    text = "\n".join(line for line in generate_latest().decode().splitlines() if line.startswith("http_"))
    assert 'route="(none)"' in text
    assert 'method="other"' in text
    for hidden in ("hanako", "402036", "BREW"):
        assert hidden not in text


def test_a_log_line_carries_trace_request_and_tenant(client: TestClient, spans: Any, lines: Any) -> None:
    spans()
    answer = client.get("/t/402036/things/7", headers={"traceparent": SAMPLED, "x-request-id": "request-12345"})
    assert answer.headers["x-request-id"] == "request-12345"
    [line] = [line for line in lines() if line["event"] == "request"]
    assert (line["trace_id"], line["request_id"], line["code"]) == (TRACE, "request-12345", "402036")
    assert (line["route"], line["status"], line["process"]) == ("/t/{code}/things/{thing}", 200, "shop")
    assert len(line["span_id"]) == 16


def test_a_log_that_is_gone_does_not_end_a_request(client: TestClient, lines: Any) -> None:
    gone = io.StringIO()
    log.start("shop", stream=gone)
    gone.close()
    logging.getLogger().handlers[0].handleError = lambda _record: None  # type: ignore[method-assign]
    assert client.get("/t/402036/things/7").status_code == 200


@pytest.mark.parametrize("given", ["", "x", "a\r\nSet-Cookie: x", "x" * 65, "名前名前名前名前"])
def test_a_request_id_of_another_form_is_replaced(client: TestClient, given: str) -> None:
    scope = {"type": "http", "method": "GET", "path": "/broken", "headers": [(b"x-request-id", given.encode())]}
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def run() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        await telemetry.TracingMiddleware(app, "shop")(scope, None, send)  # type: ignore[arg-type]

    thread = threading.Thread(target=asyncio.run, args=(run(),))  # a browser of other tests has a loop in this thread
    thread.start()
    thread.join()
    [(name, value)] = sent[0]["headers"]
    assert name == b"x-request-id"
    assert value != given.encode()
    assert len(value) == 36


def leaks(text: str) -> list[str]:
    return [bare for bare in BARE if bare in text]


def test_no_canary_leaves_through_the_log(client: TestClient, lines: Any, spans: Any) -> None:
    """Planted in messages, values, keys, exceptions and the standard library's log; found in what is written first."""
    spans()
    planted = " ".join(CANARIES.values())
    assert leaks(planted) == BARE, "the search finds each of them where it is"
    mine, theirs = log.get("shop.things"), logging.getLogger("some.library")
    mine.info(planted, deep={"list": [planted, {"password": "swordfish"}]}, user_email="x", obj=ValueError(planted))
    theirs.warning("connecting to %s as %s", CANARIES["database password"], CANARIES["mail address"])
    theirs.warning("extra", extra={"authorization": "abc", "note": planted})
    try:
        secret_local = planted  # noqa: F841 (must not be shown with the traceback)
        raise RuntimeError(planted)
    except RuntimeError:
        mine.exception("failed")
        theirs.exception("failed too")
    client.get("/broken", headers={"authorization": CANARIES["bearer"]})
    written = json.dumps(lines(), ensure_ascii=False)
    assert len(lines()) >= 6
    assert HIDDEN in written
    assert "RuntimeError" in written
    assert leaks(written) == []
    assert "swordfish" not in written


def test_what_databases_say_about_values_is_hidden() -> None:
    psycopg = 'duplicate key value violates "uq"\nDETAIL:  Key (email)=(hanako 福岡) already exists.'
    assert clean_text(psycopg) == f'duplicate key value violates "uq"\nDETAIL:  Key (email)={HIDDEN} already exists.'
    sqlalchemy = "(IntegrityError) x\n[SQL: INSERT INTO t]\n[parameters: {'name': '田中 花子', 'n': [1]}]\n(Background)"
    assert "花子" in sqlalchemy
    assert "花子" not in clean_text(sqlalchemy)
    assert "[SQL: INSERT INTO t]" in clean_text(sqlalchemy)
    nested = clean_text("DETAIL:  Key (name)=(田中 (花子)) already exists.")
    assert nested == f"DETAIL:  Key (name)={HIDDEN} already exists."
    row = "null value in a column\nDETAIL:  Failing row contains (1, 田中 (花子)\n.).\n"
    assert (
        clean_text(f"{row}[SQL: UPDATE t]")
        == f"null value in a column\nDETAIL:  Failing row contains {HIDDEN}\n[SQL: UPDATE t]"
    )
    assert "花子" not in clean_text(row)


NAME = """田中 "花子" d'Arc"""


class Aged(BaseModel):
    age: int


def _refused_by_postgresql() -> None:
    raise psycopg.errors.InvalidTextRepresentation(
        f'invalid input syntax for type integer: "{NAME}"\nLINE 1: SELECT $1'
    )


@pytest.mark.parametrize(
    "fault",
    [
        lambda: int(NAME),
        lambda: {}[NAME],
        lambda: date.fromisoformat(NAME),
        lambda: Aged(age=NAME),  # type: ignore[arg-type]
        lambda: Aged.model_validate({"age": [NAME, {"name": NAME * 20}]}),
        lambda: NAME.encode("ascii"),
        _refused_by_postgresql,
    ],
)
def test_an_error_about_a_value_is_told_without_it(fault: Callable[[], Any], lines: Any) -> None:
    """In the log, also as the cause of another error, and in the row of a job or an event that failed."""
    with pytest.raises((ValueError, LookupError, psycopg.DataError)) as raised:
        fault()
    try:
        raise RuntimeError("the page was not made") from raised.value
    except RuntimeError:
        log.get("shop.things").exception("failed")
        logging.getLogger("some.library").exception("failed too")
    ours, theirs = (line["exception"] for line in lines())
    for said in (ours, theirs, log.told(raised.value)):
        assert HIDDEN in said and type(raised.value).__name__ in said
        assert not re.search(r"田中|花子|Arc|\\u7530", said), said
    assert "RuntimeError: the page was not made" in ours and ", in test_an_error" in ours


def test_an_error_that_cannot_be_said_is_logged_all_the_same(lines: Any) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise OSError

    log.get("shop.things").error("failed", exc_info=Mute())
    [line] = lines()
    assert "Mute" in line["exception"]


def test_what_was_asked_is_in_no_span(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in ours nor in one that the framework makes by itself: with a provider of the process, as in production."""
    kept = InMemorySpanExporter()
    provider = tracing.make_provider("shop", None, 1.0, kept)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    client = TestClient(create_app(make_service("shop", database, tmp_path), [], watcher="tenants"))
    assert client.get("/canary-path", params={"q": "canary-query"}).status_code == 404
    provider.force_flush()
    [server] = kept.get_finished_spans()
    provider.shutdown()
    assert server.name == "GET (none)"
    assert "canary" not in server.to_json()


@pytest.mark.parametrize(
    "text",
    ["order 123456789012", "402036", "0193c0de-1234-7abc-8def-0123456789ab", "2026-11-20T01:52:07.123456+00:00",
     "eapply.application.submitted.v1", "room:402036", TRACE],
)  # fmt: skip
def test_ids_and_facts_stay_readable(text: str) -> None:
    assert clean_text(text) == text


def test_telling_keys_hide_their_values_and_others_do_not() -> None:
    event = {"password": "x", "to_address": "x", "birth_date": "x", "tenant": "402036", "attempts": 3, "kind": "mail"}
    assert redact(None, "", dict(event)) == {
        "password": HIDDEN, "to_address": HIDDEN, "birth_date": HIDDEN, "tenant": "402036", "attempts": 3, "kind": "mail"
    }  # fmt: skip


def test_the_same_settings_have_the_same_fingerprint_wherever_a_process_runs(tmp_path: Path) -> None:
    one = Settings(data_dir=tmp_path / "a", amqp_url="amqp://a:secret@b//", metrics_port=9101)
    other = Settings(data_dir=tmp_path / "b", amqp_url="amqp://c:other@d//", release="2")
    assert one.fingerprint() == other.fingerprint()
    assert one.fingerprint() != Settings(outbox_kept_days=15).fingerprint()
