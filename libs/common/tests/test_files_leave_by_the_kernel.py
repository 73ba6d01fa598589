"""What services listen with: bodies arrive whole whatever their pieces, files leave past Python, clients may be slow or go."""

import asyncio
import contextlib
import hashlib
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from infra.local import processes
from libs.common.server import Protocol, line_of

CONTENT = random.Random(5).randbytes(9_000_000)


class Echo:
    """POST answers with the SHA-256 of the body, GET with the file; `gone` hears of clients that went away."""

    def __init__(self, file: Path) -> None:
        self.file, self.pushes = file, 0
        self.gone = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST":
            return await self._answer(send, await self._digest(receive))
        line = line_of(scope)
        assert line is not None
        size = self.file.stat().st_size
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
        fd = os.open(self.file, os.O_RDONLY)
        try:
            await self._push(line, fd, size)
        except ConnectionError:
            line.abandon()
            self.gone.set()
            return
        finally:
            line.close()
            os.close(fd)
        await send({"type": "http.response.body", "body": b""})

    async def _push(self, line: Any, fd: int, size: int) -> None:
        at = 0
        await line.clear()
        while at < size:
            sent = await asyncio.to_thread(line.push, fd, at, min(1_000_000, size - at))
            self.pushes += 1
            line.count(sent)
            at += sent
            if not sent:
                await line.writable()

    async def _digest(self, receive: Any) -> bytes:
        digest, more = hashlib.sha256(), True
        while more:
            message = await receive()
            digest.update(message["body"])
            more = message["more_body"]
        return digest.hexdigest().encode()

    async def _answer(self, send: Any, body: bytes) -> None:
        length = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": body})


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(params=["uvloop", "asyncio"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Echo, int]]:
    (tmp_path / "file").write_bytes(CONTENT)
    app = Echo(tmp_path / "file")
    port = processes.free_port()
    config = uvicorn.Config(app, http=Protocol, loop=request.param, port=port, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield app, port
    server.should_exit = True
    thread.join()


def test_a_large_body_arrives_as_it_was_sent(served: tuple[Echo, int]) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{served[1]}", trust_env=False, timeout=60) as client:
        for content in (CONTENT, b"", b"x"):
            assert client.post("/", content=content).text == hashlib.sha256(content).hexdigest()


def test_a_file_leaves_whole_and_the_line_is_used_again(served: tuple[Echo, int]) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{served[1]}", trust_env=False, timeout=60) as client:
        for _ in range(3):
            assert client.get("/").content == CONTENT
        assert client.post("/", content=b"after it").text == hashlib.sha256(b"after it").hexdigest()


def test_two_requests_sent_at_once_are_answered_one_after_the_other(served: tuple[Echo, int]) -> None:
    with socket.create_connection(("127.0.0.1", served[1])) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        found = b""
        while found.count(CONTENT) < 2:
            piece = line.recv(1_000_000)
            assert piece, "the line ended"
            found += piece


def test_a_slow_client_gets_it_whole_and_one_that_goes_holds_nothing(served: tuple[Echo, int]) -> None:
    app, port = served
    before = open_files()
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        found = line.recv(1000)
        time.sleep(0.3)  # longer than a push waits
        while len(found) < len(CONTENT):
            found += line.recv(1_000_000)
        assert found.partition(b"\r\n\r\n")[2] == CONTENT[: len(found.partition(b"\r\n\r\n")[2])]
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        line.recv(1000)
    assert app.gone.wait(60), "it is noticed that nobody is there"
    end = time.monotonic() + 60
    while open_files() > before and time.monotonic() < end:
        time.sleep(0.05)
    assert open_files() <= before, "nothing stays open"


def test_a_file_that_became_shorter_is_not_ended_as_if_whole(served: tuple[Echo, int]) -> None:
    app, port = served
    real = app._push

    async def cut(line: Any, fd: int, size: int) -> None:
        os.truncate(app.file, 1_500_000)
        await real(line, fd, size)

    app._push = cut
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client,
        contextlib.suppress(httpx.RemoteProtocolError),
    ):
        assert len(client.get("/").content) < 0, "planted: a shorter answer is an error of the line"
