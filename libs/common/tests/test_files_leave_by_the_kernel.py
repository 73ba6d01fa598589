"""What services listen with: bodies arrive whole whatever their pieces, files leave past Python, clients may be slow or go."""

import asyncio
import contextlib
import hashlib
import os
import random
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from infra.local import processes
from libs.common.server import Answer, Headers, Protocol, line_of

CONTENT = random.Random(5).randbytes(9_000_000)


class Echo:
    """POST answers with the SHA-256 of the body, PUT too, which takes it from the socket by hand (with `?half`: half of it); GET answers
    with the file; `gone` hears of clients that went away."""

    def __init__(self, file: Path) -> None:
        self.file, self.pushes = file, 0
        self.gone = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST":
            return await self._answer(send, await self._digest(receive))
        if scope["method"] == "PUT":
            return await self._answer(send, await self._pulled(scope, receive))
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

    async def _pulled(self, scope: Any, receive: Any) -> bytes:
        line = line_of(scope)
        came = line.halt() if line is not None else None
        if line is None or came is None:
            return b"as always " + await self._digest(receive)
        left = int(dict(scope["headers"])[b"content-length"]) - len(came)
        until = left // 2 if scope["query_string"] == b"half" else 0
        digest = hashlib.sha256(came)
        try:
            while left > until:
                left -= await asyncio.to_thread(self._take, line, left, digest)
                if left > until:
                    await line.readable(left)
            if not left:
                line.go_on()
        except ConnectionError:
            self.gone.set()
        finally:
            line.close()
        return digest.hexdigest().encode()

    def _take(self, line: Any, most: int, digest: Any) -> int:
        room = memoryview(bytearray(min(most, 200_000)))
        taken = line.pull(room)
        digest.update(room[:taken])
        return taken

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


