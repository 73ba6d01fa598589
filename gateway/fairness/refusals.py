"""How fast "too often" is said: whoever asks again at once hears it later, and the loop that answers all the others stays free."""

import asyncio
import time

APART = 1 / 200
"""Seconds between two such answers. A refusal costs about as much as a small request: so many take a few hundredths of a core."""
LONGEST = 2.0
"""Seconds for which one is held back at most; browsers and balancers give up after a minute."""


class Paced:
    """Refusals leave one after another. A single one leaves at once; a storm of them waits in its own line.

    A client that has not heard yet sends nothing new on that connection, so the storm itself becomes slower. Nothing else
    waits: an answer that is held back is a timer and holds no thread, no place at a service and no lock.
    """

    def __init__(self) -> None:
        self._next = 0.0

    def wait(self, now: float) -> float:
        """Seconds to hold the next one back. `now` is of a clock that only goes forward."""
        at = min(max(now, self._next), now + LONGEST)
        self._next = at + APART
        return at - now

    async def turn(self) -> None:
        """Returns when it may leave."""
        seconds = self.wait(time.monotonic())
        if seconds > 0.0:
            await asyncio.sleep(seconds)
