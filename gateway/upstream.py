"""The client side of the proxied path, behind four words: open, status, headers, chunks.

Our own, on httptools: the gateway's processor time per request is its figure, and half of it was a general client's. What it
must do is little: HTTP/1.1 to services that we know, connections kept, bodies streamed both ways. Each service has its own
pool, so that one slow service never takes the connections of another. Nothing here is read whole: bodies pass chunk by chunk,
and a slow reader on one side slows the writer on the other.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

import httptools

from gateway.hygiene import SAFE_METHODS, Headers

KEPT = 30.0
"""Seconds for which an idle connection is kept: shorter than at the services (75 s), so that it is we who close."""
READ_AHEAD = 256 * 1024
"""Bytes of an answer that may wait here for the client."""
MAX_HEAD = 64 * 1024
"""Bytes of an answer's status line and headers."""
WITHOUT_BODY = (204, 304)
"""Answers that end with their headers, whatever length these name (RFC 9112, 6.3)."""


class UpstreamRefused(Exception):
    """No connection: the service is not there. Nothing was sent (502)."""


class UpstreamBusy(Exception):
    """Every connection of this service's pool is taken (503). Nothing was sent."""


class UpstreamBroken(Exception):
    """The connection broke, or the answer was no HTTP. The service may have acted (502)."""


class UpstreamLate(Exception):
    """The service took longer than allowed to begin, or to go on (504). It may have acted."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. `first_byte` runs from the end of the request, `idle` between two chunks of the answer."""

    connect: float = 5.0
    pool: float = 10.0
    first_byte: float = 60.0
    idle: float = 60.0


class Answer(Protocol):
    """An answer that has begun."""

    status: int
    headers: Headers

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises UpstreamBroken or UpstreamLate in the middle."""
        ...

    def close(self, *, whole: bool) -> None:
        """Give the connection back if the answer was read to its end, else cut it. Safe to call twice."""
        ...


class Upstreams(Protocol):
    """Everything the proxied path needs of a client."""

    async def open(
        self, service: str, method: str, target: bytes, headers: Headers, body: AsyncIterator[bytes] | None
    ) -> Answer: ...

    async def close(self) -> None: ...


class HttpUpstreams:
    """`bases` is service → base address (`http://host:port` or `https://…`). Must be made inside the running loop."""

    def __init__(self, bases: Mapping[str, str], *, pool: int = 100, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._pools = {service: _Pool(_Address.of(base), pool) for service, base in bases.items()}

    async def open(
        self, service: str, method: str, target: bytes, headers: Headers, body: AsyncIterator[bytes] | None
    ) -> Answer:
        """Send one request and return when its answer begins.

        A safe request without body is sent once more if its connection ends before the first byte of an answer: a kept one
        may have been closed already. Nothing else is ever sent twice.
        """
        pool = self._pools[service]
        await self._take_place(pool)
        try:
            try:
                return await self._send(pool, method, target, headers, body)
            except _NothingCame:
                if body is not None or method not in SAFE_METHODS:
                    raise
                return await self._send(pool, method, target, headers, body)
        except BaseException:
            pool.places.release()
            raise

    async def _take_place(self, pool: "_Pool") -> None:
        try:
            async with asyncio.timeout(self._patience.pool):
                await pool.places.acquire()
        except TimeoutError as error:
            raise UpstreamBusy from error

    async def _send(
        self, pool: "_Pool", method: str, target: bytes, headers: Headers, body: AsyncIterator[bytes] | None
    ) -> "HttpAnswer":
        connection = pool.kept() or await self._connect(pool)
        answer = HttpAnswer(pool, connection, self._patience.idle)
        try:
            chunked = body is not None and not any(name == b"content-length" for name, _ in headers)
            connection.begin(
                _head(method, pool.address, target, headers, chunked=chunked), answers_head=method == "HEAD"
            )
            if body is not None:
                answer.sending = asyncio.create_task(_send_body(connection, body, self._patience, chunked=chunked))
                connection.patience = None
            else:
                connection.patience = self._patience.first_byte
            await connection.head()
        except BaseException:
            answer.cut()
            raise
        answer.status, answer.headers = connection.status, connection.headers
        return answer

    async def _connect(self, pool: "_Pool") -> "_Connection":
        try:
            async with asyncio.timeout(self._patience.connect):
                return await pool.connect()
        except (OSError, TimeoutError) as error:
            raise UpstreamRefused from error

    async def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


class _NothingCame(UpstreamBroken):
    """The connection ended before the first byte of an answer."""


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    port: int
    tls: ssl.SSLContext | None
    named: bytes
    """Host and port as they stand in the Host header."""
    prefix: bytes

    @classmethod
    def of(cls, base: str) -> "_Address":
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not the address of a service: {base}")
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        port = parts.port or (443 if tls else 80)
        return cls(parts.hostname, port, tls, parts.netloc.encode("ascii"), parts.path.rstrip("/").encode("ascii"))


class _Pool:
    """The connections of one service."""

    def __init__(self, address: _Address, places: int) -> None:
        self.address = address
        self.places = asyncio.Semaphore(places)
        self._loop = asyncio.get_running_loop()
        self._kept: deque[tuple[float, _Connection]] = deque()

    def kept(self) -> "_Connection | None":
        """The connection used last, if it is young enough; older ones are closed."""
        oldest = self._loop.time() - KEPT
        while self._kept and self._kept[0][0] < oldest:
            self._kept.popleft()[1].close()
        while self._kept:
            connection = self._kept.pop()[1]
            if connection.usable:
                return connection
        return None

    def keep(self, connection: "_Connection") -> None:
        self._kept.append((self._loop.time(), connection))

    async def connect(self) -> "_Connection":
        address = self.address
        _, connection = await self._loop.create_connection(
            lambda: _Connection(self._loop), address.host, address.port, ssl=address.tls
        )
        return connection

    def close(self) -> None:
        while self._kept:
            self._kept.pop()[1].close()


def _head(method: str, address: _Address, target: bytes, headers: Headers, *, chunked: bool) -> bytes:
    """The request line and headers. `headers` came through `hygiene`: no name or value holds a line's end."""
    lines = [b"%s %s%s HTTP/1.1\r\nhost: %s\r\n" % (method.encode("ascii"), address.prefix, target, address.named)]
    lines += [b"%s: %s\r\n" % pair for pair in headers]
    if chunked:
        lines.append(b"transfer-encoding: chunked\r\n")
    lines.append(b"\r\n")
    head = b"".join(lines)
    if head.count(b"\n") != len(lines) + 1:
        raise ValueError("a line's end inside a header")  # the last guard: one request must not become two
    return head


