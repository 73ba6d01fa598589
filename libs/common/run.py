"""The role `listen`: what RabbitMQ delivers becomes rows in the readers' inboxes, then is acknowledged. Nothing else.

    from libs.common import run        # before anything that opens sockets: it makes them cooperative
    run.listen([Deployable("tenants", "services.tenants")])

The only module that knows nameko and eventlet. A message is acknowledged after the COMMIT that holds its inbox row; while
the database is away it waits here and at the broker. What is no envelope of ours goes to `<reader>.dead`.
"""

import sys

if "psycopg" in sys.modules or "sqlalchemy.pool" in sys.modules:
    raise RuntimeError("import libs.common.run first: its sockets and locks must be cooperative before they are made")

import eventlet

eventlet.monkey_patch()

import os  # noqa: E402

os.environ["PSYCOPG_WAIT_FUNC"] = "wait_selector"  # psycopg's own C wait would stop every other greenthread

import json  # noqa: E402
import signal  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator, Sequence  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from functools import partial  # noqa: E402
from typing import TYPE_CHECKING, Any, ClassVar  # noqa: E402

import amqp  # noqa: E402
from eventlet.event import Event as Signal  # noqa: E402
from eventlet.queue import LightQueue  # noqa: E402
from kombu import Connection, Consumer  # noqa: E402
from kombu.message import Message  # noqa: E402
from nameko.events import EventHandler  # noqa: E402
from nameko.messaging import Consumer as MessageEntrypoint  # noqa: E402
from nameko.messaging import QueueConsumer  # noqa: E402
from nameko.runners import ServiceRunner  # noqa: E402
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError  # noqa: E402

from libs.common import inbox, instances, log  # noqa: E402
from libs.common.bus import Reader, topology  # noqa: E402
from libs.common.events import Envelope, check_envelope  # noqa: E402
from libs.common.telemetry import metrics  # noqa: E402

if TYPE_CHECKING:
    from libs.common.roles import Deployable

_log = log.get(__name__)

PREFETCH = 100
"""Messages of one queue that may wait here for their COMMIT."""

GROUP = 200
"""Most inbox rows in one transaction."""

LOOK_EVERY = 30.0
"""Seconds between two looks whether the broker holds messages that it does not deliver."""

STOP_WITHIN = 10.0
"""Seconds to finish what arrived; what is left then stays at the broker, unacknowledged."""


def listen(deployables: "Sequence[Deployable]") -> None:
    """The role of one service, or of several in one process, until SIGTERM or SIGINT."""
    from libs.common import roles

    settings, readers = deployables[0].settings(), list[Reader]()
    roles.observe(deployables, "listen", settings, settings.metrics_port, ready=lambda: is_consuming(readers))
    roles.await_tables(deployables)
    built = [(deployable, deployable.build()) for deployable in deployables]
    readers += [deployable.reader(service) for deployable, service in built]
    with instances.announced(*(service for _, service in built), role="listen"):
        receive(settings.amqp_url, readers)


def is_consuming(readers: Sequence[Reader]) -> bool:
    """Whether each of them has its line to the broker and consumes. Of several listeners one is given events, the others stand by."""
    return bool(readers) and all(
        reader.subscriptions.service in InboxQueueConsumer.consuming
        for reader in readers
        if reader.subscriptions.sources
    )


def receive(amqp_url: str, readers: Sequence[Reader], ready: Callable[[], None] = lambda: None) -> None:
    """Fill the inboxes of `readers` until SIGTERM or SIGINT. `ready` is called when every reader consumes.

    A lost broker or database is waited for without end. Raises when something here is broken: to be started again.
    """
    runner = ServiceRunner(_config(amqp_url))
    for reader in readers:
        if reader.subscriptions.sources:
            runner.add_service(_service_class(reader))
    started = Signal()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: eventlet.spawn_n(_stop, runner, started))
    runner.start()
    started.send()
    ready()
    runner.wait()


def _config(amqp_url: str) -> dict[str, Any]:
    return {
        "AMQP_URI": amqp_url,
        "HEARTBEAT": topology.HEARTBEAT,
        "TRANSPORT_OPTIONS": {"socket_settings": topology.socket_settings()},
        "max_workers": PREFETCH,
    }


