"""The places of one service's pool, and the line before them: those who are inside stand before everybody else."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from gateway.upstream.words import UpstreamBusy


@dataclass(slots=True)
class Places:
    """`free` of them; each is taken by one request until it is given back."""

    free: int
    _lines: tuple[deque[tuple[float, asyncio.Future[None]]], ...] = field(default_factory=lambda: (deque(), deque()))
    """Since when somebody waits, and what is set when it is their turn. The first line goes before the second."""

    async def take(self, patience: float, *, first: bool) -> None:
        """Hold one place until `give`. Raises UpstreamBusy after `patience` seconds in the line."""
        if self.free:
            self.free -= 1
            return
        loop = asyncio.get_running_loop()
        turn, line = loop.create_future(), self._lines[not first]
        line.append((loop.time(), turn))
        timer = loop.call_later(patience, _too_late, turn)
        try:
            await turn
        except BaseException:
            if not turn.cancelled() and turn.exception() is None:
                self.give()  # its turn came in the moment it left
            raise
        finally:
            timer.cancel()

    def give(self) -> None:
        """To whoever stands first in line, or back."""
        for line in self._lines:
            while line:
                turn = line.popleft()[1]
                if not turn.done():
                    turn.set_result(None)
                    return
        self.free += 1

    def waited(self, now: float) -> float:
        """Seconds for which the one who has waited longest has waited; 0.0 if nobody waits. `now` is the loop's time."""
        if self.free:
            return 0.0
        return max((now - line[0][0] for line in self._lines if _clean(line)), default=0.0)


def _clean(line: deque[tuple[float, asyncio.Future[None]]]) -> bool:
    """Whether somebody stands in it; those in front who have left are forgotten."""
    while line and line[0][1].done():
        line.popleft()
    return bool(line)


def _too_late(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(UpstreamBusy())
