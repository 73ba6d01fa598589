"""What a cluster's Service is for its pods: one address; each new connection goes to the next of those that are ready, open ones stay.

with Balancers() as balancers:
    address = balancers.add("eapply")            # its port
    balancers.members["eapply"] = [8081, 8082]   # ports of processes on loopback; may be changed at any time
"""

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

from infra.local import processes

READ = 256 * 1024


class Balancers:
    """All addresses, served by one thread. It looks at no byte: what breaks inside a connection, breaks for the client."""

    def __init__(self) -> None:
        self.members: dict[str, list[int]] = {}
        self.refused = 0
        """New connections that the chosen process did not take, as when a pod is gone before the cluster knows."""
        self._turn = 0
        self._open: dict[asyncio.Task[Any] | None, asyncio.StreamWriter] = {}
        """Connections and who carries them: asyncio itself would forget a task that only waits."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="balancers", daemon=True)

    def __enter__(self) -> "Balancers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def add(self, name: str) -> int:
        port = processes.free_port()
        self.members.setdefault(name, [])

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            self._open[task] = writer
            try:
                await self._carry(name, reader, writer)
            finally:
                del self._open[task]

        started: Future[Any] = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(accepted, "127.0.0.1", port, limit=READ, backlog=1024), self._loop
        )
        started.result(30)
        return port

    async def _hang_up(self) -> None:
        """What people still hold open when all is over."""
        for writer in self._open.values():
            writer.transport.abort()
        if left := [task for task in self._open if task]:
            await asyncio.wait(left, timeout=10)

    def _next(self, name: str) -> int:
        members = self.members[name]
        self._turn += 1
        return members[self._turn % len(members)] if members else 1  # nobody listens on port 1

    async def _carry(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._next(name), limit=READ)
        except OSError:
            self.refused += 1
            writer.transport.abort()
            return
        await asyncio.gather(_pass_on(reader, to_writer), _pass_on(to_reader, writer))
        for each in (to_writer, writer):
            each.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes as they come, then the end of them; a reset goes on as a reset."""
    try:
        while piece := await reader.read(READ):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except (OSError, RuntimeError):
        writer.transport.abort()