def _stop(runner: ServiceRunner, started: Signal) -> None:
    """What was stopped in the middle of its start would go on to start, and wait for ever."""
    with eventlet.Timeout(STOP_WITHIN, False):
        started.wait()
        runner.stop()
        return
    _log.warning("stopped_hard")
    os._exit(0)  # a handler waits for its database: the broker has its messages still


def _service_class(reader: Reader) -> type:
    """What nameko runs for one reader: a method for each source, all writing through one writer."""
    writer = Writer(reader)
    methods: dict[str, Any] = {"name": reader.subscriptions.service}
    for source in reader.subscriptions.sources:
        methods[f"receive_{source}"] = _method(reader, writer, source)
    return type(f"Listen_{reader.subscriptions.service}", (), methods)


def _method(reader: Reader, writer: "Writer", source: str) -> Callable[..., None]:
    @InboxHandler.decorator(source, "#", reader=reader, writer=writer)
    def receive(self: object, arrival: "Arrival") -> None:
        arrival.wait()

    return receive


class Arrival:
    """One event that is here and not yet in the inbox."""

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self._settled = Signal()

    def wait(self) -> None:
        """Return when the event is in the inbox; raise Unkeepable when it can never be."""
        self._settled.wait()

    def kept(self) -> None:
        self._settled.send()

    def refused(self, error: Exception) -> None:
        self._settled.send_exception(Unkeepable(type(error).__name__))


class Unkeepable(Exception):
    """The database is well and refuses this event (a character or length it cannot hold): for the dead letters."""


class Writer:
    """Puts arrivals into one reader's inbox, in order of arrival, as many in one transaction as are there."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._arrivals: LightQueue = LightQueue()
        eventlet.spawn(self._run)

    def put(self, envelope: Envelope) -> Arrival:
        arrival = Arrival(envelope)
        self._arrivals.put(arrival)
        return arrival

    def _run(self) -> None:
        while True:
            group = [self._arrivals.get()]
            while len(group) < GROUP and not self._arrivals.empty():
                group.append(self._arrivals.get())
            self._keep(group)

    def _keep(self, group: list[Arrival]) -> None:
        try:
            self._insert_or_wait(group)
        except _OF_THE_DATA as error:
            if len(group) == 1:
                _log.warning("event_refused_by_store", event_id=group[0].envelope["id"], error=type(error).__name__)
                group[0].refused(error)
            else:
                for arrival in group:
                    self._keep([arrival])
            return
        for arrival in group:
            metrics.EVENTS.labels(self._reader.subscriptions.service, arrival.envelope["type"], "received").inc()
            arrival.kept()

    def _insert_or_wait(self, group: list[Arrival]) -> None:
        pause = 0.2
        while True:
            try:
                with self._reader.database.transaction() as session:
                    inbox.receive(session, [arrival.envelope for arrival in group], self._reader.clock.now())
                return
            except Exception as error:
                if _is_of_the_data(error):
                    raise
                _log.warning(
                    "inbox_unreachable",
                    service=self._reader.subscriptions.service,
                    waiting=len(group),
                    error=type(error).__name__,
                )
            eventlet.sleep(pause)
            pause = min(pause * 2, 5.0)


_OF_THE_DATA = (DataError, IntegrityError, StatementError, UnicodeError, OverflowError)


def _is_of_the_data(error: Exception) -> bool:
    """Whether waiting cannot help: the values themselves were refused."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError) and not error.connection_invalidated
    return isinstance(error, _OF_THE_DATA)


