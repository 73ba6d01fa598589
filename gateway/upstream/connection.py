"""One connection to a service: bytes in, status, headers and body out; it waits where either side is slow."""

import asyncio
import os
from collections import deque

import httptools

from gateway.hygiene import Headers
from gateway.upstream.carry import LATE, QUICK_AFTER, carry
from gateway.upstream.words import WITHOUT_BODY, NothingCame, UpstreamBroken, UpstreamLate
from libs.common.server import Line

READ = 128 * 1024
"""Bytes that one read of the socket brings at most."""
READ_AT_FIRST = 16 * 1024
"""Bytes that one read brings until the client has shown that it is quick, and again once it is not. Three such pieces are held for a
slow reader: one that its own connection could not take whole, one that waits to be written, one that waits here."""
READ_AHEAD = 8 * 1024
"""Bytes of an answer that may wait here for the client before nothing more is read; so READ_AHEAD and one read are the most that wait."""
MAX_HEAD = 64 * 1024
"""Bytes of an answer's status line and headers."""


class Connection(asyncio.BufferedProtocol):
    """One connection to a service, used for one request after another.

    `room` is where reads arrive, READ bytes that all connections of a loop may share: each read is taken out of it at once. The loop's
    own reads bring a quarter of a megabyte, which a slow reader would then hold.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, room: bytearray) -> None:
        self._loop = loop
        self._room = room
        self._little = memoryview(room)[:READ_AT_FIRST]
        self._transport: asyncio.Transport
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._lost = False
        self.patience: float | None = None
        self._reset(answers_head=False)

    def _reset(self, *, answers_head: bool) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._answers_head = answers_head
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._waits_since = 0.0
        self._quickly = 0
        self._reading = True
        self._received = 0
        self._length = 0
        self._came = 0
        self._has_head = False
        self._measured = False
        self._reusable = False
        self._failure: Exception | None = None
        self.status = 0
        self.headers: Headers = []
        self.complete = False

    # ---- what the request's side does ----

    @property
    def usable(self) -> bool:
        """Whether another request may be sent on it."""
        return not self._lost and not self._transport.is_closing()

    def begin(self, head: bytes, *, answers_head: bool) -> None:
        self._reset(answers_head=answers_head)
        self._transport.write(head)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    async def drained(self, idle: float) -> bool:
        """Wait until more may be written. False if nothing more should be: the answer has begun, or the line is gone."""
        if self._writable is not None:
            try:
                async with asyncio.timeout(idle):
                    await self._writable
            except TimeoutError:
                self.broken(UpstreamLate())
        return not (self._has_head or self._failure is not None)

    def give(self, seconds: float) -> None:
        """From now on the service may take `seconds` until its answer begins."""
        self.patience = seconds
        self._wake()

    async def head(self) -> None:
        """Return when status and headers are here. Raises UpstreamBroken or UpstreamLate."""
        while not self._has_head:
            if self._failure is not None:
                raise self._failure
            await self._wait(self.patience)

    # ---- what the answer's side does ----

    @property
    def ended(self) -> bool:
        """Whether the answer is complete and nothing of it is left to take."""
        return self.complete and not self._chunks

    def take(self) -> bytes:
        """What has arrived of the body; b"" for nothing yet."""
        if not self._chunks:
            return b""
        whole = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._waiting_bytes = 0
        late = self._loop.time() - self._waits_since > LATE
        self._quickly = 0 if late else self._quickly + len(whole)
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        return whole

    @property
    def left(self) -> int:
        """Bytes of the body that have not come here, where somebody else may take them from the socket; else 0."""
        free = self.usable and not self.complete and self._transport.get_extra_info("sslcontext") is None
        return max(0, self._length - self._came) if free else 0

    def halt(self) -> bytes:
        """Read nothing more: the rest is somebody else's. What has come until now."""
        self._transport.pause_reading()
        self._reading = True  # as far as `take` is concerned
        return self.take()

    async def carry(self, line: Line, idle: float) -> None:
        """The rest of the body to `line`, after `halt`. Raises as `carry` does."""
        source = os.dup(self._transport.get_extra_info("socket").fileno())
        try:
            await carry(source, line, self._length - self._came, idle)
        finally:
            os.close(source)
        self.complete = True
        self._transport.resume_reading()

    async def more(self, idle: float) -> None:
        """Return when there is more to take, or `complete`. Raises UpstreamBroken or UpstreamLate."""
        while not self._chunks and not self.complete:
            if self._failure is not None:
                raise self._failure
            await self._wait(idle)

    async def _wait(self, seconds: float | None) -> None:
        self._waiter = self._loop.create_future()
        timer = None if seconds is None else self._loop.call_later(seconds, self._late)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _late(self) -> None:
        self.broken(UpstreamLate())

    @property
    def reusable(self) -> bool:
        """Whether the answer ended so that the next request can follow."""
        return self.complete and self._reusable and self.usable

    def close(self) -> None:
        self._transport.abort() if not self.complete else self._transport.close()

    def broken(self, failure: Exception) -> None:
        if self._failure is None and not self.complete:
            self._failure = failure
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ---- asyncio.Protocol ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  (uvloop's is no subclass of asyncio.Transport)

    def get_buffer(self, sizehint: int) -> bytearray | memoryview:
        return self._room if self._quickly > QUICK_AFTER else self._little

    def buffer_updated(self, nbytes: int) -> None:
        if self.complete or self._failure is not None:
            self._reusable = False  # nobody asked for this: what follows on this line cannot be trusted
            self._transport.abort()
            return
        self._received += nbytes
        try:
            self._parser.feed_data(memoryview(self._room)[:nbytes])
        except httptools.HttpParserUpgrade:
            self._broken_off("an upgrade that nobody asked for")
        except httptools.HttpParserError as error:
            if not self.complete:
                self._broken_off(f"no HTTP: {error}")
        if not self._has_head and self._received > MAX_HEAD:
            self._broken_off("a head without end")
        if self._reading and self._waiting_bytes > READ_AHEAD:
            self._reading = False
            self._transport.pause_reading()
        self._wake()

    def _broken_off(self, why: str) -> None:
        self.broken(UpstreamBroken(why))
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._has_head and not self._measured and exc is None and self._failure is None:
            self.complete = True  # RFC 9112, 6.3: neither length nor chunks; the body ends with the connection
        if not self.complete:
            self.broken(UpstreamBroken("the line ended") if self._received else NothingCame("the line ended"))
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # ---- httptools ----

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._measured = self._measured or name in (b"content-length", b"transfer-encoding")
        if name == b"content-length" and value.isdigit():
            self._length = int(value)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # RFC 9110, 15.2: an interim answer; the real one follows
            self.headers, self._measured, self._length = [], False, 0
            return
        self.status, self._has_head = status, True
        self._reusable = self._parser.should_keep_alive()
        if self._answers_head or status in WITHOUT_BODY:  # the parser would wait for the body that its headers describe
            self.complete = True

    def on_body(self, body: bytes) -> None:
        if not self._chunks:
            self._waits_since = self._loop.time()
        self._chunks.append(body)
        self._came += len(body)
        self._waiting_bytes += len(body)

    def on_message_complete(self) -> None:
        if self._has_head:
            self.complete = True
