"""Requests to services over kept connections. One is sent once, a safe one at most once more."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

from gateway.hygiene import SAFE_METHODS, Headers
from gateway.upstream.connection import Connection
from gateway.upstream.pool import Pool
from gateway.upstream.replicas import Address, Replica, Replicas
from gateway.upstream.words import (
    Answer,
    NothingCame,
    Patience,
    SenderBroke,
    UpstreamBroken,
    UpstreamLate,
    UpstreamRefused,
)
from libs.common.server import Line

ELSEWHERE = 1.0
"""Seconds for which a replica is given to take a connection where another one can be asked."""


class HttpUpstreams:
    """`bases` is service → base addresses of its replicas (`http://host:port` or `https://…`). Made inside the running loop."""

    def __init__(
        self, bases: Mapping[str, Iterable[str]], *, pool: int = 100, patience: Patience | None = None
    ) -> None:
        self._patience = patience or Patience()
        self._pools = {service: Pool(service, of_it, pool) for service, of_it in bases.items()}

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
        may have been closed already. Nothing else is ever sent twice; a replica that takes no connection was sent nothing.
        """
        pool = self._pools[service]
        await pool.places.take(self._patience.pool, first=first)
        tried: list[Replica] = []
        try:
            try:
                return await self._send(pool, method, target, headers, body, tried)
            except NothingCame:
                if body is not None or method not in SAFE_METHODS:
                    raise
                return await self._send(pool, method, target, headers, body, tried)
        except BaseException:
            pool.places.give()
            raise

    def waited(self, service: str) -> float:
        return self._pools[service].waited()

    def resting(self, service: str) -> tuple[int, int]:
        return self._pools[service].replicas.resting()

    async def _send(
        self,
        pool: Pool,
        method: str,
        target: bytes,
        headers: Headers,
        body: AsyncIterator[bytes] | None,
        tried: list[Replica],
    ) -> "HttpAnswer":
        """To one replica that takes a connection; `tried` are those that did not answer, and it becomes one of them."""
        replica, connection = await self._reach(pool, tried)
        tried.append(replica)
        answer = HttpAnswer(pool, replica, connection, self._patience.idle)
        try:
            chunked = body is not None and not any(name == b"content-length" for name, _ in headers)
            connection.begin(
                head_of(method, replica.address, target, headers, chunked=chunked), answers_head=method == "HEAD"
            )
            if body is not None:
                answer.sending = asyncio.create_task(_send_body(connection, body, self._patience, chunked=chunked))
                connection.patience = None
            else:
                connection.patience = self._patience.first_byte
            await connection.head()
        except BaseException as error:
            _judge(pool.replicas, replica, error)
            answer.cut()
            raise
        pool.replicas.answered(replica, connection.status)
        answer.status, answer.headers = connection.status, connection.headers
        return answer

    async def _reach(self, pool: Pool, tried: list[Replica]) -> tuple[Replica, Connection]:
        """A replica and a connection to it. One that takes none was sent nothing, so the next may be asked, whatever the method."""
        away: list[Replica] = []
        while True:
            replica = await pool.replicas.choose(tried, away)
            alone = not pool.replicas.others([*away, replica])
            seconds = self._patience.connect if alone else min(self._patience.connect, ELSEWHERE)
            try:
                return replica, pool.kept(replica) or await self._connect(pool, replica, seconds)
            except BaseException as error:
                replica.busy -= 1
                _judge(pool.replicas, replica, error)
                away.append(replica)
                if alone or not isinstance(error, UpstreamRefused):
                    raise

    async def _connect(self, pool: Pool, replica: Replica, seconds: float) -> Connection:
        try:
            async with asyncio.timeout(seconds):
                return await pool.connect(replica)
        except (OSError, TimeoutError) as error:
            raise UpstreamRefused from error

    async def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


def _judge(replicas: Replicas, replica: Replica, error: BaseException) -> None:
    """What no answer says of the replica: nothing if it was the client who left or whose body broke off."""
    if isinstance(error, SenderBroke) or not isinstance(error, UpstreamRefused | UpstreamBroken | UpstreamLate):
        replicas.unjudged(replica)
    else:
        replicas.failed(replica, away=isinstance(error, UpstreamRefused))


@dataclass(slots=True)
class HttpAnswer:
    """Holds one place of the service's pool until it is closed."""

    _pool: Pool
    _replica: Replica
    _connection: Connection
    _idle: float
    sending: asyncio.Task[None] | None = None
    status: int = 0
    headers: Headers = field(default_factory=list)
    _closed: bool = False

    @property
    def ended(self) -> bool:
        return self._connection.ended

    async def chunk(self) -> bytes:
        if not self._connection.ended:
            await self._connection.more(self._idle)
        return self._connection.take()

    @property
    def left(self) -> int:
        return self._connection.left

    def halt(self) -> bytes:
        return self._connection.halt()

    async def carry(self, line: Line) -> None:
        await self._connection.carry(line, self._idle)

    def close(self, *, whole: bool) -> None:
        if self._closed:
            return
        if whole and self._connection.reusable:
            self._end()
            self._pool.keep(self._replica, self._connection)
        else:
            self.cut()
        self._pool.places.give()

    def cut(self) -> None:
        """End the connection; what the client still sends is not taken any more."""
        self._end()
        if self.sending is not None:
            self.sending.cancel()
        self._connection.close()

    def _end(self) -> None:
        self._closed = True
        self._replica.busy -= 1


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


async def _send_body(connection: Connection, body: AsyncIterator[bytes], patience: Patience, *, chunked: bool) -> None:
    """Pass the client's body on. The service's time runs only while we wait for it: to take bytes, then to answer."""
    try:
        async for chunk in body:
            connection.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk)
            if not await connection.drained(patience.idle):
                return  # it answers already, or it is gone: `head` says which
        if chunked:
            connection.write(b"0\r\n\r\n")
    except Exception as error:
        connection.broken(SenderBroke(str(error)))
    else:
        connection.give(patience.first_byte)
