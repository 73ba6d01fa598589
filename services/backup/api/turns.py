"""Whose block is next: municipalities take turns, however many connections each has open.

Fair queueing in its simplest form (Nagle, RFC 970): one queue for each municipality, served in a circle, a block at a time.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")
Run = Callable[..., Awaitable[Any]]


class Turns:
    """`slots` blocks are worked on at once. `rate` (bytes per second, 0: no limit) is what the line to the outside bears:
    then blocks pass one after another, each for as long as the line needs for it. Of one event loop."""

    def __init__(self, slots: int, rate: int = 0) -> None:
        self._free = 1 if rate else slots
        self.rate = rate
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def take(self, tenant: str, size: int, run: Run, *arguments: Any) -> Any:
        """Wait for a turn of `tenant`, then `run(*arguments)` on a block of `size` bytes and return what it returns."""
        await self._wait(tenant)
        try:
            if not self.rate:
                return await run(*arguments)
            pause = asyncio.create_task(asyncio.sleep(size / self.rate))
            try:
                result = await run(*arguments)
                await pause
            finally:
                pause.cancel()
            return result
        finally:
            self._give()

    async def _wait(self, tenant: str) -> None:
        if self._free and not self._waiting:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give()  # it had just been given
            raise

    def _give(self) -> None:
        """Hand the slot to the municipality that has waited longest for one, which then goes to the end of the circle."""
        while self._waiting:
            tenant, queue = next(iter(self._waiting.items()))
            turn = queue.popleft()
            del self._waiting[tenant]
            if queue:
                self._waiting[tenant] = queue
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
