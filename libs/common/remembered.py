"""Answers that are believed for a moment: what was just found is not asked for again by the hundred requests that follow."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """What was found within the last `seconds`, at most `most` of it. What is older goes with the next that comes, or by `sweep`: a
    value may hold an open file, or a whole state of the registry. From any thread."""

    def __init__(self, seconds: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self._most, self._clock = seconds, most, clock
        self._lock = threading.Lock()
        self._kept: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        found = self._kept.get(key)
        return found[1] if found is not None and found[0] > self._clock() else None

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (self._clock() + self.seconds, value)  # last: in the order of age
        self.sweep()

    def sweep(self) -> None:
        """Let go of what is too old, or too much."""
        with self._lock:
            while self._kept:
                key, (until, _) = next(iter(self._kept.items()))
                if len(self._kept) <= self._most and until > self._clock():
                    return
                del self._kept[key]

    def drop(self, key: K) -> None:
        with self._lock:
            self._kept.pop(key, None)

    def forget(self) -> None:
        """Believe nothing without asking."""
        with self._lock:
            self._kept.clear()
