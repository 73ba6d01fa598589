"""From one service's outbox to the other's effects, the same on every bus and store; each role its own process."""

import pytest

from libs.common.tests.events.pair import Pair, in_order, wait_for

pytestmark = pytest.mark.timeout(180)


def test_every_event_has_one_effect_and_each_subject_keeps_its_order(pair: Pair) -> None:
    pair.start_all()
    for n in range(6):
        pair.count([f"thing-{i % 10}" for i in range(n, n + 30)])

    pair.all_arrive_once_and_in_order()


def test_events_told_before_anybody_ran_are_not_lost(pair: Pair) -> None:
    pair.count(["early"] * 20)

    pair.start_all()

    pair.all_arrive_once_and_in_order()


def test_a_poison_event_holds_up_only_its_own_subject(pair: Pair) -> None:
    pair.count(["ill", "well", "ill", "well", "ill"], poison=("ill",))

    pair.start_all()

    pair.wait_for_effects(2)
    wait_for(lambda: pair.states() == {"done": 2, "pending": 3}, "the rest to be parked", pair)
    assert pair.effects() == [("well", 1), ("well", 2)]  # and nothing is left of the effect that failed


def test_an_order_that_is_broken_would_be_seen() -> None:
    in_order([("a", 1), ("b", 1), ("a", 2)])
    with pytest.raises(AssertionError, match="b: 2 after 0"):
        in_order([("a", 1), ("b", 2)])
    with pytest.raises(AssertionError, match="a: 1 after 1"):
        in_order([("a", 1), ("a", 1)])
