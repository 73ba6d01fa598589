"""How many events a second go from one service's outbox to another's applied inbox, and how long one takes when all is idle.

    python -m tests.bench.events [--events 2000] [--rounds 5]

On private RabbitMQ and PostgreSQL nodes that write to the disk as real ones do. Three processes, as deployed: the source's `work`
(relay), the reader's `listen`, the reader's `work`. Beside it, in every round, a bare kombu loop on the same broker: one process publishes
the same envelopes with confirms, another consumes and acknowledges them, and nothing is stored anywhere. Goals: ≥ 500 events/s, median
below 200 ms when idle.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from infra.local import nodes
from libs.common import keys
from libs.common.bus.topology import declare_topology
from libs.common.db import Database
from libs.common.inbox import InboxRow
from libs.common.migrate import migrate
from libs.common.outbox import OutboxRow
from libs.common.settings import Settings
from libs.common.tests.events.pair import Pair, wait_for

GOAL_PER_SECOND = 500
GOAL_MEDIAN_MS = 200
PACKAGE = "libs.common.tests.events.counter"
TENANTS = ["402036", "401005", "402028", "402052", "402061"]
SUBJECTS = 400


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=2000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder)) as pair:
        rates, bare_rates, latencies = [], [], []
        for n in range(chosen.rounds):
            bare_rates.append(bare_loop(pair, chosen.events))
            rates.append(throughput(pair, chosen.events))
            latencies += idle_latencies(pair, 40)
            print(f"round {n + 1}: {rates[-1]:6.0f} events/s; bare kombu loop {bare_rates[-1]:6.0f}/s", flush=True)
        assert not pair.doubled()
    return report(rates, bare_rates, latencies)


def report(rates: list[float], bare_rates: list[float], latencies: list[float]) -> int:
    """Print medians, ratio and spread. 0 if both goals are met."""
    ratios = [ours / bare for ours, bare in zip(rates, bare_rates, strict=True)]
    rate, median = statistics.median(rates), statistics.median(latencies)
    print(f"outbox → handled inbox: median {rate:.0f} events/s (spread {min(rates):.0f} to {max(rates):.0f})")
    print(
        f"  of a bare kombu publish/consume loop: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )
    print(
        f"idle: median {median:.0f} ms, 95 % {statistics.quantiles(latencies, n=20)[18]:.0f} ms, "
        f"worst {max(latencies):.0f} ms of {len(latencies)}"
    )
    met = rate >= GOAL_PER_SECOND and median < GOAL_MEDIAN_MS
    print(f"goals (≥ {GOAL_PER_SECOND} events/s, median < {GOAL_MEDIAN_MS} ms): {'met' if met else 'MISSED'}")
    return 0 if met else 1


@contextmanager
def deployed(folder: Path) -> Iterator[Pair]:
    """Two services with their roles running, on private nodes."""
    with ExitStack() as stack:
        broker = stack.enter_context(nodes.rabbitmq(folder / "broker", durable=True))
        store = stack.enter_context(nodes.postgresql(folder / "store", durable=True))
        databases = [migrated(store.url, folder / side, f"bench{side}") for side in ("source", "reader")]
        for database in databases:
            stack.callback(database.close)
        pair = Pair(folder, *databases, amqp_url=broker.url, source="benchsource", reader="benchreader")
        declare_topology(broker.url, pair.source, [])
        declare_topology(broker.url, pair.reader, [pair.source])
        stack.callback(pair.stop)
        pair.start_all()
        pair.count(["warm"])
        pair.wait_for_effects(1)
        yield pair


def migrated(server: str, folder: Path, prefix: str) -> Database:
    folder.mkdir()
    keys.ensure(folder / "keys", ["counter"])
    settings = Settings(data_dir=folder, keys_dir=folder / "keys", database_url=server, database_prefix=prefix)
    migrate(settings, "counter", PACKAGE)
    return Database(settings.database_url_of("counter"), "counter")


def throughput(pair: Pair, events: int) -> float:
    """Events per second, from the moment the relay may look at a full outbox until the last event is applied.

    The relay is stopped (SIGSTOP) while the outbox fills, so that the clock holds no writing of the test's own.
    Tenants alternate every 20 events.
    """
    relay = pair.children[0]
    relay.send_signal(signal.SIGSTOP)
    try:
        for n in range(0, events, 20):
            tenant = TENANTS[n // 20 % len(TENANTS)]
            subjects = [f"{tenant}-{i % (SUBJECTS // len(TENANTS))}" for i in range(n, min(n + 20, events))]
            pair.count(subjects, tenant=tenant)
    finally:
        began = datetime.now(UTC)
        relay.send_signal(signal.SIGCONT)
    wait_for(lambda: all_done(pair), f"{events} events", pair)
    with pair.reader_database.reading() as session:
        ended = session.scalar(select(func.max(InboxRow.handled_at)))
    assert ended is not None
    return events / (ended - began).total_seconds()


def idle_latencies(pair: Pair, events: int) -> list[float]:
    """Milliseconds from `outbox.add` to applied, one event at a time with nothing else to do."""
    subjects = []
    for n in range(events):
        subjects.append(f"idle-{time.monotonic_ns()}-{n}")
        pair.count([subjects[-1]])
        time.sleep(0.137)  # no multiple of any pause in the loops
    wait_for(lambda: all_done(pair), "the last single event", pair)
    with pair.source_database.reading() as session:
        added = dict(
            session.execute(select(OutboxRow.event_id, OutboxRow.added_at).where(OutboxRow.subject.in_(subjects)))
            .tuples()
            .all()
        )
    with pair.reader_database.reading() as session:
        handled = dict(
            session.execute(select(InboxRow.event_id, InboxRow.handled_at).where(InboxRow.subject.in_(subjects)))
            .tuples()
            .all()
        )
    return [(handled[event] - at).total_seconds() * 1000 for event, at in added.items()]


def all_done(pair: Pair) -> bool:
    """Nothing waits anywhere. Cheap while something does: it runs beside what is measured."""
    with pair.source_database.reading() as session:
        if session.scalar(select(OutboxRow.position).where(OutboxRow.published_at.is_(None)).limit(1)) is not None:
            return False
        told = session.scalar(select(func.count()).select_from(OutboxRow))
    with pair.reader_database.reading() as session:
        if session.scalar(select(InboxRow.position).where(InboxRow.handled_at.is_(None)).limit(1)) is not None:
            return False
        return session.scalar(select(func.count()).select_from(InboxRow)) == told


def bare_loop(pair: Pair, events: int) -> float:
    """Messages per second of kombu alone: a producer with confirms, a consumer that acknowledges each."""
    assert pair.amqp_url
    command = [sys.executable, "-m", "tests.bench.bare_kombu"]
    consumer = subprocess.Popen([*command, "consume", pair.amqp_url, str(events)], stdout=subprocess.PIPE, text=True)
    assert consumer.stdout
    consumer.stdout.readline()  # "ready"
    publisher = subprocess.run(
        [*command, "publish", pair.amqp_url, str(events)], capture_output=True, text=True, check=True
    )
    ended = float(consumer.communicate()[0].split()[-1])
    return events / (ended - json.loads(publisher.stdout)["began"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
