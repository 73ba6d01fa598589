"""Counts and durations by Prometheus' client. Labels hold only bounded sets: services, route templates, kinds,
states."""

import math
import socket
import threading
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import Counter, Gauge, Histogram, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter("http_requests_total", "Answered requests.", ["service", "method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "http_request_seconds", "Time to the end of the answer.", ["service", "method", "route"], buckets=SECONDS
)
EVENTS = Counter("events_total", "Events by what happened to them: published, received, handled, failed, dead.",
                 ["service", "type", "result"])  # fmt: skip
JOBS = Counter("jobs_total", "Jobs by what happened to them: done, failed, dead.", ["service", "kind", "result"])
AGE_SECONDS = Gauge(
    "oldest_waiting_seconds", "Age of the longest waiting row: outbox, inbox, jobs.", ["service", "queue"]
)
ROWS = Gauge("queue_rows", "Rows of a queue by state: pending, running, dead.", ["service", "queue", "state"])
BUILD = Gauge("build_info", "1: which release runs with which settings.", ["service", "role", "release", "settings"])
READY = Gauge("role_ready", "1: the role does its work; 0: it runs, but does not.", ["service", "role"])
MAILS = Counter("mails_total", "Mails by what happened to them: sent, failed, unknown.", ["service", "result"])
INTEGRITY = Counter(
    "integrity_faults_total", "Things that were not as they must be, also those that were mended.", ["service", "kind"]
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_request(service: str, method: str, route: str, status: int, seconds: float) -> None:
    """One answered request. `route` is the template (`/t/{code}/…`), never the path that was asked."""
    method = method if method in METHODS else "other"
    _requests(service, method, route, status).inc()
    _request_seconds(service, method, route).observe(seconds)


@cache
def _requests(service: str, method: str, route: str, status: int) -> Counter:
    return REQUESTS.labels(service, method, route, str(status))


@cache
def _request_seconds(service: str, method: str, route: str) -> Histogram:
    return REQUEST_SECONDS.labels(service, method, route)


process = ""
"""The name of this process, as `telemetry.start` was given it."""


def count_event(event_type: str, result: str) -> None:
    """One event of a known type that this process handled, or failed to."""
    EVENTS.labels(process, event_type, result).inc()


def count_integrity(service: str, kind: str, count: int = 1) -> None:
    """Lost, doubled or changed data that a check of our own found. A fault that mended itself is still told (docs/slo.md)."""
    INTEGRITY.labels(service, kind).inc(count)


def watch_age(service: str, queue: str, seconds: Callable[[], float]) -> None:
    """Tell the age that `seconds()` gives at each look; NaN while it cannot be known, so that a scrape never fails."""

    AGE_SECONDS.labels(service, queue).set_function(lambda: _known(seconds))


def watch_ready(service: str, role: str, ready: Callable[[], bool]) -> None:
    """Tell at each look whether a role without a port for people does its work: what its `/health/ready` says."""
    READY.labels(service, role).set_function(lambda: _known(ready))


def watch_rows(service: str, queue: str, state: str, rows: Callable[[], float]) -> None:
    """Tell how many rows `rows()` gives at each look, in the same way."""
    ROWS.labels(service, queue, state).set_function(lambda: _known(rows))


def _known(value: Callable[[], float]) -> float:
    try:
        return value()
    except Exception:
        return math.nan


def serve(port: int, host: str = "127.0.0.1", ready: Callable[[], bool] | None = None) -> None:
    """`/metrics` on a port of its own, in a thread; never on the port that people reach. `host`: who may ask, by address.

    `ready`, of a role that has no port for people: whether it does its work, for `/health/ready` (200 or 503). The figures answer from
    the first moment, as long as the process is not stuck.
    """
    figures = make_wsgi_app()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if ready is None or environ["PATH_INFO"] != "/health/ready":
            return figures(environ, start_response)
        status, said = ("200 OK", b"ready\n") if ready() else ("503 Service Unavailable", b"not yet\n")
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [said]

    server = make_server(host, port, answer, _server_class(host), handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def _server_class(host: str) -> type[ThreadingWSGIServer]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return type("Server", (ThreadingWSGIServer,), {"address_family": family})


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Who looks every few seconds fills no log."""
