"""The rest of a large answer from the service's connection to the client's by the kernel (`splice(2)`): no byte of it passes Python.

A pipe lies between them, of which no more is filled than a client has shown to take: what waits in it is the system's memory.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gateway.upstream.words import UpstreamBroken, UpstreamLate
from libs.common.server import AT_ONCE, Line, readable

LITTLE = 64 * 1024
"""Bytes that may wait in the pipe until the client has shown that it is quick, and again once it is not."""
MUCH = 512 * 1024
QUICK_AFTER = 1024 * 1024
"""Bytes taken one after another without delay that show a quick client; more than the system takes for one that reads nothing."""
LATE = 0.05
"""Seconds of waiting for a client that is not quick."""


async def carry(source: int, line: Line, left: int, idle: float) -> None:
    """Bring `left` bytes from the connection `source` to `line`, whose head is on its way.

    Raises UpstreamBroken and UpstreamLate (nothing for `idle` seconds), ConnectionError and TimeoutError for the client's side.
    """
    loop = asyncio.get_running_loop()
    quickly = 0
    with _pipe() as (out, into):
        while left:
            filled = await _fill(into, source, min(left, MUCH if quickly > QUICK_AFTER else LITTLE), idle)
            left -= filled
            begun = loop.time()
            await _empty(out, line, filled, idle)
            quickly = quickly + filled if loop.time() - begun < LATE else 0
            await asyncio.sleep(0)  # others of the loop have their turn, however quick both sides are


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    """Its two ends, where bytes come out and where they go in."""
    out, into = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # many others have large ones (pipe-user-pages-soft): then it takes more turns
            fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, MUCH)
        yield out, into
    finally:
        os.close(out)
        os.close(into)


async def _fill(into: int, source: int, most: int, idle: float) -> int:
    while True:
        try:
            filled = os.splice(source, into, most, flags=AT_ONCE)
        except BlockingIOError:
            await _more(source, idle)
            continue
        except OSError as error:
            raise UpstreamBroken(str(error)) from error
        if not filled:
            raise UpstreamBroken("the line ended")
        return filled


async def _more(source: int, idle: float) -> None:
    try:
        async with asyncio.timeout(idle):
            await readable(source)
    except TimeoutError as error:
        raise UpstreamLate from error


async def _empty(out: int, line: Line, held: int, idle: float) -> None:
    while held:
        sent = line.push_pipe(out, held)
        line.count(sent)
        held -= sent
        if not sent:
            async with asyncio.timeout(idle):
                await line.writable()
