"""kill -9 at each named point of the way: nothing acknowledged is lost, nothing has two effects.

Taking the guard away shows that these tests see it: with `mark_published` before `deliver`, or an ack before the COMMIT, events are
lost here; without the unique `event_id` of the inbox they have two effects.
"""

from collections.abc import Iterable
from typing import Any

import pytest

from libs.common.tests.events.pair import Pair, has_died

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]

# point → (whose process, at its how manyth call)
IN_THE_RELAY = {
    "relay.before_publish": 1,
    "relay.between_publishes": 7,
    "relay.before_mark": 1,
    "relay.marked_not_committed": 1,
}
IN_THE_READER = {
    "listen.on_receive": ("listen", 5),
    "listen.inserted_not_committed": ("listen", 1),
    "listen.before_ack": ("listen", 3),
    "work.in_handler": ("work", 4),
    "work.before_commit": ("work", 1),
}


def _one_always(points: Iterable[str], chosen: str) -> list[Any]:
    """The others with `make slow`: each takes seconds."""
    return [pytest.param(point, marks=() if point == chosen else pytest.mark.slow) for point in points]


def tell(pair: Pair) -> None:
    pair.count([f"thing-{n % 7}" for n in range(20)])
    pair.count([f"thing-{n % 7}" for n in range(20)], tenant="401005")


@pytest.mark.parametrize("point", _one_always(IN_THE_RELAY, "relay.between_publishes"))
def test_the_relay_is_killed(rabbit_pair: Pair, point: str) -> None:
    tell(rabbit_pair)
    rabbit_pair.start("listen")
    rabbit_pair.start("work")

    has_died(rabbit_pair.start_relay(crash=point, crash_at=IN_THE_RELAY[point]))
    rabbit_pair.start_relay()

    rabbit_pair.all_arrive_once_and_in_order()


@pytest.mark.parametrize("point", _one_always(IN_THE_READER, "work.before_commit"))
def test_the_reader_is_killed(rabbit_pair: Pair, point: str) -> None:
    role, at = IN_THE_READER[point]
    tell(rabbit_pair)
    rabbit_pair.start_relay()
    for other in {"listen", "work"} - {role}:
        rabbit_pair.start(other)

    has_died(rabbit_pair.start(role, crash=point, crash_at=at))
    rabbit_pair.start(role)

    rabbit_pair.all_arrive_once_and_in_order()


def test_the_single_box_is_killed_between_handing_over_and_marking(pair: Pair) -> None:
    if pair.amqp_url:
        pytest.skip("the points above are this bus's")
    tell(pair)

    has_died(pair.start_relay(crash="embedded.received_not_marked"))
    pair.start_all()

    pair.all_arrive_once_and_in_order()
