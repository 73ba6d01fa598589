"""A line that forms by itself: where a service, a municipality's share of it or the whole door is full, newcomers wait in a room.

Full is what is measured here and now: requests in progress, and how long one has stood before a service's connections. A burst that is
over before anybody has waited draws no line. Whoever was at the service in the last half hour is inside and goes on; the last fifth of
a municipality's share is theirs. While a place is full nobody new is let in; when it is not, so many a second as it has shown to bear
(fewer after each second in which it was full again, more after each in which it was not: AIMD, as TCP does). The line goes when
nobody has stood in it for a while.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client import Counter

from gateway.fairness.shares import Shares
from gateway.fairness.waiting_room import WaitingRoom

SENT = Counter("gateway_waiting_total", "Answers that were a place in line, by service.", ["service"])

FIRST_RATE, LEAST_RATE, MOST_RATE = 5.0, 0.5, 500.0
"""People a second: what a new line begins with, and what it never leaves."""
FEWER, MORE, ADDED = 0.7, 1.2, 0.5
"""After a second that was full the rate is multiplied by the first; after one that was not, by the second, and the third is added."""
CALM = 10.0
"""Seconds without anybody in line and without being full, after which the line is no more."""
HALF = 900.0
"""Seconds of one of two generations of visitors: one is inside for at least so long after a request, at most twice."""
_MANY = 20_000


@dataclass(slots=True)
class Crowd:
    """The line before one municipality's part of one service. Times are seconds since 1970, as in the room."""

    room: WaitingRoom
    looked: float
    full: float
    """When it was last full."""

    def look(self, now: float, *, full: bool) -> bool:
        """Whether there is still a line; its pace is set by what has been since the last look."""
        if full:
            self.room.hold(now)
            self.full = now
        passed = now - self.looked
        if passed >= 1.0:
            self.looked = now
            self._steer(min(passed, CALM), full)
        return bool(self.room.waiting(now)) or now - self.full < CALM

    def _steer(self, seconds: float, full: bool) -> None:
        rate = self.room.rate
        rate = rate * FEWER**seconds if full else rate * MORE**seconds + ADDED * seconds
        self.room.rate = min(MOST_RATE, max(LEAST_RATE, rate))


@dataclass(slots=True)
class Crowds:
    """`after`: seconds that somebody has waited for a connection when a service counts as full (0: no lines by themselves);
    `at_once`: requests in progress at which the door does. `waited` says the first of a service."""

    shares: Shares
    after: float
    at_once: int
    waited: Callable[[str], float] = field(default=lambda _: 0.0)
    _known: dict[tuple[str, str], Crowd] = field(default_factory=dict)

    def full(self, service: str, tenant: str) -> bool:
        """Whether somebody new should wait."""
        if not self.after:
            return False
        shares = self.shares
        return shares.nearly(service, tenant) or shares.total >= self.at_once or self.waited(service) >= self.after

    def line(self, service: str, tenant: str, now: Callable[[], float]) -> WaitingRoom | None:
        """The room where newcomers to this part of the service wait now; None for none, which costs next to nothing."""
        key = (service, tenant)
        crowd, full = self._known.get(key), self.full(service, tenant)
        if crowd is None:
            if not full:
                return None
            at = now()
            crowd = self._known[key] = Crowd(WaitingRoom(FIRST_RATE), at, at)
        if not crowd.look(now(), full=full):
            del self._known[key]
            return None
        return crowd.room

    def waiting(self, service: str, now: float) -> int:
        """How many stand in line before it."""
        return sum(crowd.room.waiting(now) for (name, _), crowd in self._known.items() if name == service)


class Visitors:
    """Who was let in lately: (service, person or guest). Kept in memory only, and only so many."""

    def __init__(self) -> None:
        self._now: set[tuple[str, str]] = set()
        self._before: set[tuple[str, str]] = set()
        self._turned = 0.0

    def note(self, service: str, ident: str) -> None:
        self._now.add((service, ident))
        if len(self._now) >= _MANY:
            self._turn()

    def known(self, service: str, ident: str) -> bool:
        key = (service, ident)
        return key in self._now or key in self._before

    def keep(self, now: float) -> None:
        """Forget who has not been here for long. Called every few seconds; `now` is any clock that only goes forward."""
        if now - self._turned >= HALF:
            self._turned = now
            self._turn()

    def _turn(self) -> None:
        self._before, self._now = self._now, set()
