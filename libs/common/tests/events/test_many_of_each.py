"""Twice delivered, several processes of one role, and an end in good order: still one effect each, in order."""

import json
import random
import signal

import amqp
import pytest
from sqlalchemy import select

from libs.common import inbox, outbox
from libs.common.bus import topology
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.tests.events.counter import db as counter
from libs.common.tests.events.counter import worker
from libs.common.tests.events.pair import Pair, in_order, wait_for

pytestmark = pytest.mark.timeout(240)


@pytest.mark.slow
def test_two_listens_and_two_works_and_one_of_each_dies(rabbit_pair: Pair) -> None:
    rabbit_pair.start_relay()
    rabbit_pair.start_relay()
    first = [rabbit_pair.start("listen"), rabbit_pair.start("work")]
    rabbit_pair.start("listen")
    rabbit_pair.start("work")
    for n in range(10):
        rabbit_pair.count([f"thing-{i % 11}" for i in range(40)], tenant=random.choice(["402036", "401005"]))
        if n == 5:
            wait_for(lambda: len(rabbit_pair.effects()) > 20, "the work to have begun", rabbit_pair)
            for child in first:
                child.kill()

    rabbit_pair.all_arrive_once_and_in_order(90)


def test_every_message_is_delivered_twice_and_has_one_effect(rabbit_pair: Pair) -> None:
    assert rabbit_pair.amqp_url
    rabbit_pair.count(["a", "b", "a", "c", "a"])
    rabbit_pair.start_all()
    rabbit_pair.all_arrive_once_and_in_order()
    with rabbit_pair.source_database.reading() as session:
        envelopes = list(session.scalars(select(outbox.OutboxRow.envelope).order_by(outbox.OutboxRow.position)))

    with topology.opened(rabbit_pair.amqp_url) as connection, connection.channel() as channel:
        for envelope in reversed(envelopes):
            message = amqp.Message(json.dumps(envelope), delivery_mode=2)
            channel.basic_publish(message, exchange=f"{rabbit_pair.source}.events", routing_key=envelope["type"])
    rabbit_pair.count(["last"])

    rabbit_pair.all_arrive_once_and_in_order()
    assert len(rabbit_pair.effects()) == 6


def test_listen_ends_in_good_order_when_asked(rabbit_pair: Pair) -> None:
    rabbit_pair.count(["a"] * 5)
    rabbit_pair.start_relay()
    listening = rabbit_pair.start("listen")
    wait_for(lambda: sum(rabbit_pair.states().values()) == 5, "five in the inbox", rabbit_pair)

    listening.send_signal(signal.SIGTERM)

    assert listening.wait(60) == 0


@pytest.mark.slow
def test_listen_that_is_asked_to_end_while_it_starts_ends(rabbit_pair: Pair) -> None:
    assert rabbit_pair.start("listen", asked_to_end_while_it_starts=True).wait(60) == 0


def test_the_loop_takes_a_row_that_another_worker_holds_neither_twice_nor_out_of_order(database: Database) -> None:
    """One worker is in the middle of a subject's first event while another looks for work."""
    if database.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time: there is no middle to look into")
    worker.count(database, "locksource", ["a", "a", "b"], SystemClock().now())
    subscriptions = worker.subscriptions("lockreader", "locksource")
    hand_over(database)
    with database.transaction() as busy:
        (first,) = busy.scalars(select(inbox.InboxRow).order_by(inbox.InboxRow.position).limit(1).with_for_update())
        assert first.subject == "a"

        inbox.handle_ready(database, subscriptions, SystemClock())
        with database.reading() as session:
            assert counter.effects(session) == [("b", 1)]

    inbox.handle_ready(database, subscriptions, SystemClock())
    with database.reading() as session:
        in_order(counter.effects(session))
        assert len(counter.effects(session)) == 3


def test_one_failing_event_of_a_group_undoes_nothing_of_the_others(database: Database) -> None:
    worker.count(database, "groupsource", ["a", "ill", "a", "ill", "b"], SystemClock().now(), poison=("ill",))
    worker.count(database, "groupsource", ["c", "c"], SystemClock().now(), tenant="401005")
    cured: set[str] = set()
    subscriptions = worker.subscriptions("groupreader", "groupsource", cured=cured)
    hand_over(database)

    while inbox.handle_ready(database, subscriptions, SystemClock()):
        pass

    with database.reading() as session:
        assert sorted(counter.effects(session)) == [("a", 1), ("a", 2), ("b", 1), ("c", 1), ("c", 2)]
        (ill,) = inbox.troubled(session)
        assert (ill.subject, ill.attempts, ill.error) == ("ill", 1, "StillBroken: ill")
        assert inbox.waiting_behind(session, ill) == 1
    cured.add("ill")
    with database.transaction() as session:
        inbox.redrive(session, ill.event_id, by="operator", because="mended", now=SystemClock().now())

    while inbox.handle_ready(database, subscriptions, SystemClock()):
        pass

    with database.reading() as session:
        assert counter.doubled(session) == []
        in_order(counter.effects(session))
        assert len(counter.effects(session)) == 7


def test_events_of_several_tenants_and_one_subject_keep_their_order(database: Database) -> None:
    for n in range(12):
        worker.count(database, "mixsource", ["shared"], SystemClock().now(), tenant=["402036", "401005", None][n % 3])
    hand_over(database)
    subscriptions = worker.subscriptions("mixreader", "mixsource")

    while inbox.handle_ready(database, subscriptions, SystemClock()):
        pass

    with database.reading() as session:
        assert counter.effects(session) == [("shared", n) for n in range(1, 13)]


def hand_over(database: Database) -> None:
    """What is in the outbox arrives in the inbox of the same database."""
    with database.reading() as session:
        envelopes = [row.envelope for row in outbox.pending(session, 1000)]
    assert envelopes
    with database.transaction() as session:
        inbox.receive(session, envelopes, SystemClock().now())
