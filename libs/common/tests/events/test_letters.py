"""What cannot be kept or routed is found again: listed, sent again, thrown away. On a real broker."""

import json

import amqp
import pytest

from infra.local import nodes
from libs.common.bus import letters, topology
from libs.common.bus.rabbitmq import RabbitBus
from libs.common.bus.topology import declare_topology
from libs.common.errors import Unavailable
from libs.common.tests.events.pair import Pair, wait_for

pytestmark = pytest.mark.timeout(180)


def put(pair: Pair, body: str, **properties: str) -> None:
    """A stranger publishes `body` on the source's exchange."""
    assert pair.amqp_url
    with topology.opened(pair.amqp_url) as connection, connection.channel() as channel:
        message = amqp.Message(body, delivery_mode=2, **properties)
        channel.basic_publish(message, exchange=f"{pair.source}.events", routing_key="anything")


def dead(pair: Pair) -> list[letters.Letter]:
    assert pair.amqp_url
    return letters.dead_letters(pair.amqp_url, pair.reader)


def test_what_is_no_envelope_goes_to_the_dead_letters_and_holds_nobody_up(rabbit_pair: Pair) -> None:
    bodies = ["{ not json", '"text"', '{"specversion": "1.0"}', "[" * 100_000]
    for body in bodies:
        put(rabbit_pair, body)
    rabbit_pair.count(["well"])

    rabbit_pair.start_all()

    rabbit_pair.all_arrive_once_and_in_order()
    wait_for(lambda: len(dead(rabbit_pair)) == len(bodies), "a dead letter for each", rabbit_pair)
    assert {letter.body for letter in dead(rabbit_pair)} == {body[:500] for body in bodies}
    assert {letter.came_from for letter in dead(rabbit_pair)} == {f"{rabbit_pair.reader}.from.{rabbit_pair.source}"}
    assert {letter.reason for letter in dead(rabbit_pair)} == {"rejected"}


def test_an_event_the_database_cannot_hold_does_not_stop_those_that_arrived_with_it(rabbit_pair: Pair) -> None:
    rabbit_pair.count(["before", "after"])
    bad = {  # PostgreSQL's jsonb has no NUL: https://www.postgresql.org/docs/current/datatype-json.html
        "specversion": "1.0", "id": "bad-1", "source": f"/services/{rabbit_pair.source}",
        "type": f"{rabbit_pair.source}.thing.counted.v1", "subject": "bad", "time": "2026-11-20T01:52:07.000000+00:00",
        "tenantid": None, "sequence": 1, "data": {"number": 1, "text": "\0"},
    }  # fmt: skip
    put(rabbit_pair, json.dumps(bad), message_id="bad-1")

    rabbit_pair.start_all()

    rabbit_pair.all_arrive_once_and_in_order()
    wait_for(lambda: [letter.event_id for letter in dead(rabbit_pair)] == ["bad-1"], "the bad event", rabbit_pair)


def test_a_dead_letter_looked_at_stays_and_sent_again_is_read(rabbit_pair: Pair) -> None:
    assert rabbit_pair.amqp_url
    put(rabbit_pair, "{ not json", message_id="x-1")
    put(rabbit_pair, "{ nor this", message_id="x-2")
    listening = rabbit_pair.start("listen")
    wait_for(lambda: len(dead(rabbit_pair)) == 2, "two dead letters", rabbit_pair)
    assert [letter.event_id for letter in dead(rabbit_pair)] == ["x-1", "x-2"]  # the second look finds both, in order
    listening.kill()
    listening.wait()

    assert letters.redrive_dead(rabbit_pair.amqp_url, rabbit_pair.reader, "x-1") == 1

    assert [letter.event_id for letter in dead(rabbit_pair)] == ["x-2"]
    assert letters.counts(rabbit_pair.amqp_url, rabbit_pair.reader) == {"dead": 1, "unrouted": 0}
    rabbit_pair.start("listen")
    wait_for(lambda: len(dead(rabbit_pair)) == 2, "the same letter to die again", rabbit_pair)
    assert letters.discard_dead(rabbit_pair.amqp_url, rabbit_pair.reader) == 2
    assert dead(rabbit_pair) == []


def test_an_event_that_nobody_reads_yet_waits_for_its_first_reader(rabbit_pair: Pair) -> None:
    assert rabbit_pair.amqp_url
    stranger = f"{rabbit_pair.source}x"
    rabbit_pair.source = stranger  # a source that no queue is bound to
    rabbit_pair.count(["early"] * 3)
    rabbit_pair.start_relay()
    wait_for(lambda: rabbit_pair.sent() == 3, "the relay not to be held up", rabbit_pair)
    waiting = letters.unrouted(rabbit_pair.amqp_url, stranger)
    assert [letter.type for letter in waiting] == [f"{stranger}.thing.counted.v1"] * 3

    declare_topology(rabbit_pair.amqp_url, rabbit_pair.reader, [stranger])
    assert letters.redrive_unrouted(rabbit_pair.amqp_url, stranger) == 3

    rabbit_pair.start("listen")
    rabbit_pair.start("work")
    rabbit_pair.all_arrive_once_and_in_order()
    assert letters.unrouted(rabbit_pair.amqp_url, stranger) == []


def test_topology_can_be_declared_again_and_over_queues_made_with_other_arguments(broker: nodes.RabbitMQ) -> None:
    with topology.opened(broker.url) as connection, connection.channel() as channel:
        channel.queue_declare(
            "olderreader.dead", durable=True, auto_delete=False
        )  # a classic queue of an older release

    declare_topology(broker.url, "olderreader", ["oldersource"])
    declare_topology(broker.url, "olderreader", ["oldersource"])

    with topology.opened(broker.url) as connection, connection.channel() as channel:
        assert channel.queue_declare("olderreader.from.oldersource", passive=True).message_count == 0


def test_a_broker_that_is_away_is_said_in_words() -> None:
    with pytest.raises(Unavailable, match="仲介サーバー"):
        letters.counts("amqp://guest:guest@127.0.0.1:1//", "nobody")


def test_a_relay_without_a_broker_raises_and_marks_nothing(rabbit_pair: Pair) -> None:
    from libs.common.clock import SystemClock
    from libs.common.relay import relay_once

    rabbit_pair.count(["kept"])
    with pytest.raises(OSError):
        relay_once(rabbit_pair.source_database, RabbitBus("amqp://guest:guest@127.0.0.1:1//", "x"), SystemClock())
    assert rabbit_pair.sent() == 0
