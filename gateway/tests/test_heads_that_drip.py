"""Slowloris: many who send their headers byte by byte, for ever. They are cut off by the clock, and take nothing from the others."""

import asyncio
import contextlib
import socket

import pytest
import uvicorn

from gateway import server
from gateway.server import StrictProtocol

MANY = 200


async def hello(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def drip(port: int) -> bytes:
    """A byte at a time of a header that never ends, until somebody says something."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(heard(reader))
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    for _ in range(400):
        if answer.done():
            break
        writer.write(b"a")
        await asyncio.sleep(0.05)
    writer.close()
    return await answer


async def heard(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end, or until the line is reset: bytes that lie unread where it was closed reset it (RFC 9293, 3.10.7.1)."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while more := await reader.read(1000):
            got += more
    return got


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


def test_headers_that_come_byte_by_byte_are_cut_off_and_the_others_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.5)

    async def go() -> tuple[list[bytes], list[bytes]]:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            port = listening.getsockname()[1]
            config = uvicorn.Config(hello, http=StrictProtocol, ws="none", lifespan="off", log_config=None)
            running = uvicorn.Server(config)
            serving = asyncio.create_task(running.serve([listening]))
            while not running.started:  # noqa: ASYNC110 (uvicorn says it in a flag)
                await asyncio.sleep(0.01)
            slow = [asyncio.create_task(drip(port)) for _ in range(MANY)]
            await asyncio.sleep(0.1)
            others = [await ask(port) for _ in range(10)]
            cut = await asyncio.gather(*slow)
            running.should_exit = True
            await serving
            return cut, others

    cut, others = asyncio.run(go())
    assert {answer[:12] for answer in others} == {b"HTTP/1.1 200"}
    assert {answer[:12] for answer in cut} - {b""} == {b"HTTP/1.1 408"}
