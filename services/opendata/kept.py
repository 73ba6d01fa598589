"""What was made of something that does not change any more: parts of pages, answers, lists. Each process keeps its own.

A key names everything its value was made of (a data set's id and the number of its change, the language, the day …), so
that nothing kept can be out of date: what has changed is asked for by another key, and the old value is never met again.
"""

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Kept:
    """The values asked for last, as many as there is room for. Safe for threads; two may make the same value at once."""

    def __init__(self, room: int, measure: Callable[[Any], int] = sys.getsizeof) -> None:
        """`room`: what all values together may measure."""
        self.room, self._measure = room, measure
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._taken = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """None where it is not, or no longer, kept."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: T) -> T:
        size = self._measure(value)
        with self._lock:
            self._taken += size - self._values.pop(key, (None, 0))[1]
            self._values[key] = value, size
            while self._taken > self.room:
                _, (_, freed) = self._values.popitem(last=False)
                self._taken -= freed
        return value

    def or_make(self, key: Hashable, make: Callable[[], T]) -> T:
        found = self.get(key)
        return self.put(key, make()) if found is None else found
