"""The places and connections of one service."""

import asyncio
from collections.abc import Iterable

from gateway.upstream.connection import READ, Connection
from gateway.upstream.places import Places
from gateway.upstream.replicas import Replica, Replicas


class Pool:
    """`places` are those of all replicas together."""

    def __init__(self, service: str, bases: Iterable[str], places: int) -> None:
        self.places = Places(places)
        self.replicas = Replicas(service, bases)
        self._loop = asyncio.get_running_loop()
        self._room = bytearray(READ)

    def kept(self, replica: Replica) -> Connection | None:
        return replica.kept(self._loop.time())

    def keep(self, replica: Replica, connection: Connection) -> None:
        replica.keep(connection, self._loop.time())

    def waited(self) -> float:
        """Seconds for which somebody has been waiting for one of them."""
        return self.places.waited(self._loop.time())

    async def connect(self, replica: Replica) -> Connection:
        address = replica.address
        _, connection = await self._loop.create_connection(
            lambda: Connection(self._loop, self._room),
            replica.ip,
            address.port,
            ssl=address.tls,
            server_hostname=address.host if address.tls else None,
        )
        return connection

    def close(self) -> None:
        self.replicas.close()
