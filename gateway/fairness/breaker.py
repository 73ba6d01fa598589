"""A service that fails again and again is left alone for a while: its callers are told at once, and it can come back to its feet."""

from collections import deque
from dataclasses import dataclass, field

WINDOW = 10.0
"""Seconds that are looked at."""
LEAST = 10
"""Failures in the window below which nothing is concluded of a whole service."""
SHARE = 0.5
"""Share of failures at which it opens."""
FIRST_REST, LONGEST_REST = 2.0, 30.0
"""Seconds of rest; doubled each time the trial request fails, too."""
FAILED = frozenset({502, 503, 504})
"""Answers that say that the service cannot, not that a request was wrong or met a fault of one page (500)."""


@dataclass(slots=True)
class Breaker:
    """`closed` is the normal state: requests pass. Open: none does, until one trial after the rest."""

    least: int = LEAST
    rest: float = FIRST_REST
    open_until: float = 0.0
    trying: bool = False
    opened: int = 0
    """How often it has opened since the start."""
    _seen: deque[tuple[float, bool]] = field(default_factory=deque)
    _failures: int = 0

    def wait(self, now: float) -> float:
        """0.0 if a request may pass, else seconds until it is worth trying. The first one after the rest is the trial."""
        if not self.open_until:
            return 0.0
        if now < self.open_until:
            return self.open_until - now
        if self.trying:
            return self.rest
        self.trying = True
        return 0.0

    def note(self, now: float, *, failed: bool) -> None:
        if self.open_until:
            self._after_trial(now, failed)
        elif failed or self._failures:  # as long as nothing fails, nothing is counted
            self._count(now, failed)

    def let_go(self) -> None:
        """The trial's client has left before there was an answer: the next one is the trial."""
        self.trying = False

    def _after_trial(self, now: float, failed: bool) -> None:
        if not self.trying:
            return  # an answer to a request from before
        self.trying = False
        if failed:
            self.rest = min(self.rest * 2, LONGEST_REST)
            self.open_until = now + self.rest
        else:
            self.rest, self.open_until = FIRST_REST, 0.0

    def _count(self, now: float, failed: bool) -> None:
        self._seen.append((now, failed))
        self._failures += failed
        while self._seen and self._seen[0][0] < now - WINDOW:
            self._failures -= self._seen.popleft()[1]
        if self._failures >= self.least and self._failures >= SHARE * len(self._seen):
            self.open(now)

    def open(self, now: float) -> None:
        """Rest from now on, whatever was counted."""
        self.open_until, self.opened = now + self.rest, self.opened + 1
        self._seen.clear()
        self._failures = 0
