"""TCP lines that can be cut, between a replica and what it needs; and a Service in front of replicas, as Kubernetes has one.

with Lines() as lines:
    line = lines.to(lambda: 5432)         a port of ours that leads to that one
    line.cut() · line.slow(0.2) · line.refuse() · line.mend()
"""

import asyncio
import itertools
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from infra.local import processes

Where = Callable[[], int | None]
"""The port that a new connection leads to; None: nobody is there."""


class Lines:
    """A thread that carries the bytes of all lines."""

    def __enter__(self) -> "Lines":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def to(self, where: Where) -> "Line":
        line = Line(where, self._loop, processes.free_port())
        asyncio.run_coroutine_threadsafe(line.listen(), self._loop).result(10)
        return line


class Line:
    """`cut`: nothing passes and nobody is told, as when packets are dropped; after `mend` what waited arrives, late. `slow`: so many
    seconds each piece. `refuse`: connections end, new ones are refused."""

    def __init__(self, where: Where, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self.port = port
        self._where, self._loop = where, loop
        self._delay = 0.0
        self._passes = asyncio.Event()
        self._passes.set()
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    async def listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._passes.clear)

    def slow(self, seconds: float) -> None:
        self._delay = seconds

    def refuse(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)

    def mend(self) -> None:
        self._delay = 0.0
        self._loop.call_soon_threadsafe(self._passes.set)
        asyncio.run_coroutine_threadsafe(self.listen(), self._loop).result(10)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in list(self._ends):
            end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = self._where()
        try:
            there = await asyncio.open_connection("127.0.0.1", port) if port else None
        except OSError:
            there = None
        if there is None:
            writer.transport.abort()
            return
        self._ends |= {writer, there[1]}
        try:
            await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))
        finally:
            self._ends -= {writer, there[1]}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._passes.wait()
                if self._delay:
                    await asyncio.sleep(self._delay)
                writer.write(data)
                await writer.drain()
        writer.close()


@dataclass
class Replicas:
    """Which of several ports a new connection leads to: one after another of those that are ready. As Kubernetes with our manifests:
    asked every 5 s for at most 3 s, out after three failures, in after one success; connections that stand are left alone."""

    ports: list[int]
    period: float = 5.0
    timeout: float = 3.0
    failures: dict[int, int] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    _turn: "itertools.count[int]" = field(default_factory=itertools.count)

    def begin(self) -> None:
        for port in self.ports:
            threading.Thread(target=self._watch, args=(port,), daemon=True).start()

    def choose(self) -> int | None:
        ready = [port for port in self.ports if self.failures.get(port, 0) < 3]
        return ready[next(self._turn) % len(ready)] if ready else None

    def _watch(self, port: int) -> None:
        while not self.stopping.is_set():
            began = time.monotonic()
            self.failures[port] = 0 if self._is_ready(port) else self.failures.get(port, 0) + 1
            self.stopping.wait(max(0.0, self.period - (time.monotonic() - began)))

    def _is_ready(self, port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=self.timeout) as answer:
                return answer.status == 200
        except OSError:
            return False