class Prompt(Echo):
    """Answers `/now…` with the rest of the path a thousand times, at once where it may; `asked` has every target it could so answer."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.asked: list[bytes] = []

    def at_once(self, target: bytes, headers: Headers) -> Answer | None:
        self.asked.append(target)
        if not target.startswith(b"/now"):
            return None
        body = target[4:] * 1000
        return 200, [(b"content-length", b"%d" % len(body))], body

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET" and scope["path"].startswith("/now"):
            return await self._answer(send, scope["raw_path"][4:] * 1000)
        await super().__call__(scope, receive, send)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(params=["uvloop", "asyncio"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Echo, int]]:
    (tmp_path / "file").write_bytes(CONTENT)
    app = Echo(tmp_path / "file")
    with serving(app, request.param) as port:
        yield app, port


@pytest.fixture(params=["uvloop", "asyncio"])
def prompt(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Prompt, int]]:
    (tmp_path / "file").write_bytes(CONTENT)
    app = Prompt(tmp_path / "file")
    with serving(app, request.param, timeout_keep_alive=1) as port:
        yield app, port


@contextlib.contextmanager
def serving(app: Any, loop: Any, **options: Any) -> Iterator[int]:
    port = processes.free_port()
    options |= {"proxy_headers": False, "log_config": None, "lifespan": "off"}
    config = uvicorn.Config(app, http=Protocol, loop=loop, port=port, **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield port
    finally:
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


def sha(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def put(content: bytes, target: str = "/") -> bytes:
    return f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def test_a_body_taken_by_hand_is_what_was_sent_and_the_line_is_used_again(served: tuple[Echo, int]) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{served[1]}", trust_env=False, timeout=60) as client:
        for _ in range(3):
            assert client.put("/", content=CONTENT).content == sha(CONTENT)
            assert client.put("/", content=b"small").content in (sha(b"small"), b"as always " + sha(b"small"))
            assert client.get("/").content == CONTENT


def test_what_follows_a_body_at_once_is_the_next_request(served: tuple[Echo, int]) -> None:
    """Also where its sender does not wait for the answer; and a small head is answered at once, however much of a body was wanted."""
    with socket.create_connection(("127.0.0.1", served[1])) as line:
        line.settimeout(60)
        threading.Thread(target=line.sendall, args=(put(CONTENT) + put(b"second") + put(CONTENT[:300_000]),)).start()
        found = b""
        for content in (CONTENT, b"second", CONTENT[:300_000]):
            while sha(content) not in found:
                piece = line.recv(1_000_000)
                assert piece, "the line ended"
                found += piece
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 200")


def test_a_sender_that_pauses_is_waited_for_and_one_that_goes_is_noticed(served: tuple[Echo, int]) -> None:
    app, port = served
    before = open_files()
    whole = put(CONTENT[:500_000])
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.settimeout(60)
        for start in range(0, len(whole), 90_000):
            line.sendall(whole[start : start + 90_000])
            time.sleep(0.05)
        assert sha(CONTENT[:500_000]) in line.recv(1000)
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(whole[:-100_000])
    assert app.gone.wait(60), "it is noticed that nobody is there"
    end = time.monotonic() + 60
    while open_files() > before and time.monotonic() < end:
        time.sleep(0.05)
    assert open_files() <= before, "nothing stays open"


def test_a_body_that_was_left_in_the_middle_is_never_taken_for_a_request(served: tuple[Echo, int]) -> None:
    hidden = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served[1])) as line:
        line.settimeout(60)
        content = hidden * (1_000_000 // len(hidden))
        with contextlib.suppress(ConnectionError):
            line.sendall(put(content, "/?half"))
        found = b""
        with contextlib.suppress(ConnectionError):
            while piece := line.recv(1_000_000):
                found += piece
    assert found.count(b"HTTP/1.1 ") <= 1, "the line ends with the answer"


def asking(target: str, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def read_until(line: socket.socket, *parts: bytes) -> bytes:
    """What came until it holds `parts` in this order."""
    found = b""
    while not in_order(found, parts):
        piece = line.recv(1_000_000)
        assert piece, f"the line ended after {len(found)} bytes"
        found += piece
    return found


def in_order(found: bytes, parts: Sequence[bytes]) -> bool:
    at = 0
    for part in parts:
        at = found.find(part, at) + len(part)
        if at < len(part):
            return False
    return True


def test_what_is_answered_at_once_keeps_its_place_among_the_others(prompt: tuple[Prompt, int]) -> None:
    app, port = prompt
    with socket.create_connection(("127.0.0.1", port)) as line:
        for _ in range(3):
            line.sendall(asking("/nowA"))
            read_until(line, b"A" * 1000)
            line.sendall(put(b"taken by hand, or not") + asking("/nowB"))
            read_until(line, sha(b"taken by hand, or not"), b"B" * 1000)
        assert app.asked == [b"/nowA"] * 3, "never while another is answered"
        line.sendall(asking("/nowC") + asking("/") + asking("/nowD") + asking("/nowE"))
        read_until(line, b"C" * 1000, CONTENT, b"D" * 1000, b"E" * 1000)
        assert app.asked[3:] == [b"/nowC", b"/"]


def test_only_simple_questions_are_answered_at_once(prompt: tuple[Prompt, int]) -> None:
    app, port = prompt
    for question in (
        asking("/nowA", method="HEAD"),
        asking("/nowA", "Connection: close"),
        asking("/nowA", "Content-Length: 3") + b"abc",
        asking("/nowA", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
        asking("/nowA", "Connection: upgrade", "Upgrade: h2c"),
        asking("/nowA").replace(b"HTTP/1.1", b"HTTP/1.0"),
    ):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(question)
            assert line.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert app.asked == []


def test_an_answer_at_once_ends_no_line_that_is_used_and_one_that_is_not(prompt: tuple[Prompt, int]) -> None:
    app, port = prompt
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(asking("/nowA") + asking("/"))  # whoever reads this takes longer than unused lines are kept
        found = line.recv(2000)
        time.sleep(1.5)
        while not found.endswith(CONTENT[-1000:]):
            piece = line.recv(1_000_000)
            assert piece, "ended while it was used"
            found += piece
        line.sendall(asking("/nowB"))
        read_until(line, b"B" * 1000)
        line.settimeout(30)
        assert line.recv(1) == b"", "nobody asks any more"
    assert app.asked == [b"/nowA", b"/", b"/nowB"]


def test_whoever_asks_much_and_reads_nothing_is_not_answered_without_end(prompt: tuple[Prompt, int]) -> None:
    app, port = prompt
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(asking("/now" + "x" * 200) * 400)  # 80 MB, if all were answered
        time.sleep(0.5)
        assert len(app.asked) < 200, "the rest waits until something has been read"
        line.sendall(asking("/nowLAST"))
