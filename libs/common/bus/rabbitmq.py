"""The bus on RabbitMQ, on the sending side: persistent, mandatory, confirmed, and never waiting for ever.

The receiving side is the role `listen` (`libs/common/run.py`).
"""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import amqp
from kombu import Connection

from libs.common import log
from libs.common.bus import topology
from libs.common.bus.topology import declare_topology
from libs.common.events import Envelope, source_of

__all__ = ["NotConfirmed", "RabbitBus", "declare_topology"]

_log = log.get(__name__)

IN_FLIGHT = 200
"""Most events that wait for their confirms at one time."""


class NotConfirmed(RuntimeError):
    """The broker did not take the first event: refused, returned, blocked (memory or disk alarm), or silent too long."""


class RabbitBus:
    """One connection, opened when needed, dropped after any trouble. Used by one relay at a time: that of `source`."""

    def __init__(self, amqp_url: str, source: str, *, confirm_timeout: float = topology.TIMEOUT) -> None:
        self._amqp_url = amqp_url
        self._source = source
        self._timeout = confirm_timeout
        self._connection: Connection | None = None
        self._confirms: Confirms | None = None
        self._declared: set[str] = set()
        self._looked_at = 0.0

    def deliver(self, envelopes: Sequence[Envelope]) -> int:
        """Publish in order; returns how many of the first the broker has confirmed. Raises if that is none."""
        done = 0
        try:
            for wave in waves(envelopes):
                confirmed = self._publish(wave)
                done += confirmed
                if confirmed < len(wave):
                    raise NotConfirmed(self._why())
        except Exception:
            self.close()
            if not done:
                raise
            _log.warning("partly_confirmed", confirmed=done, of=len(envelopes))
        return done

    def idle(self) -> None:
        """Nothing to send: keep the line alive, and let go of a dead one quietly, so that the next event need not fail."""
        if self._connection is None or time.monotonic() < self._looked_at + 1:
            return
        self._looked_at = time.monotonic()
        try:
            with contextlib.suppress(TimeoutError):
                self._connection.drain_events(timeout=0.001)
            self._connection.heartbeat_check()
        except Exception as error:
            _log.info("line_lost_while_idle", error=type(error).__name__)
            self.close()

    def close(self) -> None:
        connection, self._connection, self._confirms = self._connection, None, None
        self._declared.clear()
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.collect(socket_timeout=1)

    def _publish(self, wave: Sequence[Envelope]) -> int:
        confirms = self._open()
        for source in {self._source, *(source_of(envelope["type"]) for envelope in wave)} - self._declared:
            topology.declare_source(confirms.channel.connection, source)
            self._declared.add(source)
        for envelope in wave:
            confirms.publish(envelope)
        return confirms.wait(self._timeout)

    def _open(self) -> "Confirms":
        if self._confirms is None:
            self._connection = topology.connect(self._amqp_url, self._timeout)
            self._connection.connect()
            self._confirms = Confirms(self._connection.channel())
        return self._confirms

    def _why(self) -> str:
        return self._confirms.refusal if self._confirms is not None else "the line was lost"


class Confirms:
    """A channel in confirm mode: publish several, then wait until each is confirmed or one is refused."""

    def __init__(self, channel: amqp.Channel) -> None:
        self.channel = channel
        self.refusal = "no confirm in time"
        self._last_tag = 0
        self._first_tag = 1
        self._open: dict[int, str] = {}  # delivery tag → event id
        self._refused: set[int] = set()
        channel.confirm_select()
        channel.events["basic_ack"].add(self._acked)
        channel.events["basic_nack"].add(self._nacked)
        channel.events["basic_return"].add(self._returned)
        channel.connection.on_blocked = self._blocked

    def publish(self, envelope: Envelope) -> None:
        if not self._open:
            self._first_tag = self._last_tag + 1
        self._last_tag += 1
        self._open[self._last_tag] = envelope["id"]
        self.channel.basic_publish(
            message_of(envelope),
            exchange=f"{source_of(envelope['type'])}.events",
            routing_key=envelope["type"],
            mandatory=True,
        )

    def wait(self, timeout: float) -> int:
        """How many of the first since the last `wait` are confirmed, after all are or `timeout` seconds have passed."""
        until = time.monotonic() + timeout
        while self._open and (left := until - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                self.channel.connection.drain_events(timeout=left)
        lost = {*self._open, *self._refused}
        first_lost = min(lost, default=self._last_tag + 1)
        return first_lost - self._first_tag

    def _acked(self, tag: int, multiple: bool) -> None:
        for settled in self._settled(tag, multiple):
            self._open.pop(settled, None)

    def _nacked(self, tag: int, multiple: bool) -> None:
        self.refusal = "the broker refused the event (nack)"
        for settled in self._settled(tag, multiple):
            if self._open.pop(settled, None) is not None:
                self._refused.add(settled)

    def _returned(self, error: Exception, exchange: str, routing_key: str, message: amqp.Message) -> None:
        # The broker confirms a returned message too, right after: it must not count.
        self.refusal = f"no queue takes {routing_key}"
        event_id = message.properties.get("message_id")
        self._refused |= {tag for tag, waiting in self._open.items() if waiting == event_id}

    def _blocked(self, reason: str) -> None:
        self.refusal = "the broker is blocked: its memory or disk alarm is on"
        _log.warning("broker_blocked")

    def _settled(self, tag: int, multiple: bool) -> list[int]:
        return [waiting for waiting in self._open if waiting <= tag] if multiple else [tag]


def message_of(envelope: Envelope) -> amqp.Message:
    """The envelope as a persistent message; what a person at the broker wants to see is in its properties."""
    headers: dict[str, Any] = {"traceparent": envelope["traceparent"]} if envelope.get("traceparent") else {}
    return amqp.Message(
        json.dumps(envelope, ensure_ascii=False, separators=(",", ":")),
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=2,
        message_id=envelope["id"],
        type=envelope["type"],
        application_headers=headers,
    )


def waves(envelopes: Sequence[Envelope]) -> Iterator[list[Envelope]]:
    """Runs in which no subject comes twice: a subject's next event leaves only when the one before is confirmed.

    So a refusal in the middle of a run cannot let a later event of the same subject overtake.
    """
    wave: list[Envelope] = []
    subjects: set[str] = set()
    for envelope in envelopes:
        if envelope["subject"] in subjects or len(wave) == IN_FLIGHT:
            yield wave
            wave, subjects = [], set()
        wave.append(envelope)
        subjects.add(envelope["subject"])
    if wave:
        yield wave
