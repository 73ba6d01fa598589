"""A queue before a service whose opening day draws more people than it can serve: whoever came first goes in first.

The ticket is the time of arrival, sealed in a cookie: it is good at every gateway, and nothing is kept of who waits. Each gateway lets in
so many of its arrivals a second; a ticket is served when all earlier arrivals have been.
"""

from collections import deque
from dataclasses import dataclass, field

INSIDE = 1800.0
"""Seconds for which somebody who was let in comes and goes freely."""
STEP = 1.0
"""Arrivals are counted per so many seconds; within a step they are taken to have come evenly."""


@dataclass(slots=True)
class _Step:
    begins: float
    arrived: int = 0
    served: int = 0


@dataclass(slots=True)
class WaitingRoom:
    """`rate` people a second are let in. Times are seconds since 1970: they are compared across gateways."""

    rate: float
    served_until: float = 0.0
    """Arrivals before this moment have been let in."""
    _credit: float = 1.0
    _at: float = 0.0
    _line: deque[_Step] = field(default_factory=deque)

    def arrive(self, now: float) -> bool:
        """Whether somebody new goes in at once; else they stand in line from now on."""
        self._advance(now)
        if not self._line and self._credit >= 1.0:
            self._credit -= 1.0
            return True
        if not self._line or self._line[-1].begins + STEP <= now:
            self._line.append(_Step(now // STEP * STEP))
        self._line[-1].arrived += 1
        return False

    def serves(self, arrived: float, now: float) -> bool:
        """Whether somebody who has stood in line since `arrived` goes in now."""
        self._advance(now)
        return arrived < self.served_until

    def wait(self, arrived: float) -> float:
        """Seconds until then, roughly."""
        before = sum(step.arrived - step.served for step in self._line if step.begins <= arrived)
        return max(1.0, (before - self._credit) / self.rate)

    def hold(self, now: float) -> None:
        """Up to this moment nobody is let in: the time that has passed brings nobody nearer."""
        self._at, self._credit = now, 0.0

    def waiting(self, now: float) -> int:
        """How many stand in line."""
        self._advance(now)
        return sum(step.arrived - step.served for step in self._line)

    def _advance(self, now: float) -> None:
        """Let in as many as have become due. A step that is still filling waits: who in it was first is not known yet."""
        self._credit += self.rate * max(0.0, now - (self._at or now))
        self._at = now
        while self._line and self._line[0].begins + STEP <= now and self._credit >= 1.0:
            step = self._line[0]
            due = min(int(self._credit), step.arrived - step.served)
            step.served += due
            self._credit -= due
            self.served_until = step.begins + STEP * step.served / step.arrived
            if step.served == step.arrived:
                self._line.popleft()
        if not self._line:
            self.served_until, self._credit = now, min(self._credit, max(1.0, self.rate))
