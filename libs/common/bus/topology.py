"""Exchanges and queues on RabbitMQ: their names, their arguments, and one way to declare them.

    <source>.events            topic exchange, routing key = event type; what no queue takes goes to …
    <source>.unrouted          … this fanout exchange and queue, bounded: the outbox keeps the same events anyhow
    <reader>.from.<source>     quorum queue of one reader, one active consumer, bound to every event of the source
    <reader>.dead              quorum queue of what the reader could not even keep (undecodable, no envelope of ours)

Arguments of a queue that exists cannot be changed (406): a difference is logged and the queue is used as it is.
"""

from collections.abc import Iterable
from contextlib import contextmanager
from typing import Any

import amqp
from amqp.exceptions import PreconditionFailed
from kombu import Connection, Exchange, Queue

from libs.common import log

_log = log.get(__name__)

UNROUTED_BYTES = 64 * 1024 * 1024
"""Most that the queue of events without a reader may hold; the oldest go first."""

TIMEOUT = 10.0
"""Seconds to wait for the broker: connecting, a declaration, a confirm."""

HEARTBEAT = 10
"""Seconds; a line is given up after two of them in silence."""


def connect(amqp_url: str, timeout: float = TIMEOUT, **options: Any) -> Connection:
    """An unopened connection that notices a dead line: heartbeat, keepalive, and an end to every wait."""
    return Connection(
        amqp_url,
        heartbeat=HEARTBEAT,
        connect_timeout=timeout,
        transport_options={
            "read_timeout": timeout,
            "write_timeout": timeout,
            "socket_settings": socket_settings(timeout),
            **options,
        },
    )


def socket_settings(timeout: float = TIMEOUT) -> dict[int, int]:
    """TCP options for py-amqp. Its own default gives up after one second without an answer: too nervous for a busy host."""
    import socket

    settings = {}
    for name, value in (
        ("TCP_USER_TIMEOUT", int(timeout * 1000)),
        ("TCP_KEEPIDLE", 10),
        ("TCP_KEEPINTVL", 5),
        ("TCP_KEEPCNT", 3),
    ):
        if hasattr(socket, name):
            settings[getattr(socket, name)] = value
    return settings


def events_exchange(source: str) -> Exchange:
    return Exchange(
        f"{source}.events", type="topic", durable=True, arguments={"alternate-exchange": f"{source}.unrouted"}
    )


def unrouted_queue(source: str, version: tuple[int, ...] = ()) -> Queue:
    """Where the events of `source` go that nobody reads yet."""
    return Queue(
        f"{source}.unrouted",
        Exchange(f"{source}.unrouted", type="fanout", durable=True),
        durable=True,
        queue_arguments={
            "x-queue-type": "quorum",
            "x-max-length-bytes": UNROUTED_BYTES,
            "x-overflow": "drop-head",
            **_unlimited_deliveries(version),
        },
    )


def dead_queue(reader: str, version: tuple[int, ...] = ()) -> Queue:
    return Queue(
        f"{reader}.dead", durable=True, queue_arguments={"x-queue-type": "quorum", **_unlimited_deliveries(version)}
    )


def reader_queue(reader: str, source: str, version: tuple[int, ...] = ()) -> Queue:
    """All events of `source` for `reader`: in order (one active consumer), dead letters handed over safely.

    `at-least-once` dead-lettering needs `reject-publish`; without a length limit that never rejects anything.
    https://www.rabbitmq.com/docs/quorum-queues#activating-at-least-once-dead-lettering
    """
    return Queue(
        f"{reader}.from.{source}",
        events_exchange(source),
        routing_key="#",
        durable=True,
        no_declare=True,
        queue_arguments={
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": f"{reader}.dead",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            **_unlimited_deliveries(version),
        },
    )


def _unlimited_deliveries(version: tuple[int, ...]) -> dict[str, int]:
    """RabbitMQ 4 drops or dead-letters after 20 deliveries unless told otherwise; 3.x has no limit and no such value."""
    return {"x-delivery-limit": -1} if version >= (4,) else {}


def server_version(connection: amqp.Connection) -> tuple[int, ...]:
    text = str(connection.server_properties.get("version", "0"))
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def declare_topology(amqp_url: str, reader: str, sources: Iterable[str]) -> None:
    """Make everything `reader` publishes to and reads from. Safe to run again; called by `migrate` before any role runs,
    so that no event is sent before the queue of a known reader exists."""
    with opened(amqp_url) as connection:
        declare_source(connection, reader)
        declare_reader(connection, reader, sources)


@contextmanager
def opened(amqp_url: str, timeout: float = TIMEOUT):  # type: ignore[no-untyped-def]
    """An open amqp connection, closed at the end whatever state it is in."""
    with connect(amqp_url, timeout) as connection:
        yield connection.connection


def declare_source(connection: amqp.Connection, source: str) -> None:
    """The exchange of a publisher, and where its events go while nobody reads them."""
    unrouted = unrouted_queue(source, server_version(connection))
    _declare(connection, unrouted.exchange, unrouted.name)
    _declare(connection, unrouted, unrouted.name)
    _declare(connection, events_exchange(source), f"{source}.events")


def declare_reader(connection: amqp.Connection, reader: str, sources: Iterable[str]) -> None:
    """The queues of a reader. A source's exchange is made too: the reader may be installed first."""
    version = server_version(connection)
    _declare(connection, dead_queue(reader, version), f"{reader}.dead")
    for source in sources:
        declare_source(connection, source)
        queue = reader_queue(reader, source, version)
        queue.no_declare = False
        _declare(connection, queue, queue.name)


def _declare(connection: amqp.Connection, entity: Exchange | Queue, name: str) -> None:
    # A channel each: the broker closes the channel on which a declaration is refused.
    try:
        with connection.channel() as channel:
            entity.bind(channel).declare()
    except PreconditionFailed as error:
        _log.warning("declared_differently", name=name, reason=str(error)[:200])
