"""The broker dies, is away, is cut off, is full; the database is away: nothing is lost, nothing is doubled, nobody hangs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local import nodes
from libs.common import keys
from libs.common.bus.rabbitmq import NotConfirmed, RabbitBus
from libs.common.bus.topology import declare_topology
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.migrate import migrate
from libs.common.relay import relay_once
from libs.common.settings import Settings
from libs.common.tests.events.cable import Cable
from libs.common.tests.events.conftest import PACKAGE
from libs.common.tests.events.pair import Pair, wait_for

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]


def keep_telling(pair: Pair, seconds: float) -> None:
    """Events go on being told for a while, as in a town that does not know of the trouble."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pair.count([f"thing-{n}" for n in range(10)])
        time.sleep(0.25)


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_the_broker_is_killed_while_events_flow(rabbit_pair: Pair, broker: nodes.RabbitMQ, rounds: int) -> None:
    rabbit_pair.start_all()
    rabbit_pair.count(["warm"])
    rabbit_pair.wait_for_effects(1)
    for _ in range(rounds):
        keep_telling(rabbit_pair, 1)

        broker.kill()
        keep_telling(rabbit_pair, 1)
        broker.start()

        keep_telling(rabbit_pair, 1)
    rabbit_pair.all_arrive_once_and_in_order(90)


@pytest.mark.parametrize("outage", [10, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.timeout(700)
def test_events_pile_up_while_the_broker_is_away(rabbit_pair: Pair, broker: nodes.RabbitMQ, outage: float) -> None:
    rabbit_pair.start_all()
    rabbit_pair.count(["warm"])
    rabbit_pair.wait_for_effects(1)

    broker.kill()
    try:
        keep_telling(rabbit_pair, outage)
        assert rabbit_pair.sent() < len(rabbit_pair.expected()), "the broker was not away"
    finally:
        broker.start()

    rabbit_pair.all_arrive_once_and_in_order(120)


@pytest.fixture
def cabled_pair(rabbit_pair: Pair, broker: nodes.RabbitMQ) -> Iterator[tuple[Pair, Cable]]:
    """Both services reach the broker through one cable."""
    cable = Cable(broker.port)
    rabbit_pair.amqp_url = f"amqp://guest:guest@127.0.0.1:{cable.port}//"
    yield rabbit_pair, cable
    rabbit_pair.stop()
    cable.close()


@pytest.mark.slow
def test_the_line_to_the_broker_is_cut_again_and_again(cabled_pair: tuple[Pair, Cable]) -> None:
    pair, cable = cabled_pair
    pair.start_all()
    for _ in range(5):
        keep_telling(pair, 0.6)
        cable.pull()
    pair.all_arrive_once_and_in_order()


@pytest.mark.slow
def test_a_line_that_goes_silent_is_given_up_and_made_again(cabled_pair: tuple[Pair, Cable]) -> None:
    pair, cable = cabled_pair
    pair.start_all(confirm_timeout=2.0)
    keep_telling(pair, 1)
    pair.all_arrive_once_and_in_order()

    cable.freeze()  # no reset, no end: only time-outs can tell
    pair.count(["silent"])
    time.sleep(4)
    assert pair.sent() < len(pair.expected()), "the line was not silent"
    cable.pull()
    cable.thaw()

    pair.all_arrive_once_and_in_order()


def test_a_blocked_broker_stops_the_relay_by_its_time_limit_and_not_for_ever(
    rabbit_pair: Pair, broker: nodes.RabbitMQ
) -> None:
    assert rabbit_pair.amqp_url
    bus = RabbitBus(rabbit_pair.amqp_url, rabbit_pair.source, confirm_timeout=1.0)
    rabbit_pair.count(["blocked"] * 3)
    broker.ctl("set_vm_memory_high_watermark", "0.00001")
    try:
        with pytest.raises((NotConfirmed, OSError), match=r"alarm|confirm|time"):
            for _ in range(3):  # the first may still slip through before the alarm is noticed
                relay_once(rabbit_pair.source_database, bus, SystemClock())
                rabbit_pair.count(["blocked"])
    finally:
        broker.ctl("set_vm_memory_high_watermark", "absolute", "512MB")

    rabbit_pair.start_all()
    rabbit_pair.all_arrive_once_and_in_order()


@contextmanager
def own_store(folder: Path, side: str, server: nodes.PostgreSQL) -> Iterator[Database]:
    keys.ensure(folder / side / "keys", ["counter"])
    settings = Settings(
        data_dir=folder / side, keys_dir=folder / side / "keys", database_url=server.url, database_prefix=side
    )
    migrate(settings, "counter", PACKAGE)
    database = Database(settings.database_url_of("counter"), "counter")
    yield database
    database.close()


@pytest.mark.parametrize("outage", [6, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.timeout(700)
def test_the_readers_database_is_away_while_events_arrive(rabbit_pair: Pair, tmp_path: Path, outage: float) -> None:
    if not nodes.has_postgresql():
        pytest.skip("PostgreSQL's server is not installed")
    with (
        nodes.postgresql(tmp_path / "store", durable=True) as server,
        own_store(tmp_path / "own", "reader", server) as database,
    ):
        rabbit_pair.reader_database = database
        rabbit_pair.start_all()
        rabbit_pair.count(["warm"])
        rabbit_pair.wait_for_effects(1)

        server.kill()
        keep_telling(rabbit_pair, outage)
        told = len(rabbit_pair.expected())
        wait_for(lambda: rabbit_pair.sent() == told, "the broker to hold them all")
        listening = rabbit_pair.children[1]
        assert listening.poll() is None, "listen gave up instead of waiting"
        server.start()

        rabbit_pair.all_arrive_once_and_in_order(120)
        rabbit_pair.stop()


def test_an_idle_relay_sees_that_its_line_is_gone_and_the_next_event_needs_no_second_try(
    rabbit_pair: Pair, broker: nodes.RabbitMQ
) -> None:
    cable = Cable(broker.port)
    bus = RabbitBus(f"amqp://guest:guest@127.0.0.1:{cable.port}//", rabbit_pair.source)
    rabbit_pair.count(["one"])
    assert relay_once(rabbit_pair.source_database, bus, SystemClock()) == 1
    cable.pull()
    wait_for(
        lambda: relay_once(rabbit_pair.source_database, bus, SystemClock()) == 0 and bus._connection is None, "idle"
    )

    rabbit_pair.count(["two"])

    assert relay_once(rabbit_pair.source_database, bus, SystemClock()) == 1
    bus.close()
    cable.close()


@pytest.mark.slow
def test_the_queues_are_made_again_on_a_broker_that_lost_everything(tmp_path: Path, rabbit_pair: Pair) -> None:
    with nodes.rabbitmq(tmp_path / "young") as young:
        rabbit_pair.amqp_url = young.url  # nothing was declared here by any `migrate`
        rabbit_pair.start("listen")
        rabbit_pair.start("work")
        wait_for(
            lambda: f"{rabbit_pair.reader}.from.{rabbit_pair.source}" in young.ctl("list_queues", "name"), "its queue"
        )
        rabbit_pair.start_relay()
        rabbit_pair.count(["new"] * 3)

        rabbit_pair.all_arrive_once_and_in_order()
        rabbit_pair.stop()
        declare_topology(young.url, rabbit_pair.reader, [rabbit_pair.source])
