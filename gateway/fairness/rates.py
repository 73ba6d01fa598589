"""How often: one rule for every key, by the Generic Cell Rate Algorithm (ITU-T I.371), which knows to the millisecond when to come back."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from heapq import nlargest
from operator import itemgetter

import limits

_MANY = 50_000
_ROUNDING = 1e-6
"""Seconds: sums of fractions are not exact."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`each` is the time of one request, `window` how much may come at once, both in seconds."""

    each: float
    window: float

    @classmethod
    def of(cls, text: str, replicas: int = 1) -> "Rate":
        """`"600/minute"` (the notation of the package limits): 600 at once, then ten a second. Raises ValueError.

        Each of several gateways lets its share through.
        """
        item = limits.parse(text)
        window = float(item.get_expiry())
        return cls(window / item.amount * replicas, window)


class Buckets:
    """When each key may come again. Memory is bounded: of very many keys those that have nothing to wait for are forgotten, and if these
    are not enough, those that are nearest to it. (Else a crowd of newcomers would wipe out what a storm has used up.)"""

    def __init__(self) -> None:
        self._next: dict[Hashable, float] = {}

    def take(self, key: Hashable, rate: Rate, now: float) -> float:
        """0.0 if the request may pass; else the seconds until it would, and it counts as not made."""
        return self.take_all(((key, rate),), now)

    def take_all(self, wanted: Iterable[tuple[Hashable, Rate]], now: float) -> float:
        """The same for several limits at once. A request that one of them refuses counts with none of them: what one person is refused
        must not use up what their municipality may."""
        taken = []
        for key, rate in wanted:
            known = self._next.get(key, 0.0)
            following = (known if known > now else now) + rate.each
            wait = following - now - rate.window
            if wait > _ROUNDING:
                return wait
            taken.append((key, following))
        if len(self._next) >= _MANY:
            self._forget(now)
        self._next.update(taken)
        return 0.0

    def _forget(self, now: float) -> None:
        self._next = {key: at for key, at in self._next.items() if at > now}
        if len(self._next) >= _MANY:
            self._next = dict(nlargest(_MANY // 2, self._next.items(), key=itemgetter(1)))


@dataclass(frozen=True)
class Limits:
    """`general` and, where it says something else, `classes`: route class → whose (`tenant`, `subject`, `network`) → rate."""

    general: Mapping[str, str]
    classes: Mapping[str, Mapping[str, str]]
    replicas: int = 1

    def __post_init__(self) -> None:
        for rates in (self.general, *self.classes.values()):
            for text in rates.values():
                Rate.of(text)

    @lru_cache(1000)  # noqa: B019 (one per process, and few classes)
    def rates(self, route_class: str) -> tuple[tuple[str, Rate, str], ...]:
        """(whose, rate, name of the bucket) for one class. A class's own rate has buckets of its own."""
        own = self.classes.get(route_class, {})
        found = [(whose, Rate.of(text, self.replicas), route_class) for whose, text in own.items()]
        found += [(whose, Rate.of(text, self.replicas), "") for whose, text in self.general.items() if whose not in own]
        return tuple(found)

    def __hash__(self) -> int:
        return id(self)