class InboxQueueConsumer(QueueConsumer):
    """nameko's consumer, hardened: declares its own queues, never acknowledges what it cannot read, survives any line."""

    consuming: ClassVar[set[str]] = set()
    """Readers of this process whose line to the broker is open."""
    _looked_at = 0.0
    _suspicious = False

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Consume until stopped. kombu survives most lost lines; this one survives the rest (it raises what it finds)."""
        while not self.should_stop:
            try:
                super().run(*args, **kwargs)
            except Exception as error:
                _log.warning("consumer_restarts", error=type(error).__name__)
                eventlet.sleep(1)

    @contextmanager
    def establish_connection(self) -> Iterator[Connection]:
        with self.create_connection() as connection:
            connection.ensure_connection(
                self.on_connection_error, None, interval_start=0.2, interval_step=0.4, interval_max=3
            )
            try:
                yield connection
            finally:
                self.consuming.discard(self.container.service_name)

    def on_consume_ready(self, connection: Connection, channel: amqp.Channel, consumers: Any, **kwargs: Any) -> None:
        self.consuming.add(self.container.service_name)
        super().on_consume_ready(connection, channel, consumers, **kwargs)

    def get_consumers(self, consumer_class: Callable[..., Consumer], channel: amqp.Channel) -> list[Consumer]:
        """Called after every (re)connection; a broker that came back empty gets its queues again."""
        for handler in self._providers:
            reader, source = handler.reader.subscriptions.service, handler.source_service
            topology.declare_reader(channel.connection, reader, [source])
            consumer = consumer_class(
                queues=[topology.reader_queue(reader, source)], on_message=partial(self.arrived, handler)
            )
            consumer.qos(prefetch_count=self.prefetch_count)
            self._consumers[handler] = consumer
        self._looked_at = time.monotonic()
        return list(self._consumers.values())

    def arrived(self, handler: "InboxHandler", message: Message) -> None:
        """Called in order of arrival. Queueing for the writer happens here: greenthreads may start in another order."""
        try:
            envelope = check_envelope(json.loads(message.body))
        except (ValueError, RecursionError) as error:
            _log.warning("undecodable", reader=handler.reader.subscriptions.service, error=type(error).__name__)
            self.reject_message(message)
            return
        if handler.reader.subscriptions.wants(envelope):
            self.handle_message(handler, handler.writer.put(envelope), message)
        else:
            self.ack_message(message)

    def reject_message(self, message: Message) -> None:
        """To the dead letters."""
        self._settle(message.reject)

    def ack_message(self, message: Message) -> None:
        self._settle(message.ack)

    def requeue_message(self, message: Message) -> None:
        self._settle(message.requeue)

    def _settle(self, verb: Callable[[], None]) -> None:
        # nameko catches only amqp's ConnectionError: a raw ConnectionResetError would end the process. A message whose
        # line is gone comes again from the broker, and the inbox knows it.
        try:
            verb()
        except (amqp.exceptions.AMQPError, OSError, AttributeError) as error:
            _log.info("not_settled", error=type(error).__name__)

    def on_iteration(self) -> None:
        super().on_iteration()
        if time.monotonic() > self._looked_at + LOOK_EVERY:
            self._looked_at = time.monotonic()
            self._look_for_held_messages()

    def _look_for_held_messages(self) -> None:
        """After a broker's crash a queue was once seen to hold a message that it delivered to nobody: reconnect then."""
        held = [c for c in self._consumers.values() if _ready_messages(c) and not self.container._worker_threads]
        if held and self._suspicious:
            self._suspicious = False
            raise amqp.exceptions.RecoverableConnectionError("messages wait at the broker and none is delivered")
        self._suspicious = bool(held)


def _ready_messages(consumer: Consumer) -> int:
    return consumer.channel.queue_declare(consumer.queues[0].name, passive=True).message_count


class InboxHandler(EventHandler):
    """An event handler on `<reader>.from.<source>`, whatever the type: which types are wanted is decided on arrival."""

    queue_consumer = InboxQueueConsumer()

    def __init__(self, source: str, event_type: str, *, reader: Reader, writer: Writer, **kwargs: Any) -> None:
        self.reader = reader
        self.writer = writer
        super().__init__(source, event_type, **kwargs)

    def setup(self) -> None:
        self.queue = topology.reader_queue(self.reader.subscriptions.service, self.source_service)
        MessageEntrypoint.setup(self)  # not EventHandler's: it would name the queue its own way

    def handle_message_processed(self, message: Message, result: Any = None, exc_info: Any = None) -> None:
        if exc_info is None:
            self.queue_consumer.ack_message(message)
        elif isinstance(exc_info[1], Unkeepable):
            self.queue_consumer.reject_message(message)
        else:
            self.queue_consumer.requeue_message(message)
