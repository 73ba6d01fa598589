"""Where a service is, and the connections to it that are kept."""

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.upstream.connection import Connection
from gateway.upstream.places import Places

KEPT = 30.0
"""Seconds for which an idle connection is kept: shorter than at the services (75 s), so that it is we who close."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens, and how requests to it begin."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    named: bytes
    """Host and port as they stand in the Host header."""
    prefix: bytes

    @classmethod
    def of(cls, base: str) -> "Address":
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not the address of a service: {base}")
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        port = parts.port or (443 if tls else 80)
        return cls(parts.hostname, port, tls, parts.netloc.encode("ascii"), parts.path.rstrip("/").encode("ascii"))


class Pool:
    """The connections of one service."""

    def __init__(self, address: Address, places: int) -> None:
        self.address = address
        self.places = Places(places)
        self._loop = asyncio.get_running_loop()
        self._kept: deque[tuple[float, Connection]] = deque()

    def kept(self) -> "Connection | None":
        """The connection used last, if it is young enough; older ones are closed."""
        oldest = self._loop.time() - KEPT
        while self._kept and self._kept[0][0] < oldest:
            self._kept.popleft()[1].close()
        while self._kept:
            connection = self._kept.pop()[1]
            if connection.usable:
                return connection
        return None

    def keep(self, connection: "Connection") -> None:
        self._kept.append((self._loop.time(), connection))

    def waited(self) -> float:
        """Seconds for which somebody has been waiting for one of them."""
        return self.places.waited(self._loop.time())

    async def connect(self) -> "Connection":
        address = self.address
        _, connection = await self._loop.create_connection(
            lambda: Connection(self._loop), address.host, address.port, ssl=address.tls
        )
        return connection

    def close(self) -> None:
        while self._kept:
            self._kept.pop()[1].close()
