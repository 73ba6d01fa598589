"""Requests to services over kept connections. One is sent once, a safe one at most once more."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from gateway.hygiene import SAFE_METHODS, Headers
from gateway.upstream.connection import Connection
from gateway.upstream.pool import Address, Pool
from gateway.upstream.words import Answer, NothingCame, Patience, UpstreamBroken, UpstreamRefused


class HttpUpstreams:
    """`bases` is service → base address (`http://host:port` or `https://…`). Must be made inside the running loop."""

    def __init__(self, bases: Mapping[str, str], *, pool: int = 100, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._pools = {service: Pool(Address.of(base), pool) for service, base in bases.items()}

    async def open(
        self,
        service: str,
        method: str,
        target: bytes,
        headers: Headers,
        body: AsyncIterator[bytes] | None,
        *,
        first: bool = False,
    ) -> Answer:
        """Send one request and return when its answer begins.

        A safe request without body is sent once more if its connection ends before the first byte of an answer: a kept one
        may have been closed already. Nothing else is ever sent twice.
        """
        pool = self._pools[service]
        await pool.places.take(self._patience.pool, first=first)
        try:
            try:
                return await self._send(pool, method, target, headers, body)
            except NothingCame:
                if body is not None or method not in SAFE_METHODS:
                    raise
                return await self._send(pool, method, target, headers, body)
        except BaseException:
            pool.places.give()
            raise

    def waited(self, service: str) -> float:
        return self._pools[service].waited()

    async def _send(
        self, pool: Pool, method: str, target: bytes, headers: Headers, body: AsyncIterator[bytes] | None
    ) -> "HttpAnswer":
        connection = pool.kept() or await self._connect(pool)
        answer = HttpAnswer(pool, connection, self._patience.idle)
        try:
            chunked = body is not None and not any(name == b"content-length" for name, _ in headers)
            connection.begin(
                head_of(method, pool.address, target, headers, chunked=chunked), answers_head=method == "HEAD"
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

    async def _connect(self, pool: Pool) -> "Connection":
        try:
            async with asyncio.timeout(self._patience.connect):
                return await pool.connect()
        except (OSError, TimeoutError) as error:
            raise UpstreamRefused from error

    async def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


@dataclass(slots=True)
class HttpAnswer:
    """Holds one place of the service's pool until it is closed."""

    _pool: Pool
    _connection: Connection
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
        self._pool.places.give()

    def cut(self) -> None:
        """End the connection; what the client still sends is not taken any more."""
        self._closed = True
        if self.sending is not None:
            self.sending.cancel()
        self._connection.close()


def head_of(method: str, address: Address, target: bytes, headers: Headers, *, chunked: bool) -> bytes:
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
    connection: "Connection", body: AsyncIterator[bytes], patience: Patience, *, chunked: bool
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
