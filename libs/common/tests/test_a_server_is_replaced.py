"""A process is asked to end while the gateway keeps connections to it: nobody sends on a connection that is just being closed."""

import http.client
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from infra.local import processes
from libs.common.leaving import Leaving, LeavingServer


async def app(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Process:
    """A server in a thread, with a way to ask it to end as SIGTERM does."""

    def __init__(self) -> None:
        self.port = processes.free_port()
        self.app = Leaving(app)
        config = uvicorn.Config(self.app, port=self.port, log_config=None, lifespan="off", timeout_keep_alive=75)
        self.server = LeavingServer(config, [self.app])
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        assert processes.wait_until(lambda: self.server.started, seconds=60)

    def ask_to_end(self) -> None:
        self.server.should_exit = True

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.server.should_exit = made.server.force_exit = True
    made.thread.join(60)


def post(kept: http.client.HTTPConnection) -> http.client.HTTPResponse:
    kept.request("POST", "/", b"a bid")
    answer = kept.getresponse()
    answer.read()
    return answer


def test_a_kept_connection_is_answered_and_told_to_end(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAIN_SECONDS", "600")
    busy, idle = process.connection(), process.connection()
    assert [post(busy).getheader("connection"), post(idle).getheader("connection")] == [None, None]
    process.ask_to_end()
    assert processes.wait_until(lambda: process.app.leaving, seconds=60)
    assert post(busy).getheader("connection") == "close"
    assert process.thread.is_alive(), "the other one is still there and may bring a request"
    assert post(idle).getheader("connection") == "close"
    process.thread.join(60)
    assert not process.thread.is_alive(), "with the last connection it ends, long before its time is up"


def test_one_that_nobody_uses_is_closed_when_the_time_is_up(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAIN_SECONDS", "0.5")
    idle = process.connection()
    post(idle)
    begun = time.monotonic()
    process.ask_to_end()
    process.thread.join(60)
    assert not process.thread.is_alive() and time.monotonic() - begun > 0.4


def test_where_nobody_takes_over_it_ends_at_once(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """The single box: a connection that is kept without use holds nothing up, and is closed with the process."""
    monkeypatch.delenv("DRAIN_SECONDS", raising=False)
    idle = process.connection()
    post(idle)
    process.ask_to_end()
    process.thread.join(60)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        post(idle)