async def _send_body(
    connection: "_Connection", body: AsyncIterator[bytes], patience: Patience, *, chunked: bool
) -> None:
    """Pass the client's body on. The service's time runs only while we wait for it: to take bytes, then to answer."""
    try:
        async for chunk in body:
            connection.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk)
            if not await connection.drained(patience.idle):
                return  # it answers already, or it is gone: `head` says which
        if chunked:
            connection.write(b"0\r\n\r\n")
    except Exception as error:
        connection.broken(UpstreamBroken(str(error)))
    else:
        connection.give(patience.first_byte)


class _Connection(asyncio.Protocol):
    """One connection to a service, used for one request after another."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
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
        self._reading = True
        self._received = 0
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

    def take(self) -> bytes:
        """What has arrived of the body; b"" for nothing yet."""
        if not self._chunks:
            return b""
        whole = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._waiting_bytes = 0
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        return whole

    async def more(self, idle: float) -> None:
        """Return when there is more to take, or `complete`. Raises UpstreamBroken or UpstreamLate."""
        while not self._chunks and not self.complete:
            if self._failure is not None:
                raise self._failure
            await self._wait(idle)

    async def _wait(self, seconds: float | None) -> None:
        self._waiter = self._loop.create_future()
        timer = None if seconds is None else self._loop.call_later(seconds, self.broken, UpstreamLate())
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

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

    def data_received(self, data: bytes) -> None:
        if self.complete or self._failure is not None:
            self._reusable = False  # nobody asked for this: what follows on this line cannot be trusted
            self._transport.abort()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
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
            self.broken(UpstreamBroken("the line ended") if self._received else _NothingCame("the line ended"))
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
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # RFC 9110, 15.2: an interim answer; the real one follows
            self.headers, self._measured = [], False
            return
        self.status, self._has_head = status, True
        self._reusable = self._parser.should_keep_alive()
        if self._answers_head or status in WITHOUT_BODY:  # the parser would wait for the body that its headers describe
            self.complete = True

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self._waiting_bytes += len(body)

    def on_message_complete(self) -> None:
        if self._has_head:
            self.complete = True


@dataclass(slots=True)
class HttpAnswer:
    """Holds one place of the service's pool until it is closed."""

    _pool: _Pool
    _connection: _Connection
    _idle: float
    sending: asyncio.Task[None] | None = None
    status: int = 0
    headers: Headers = field(default_factory=list)
    _closed: bool = False

    async def chunks(self) -> AsyncIterator[bytes]:
        connection = self._connection
        while True:
            if chunk := connection.take():
                yield chunk
            elif connection.complete:
                return
            else:
                await connection.more(self._idle)

    def close(self, *, whole: bool) -> None:
        if self._closed:
            return
        if whole and self._connection.reusable:
            self._closed = True
            self._pool.keep(self._connection)
        else:
            self.cut()
        self._pool.places.release()

    def cut(self) -> None:
        """End the connection; what the client still sends is not taken any more."""
        self._closed = True
        if self.sending is not None:
            self.sending.cancel()
        self._connection.close()
