"""The soak's figure of memory: what grows is told from what only moves, and too little is said to be too little."""

import math
import random

from tests.unbroken.load import slope, told


def an_hour(growth: float, seed: int) -> list[tuple[float, float]]:
    """Sizes every five seconds: 200 MB, a saw of a garbage collector, and `growth` MB an hour."""
    chance = random.Random(seed)
    return [(at / 720, 200 + growth * at / 720 + at % 30 / 5 + chance.random()) for at in range(720)]


def test_what_grows_is_seen_and_what_only_moves_is_not_called_growth() -> None:
    for seed in range(20):
        hourly, give = slope(an_hour(30, seed))
        assert hourly - give > 0 and abs(hourly - 30) < 10, (hourly, give)
    flat = [slope(an_hour(0, seed)) for seed in range(20)]
    assert sum(abs(hourly) > give for hourly, give in flat) <= 3, flat
    assert all(give < 10 for _, give in flat)


def test_a_soak_that_was_too_short_says_so() -> None:
    hourly, give = slope(an_hour(30, 1)[:30])
    assert math.isnan(hourly) and math.isnan(give)
    assert told(hourly, give) == "(短くて分からない)" and told(3.4, 1.2) == "+3±1"
