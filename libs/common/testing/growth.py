"""How the work of a function grows with its input: says what a time limit would say, on any machine."""

import time
from collections.abc import Callable

TIMES = 8
"""The larger input is so many times the smaller one: work in proportion takes 8 times as long, in the square of it 64 times."""
BOUND = 24


def assert_grows_in_proportion(work: Callable[[int], object], size: int, bound: float = BOUND) -> None:
    """`work(n)` for n = `size` and 8 × `size`: processor time of this thread, the least of three, must not grow more than `bound` fold.

    `size` should make the smaller one take some milliseconds."""
    work(size)
    small, large = (min(_seconds(work, size * times) for _ in range(3)) for times in (1, TIMES))
    assert large < bound * small, (
        f"{TIMES} times the input took {large / small:.0f} times the work ({small:.4f} s, {large:.4f} s)"
    )


def _seconds(work: Callable[[int], object], size: int) -> float:
    begun = time.thread_time()
    work(size)
    return time.thread_time() - begun
