"""What lies in the two queues that nobody consumes: `<reader>.dead` and `<source>.unrouted`. List, send again, throw away.

Each call opens its own connection. A letter that is looked at goes back to its place. Sending again publishes with a confirm
first and acknowledges after: dying in between leaves a second copy, never none, and inboxes know what they have.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import amqp
from amqp.exceptions import NotFound as NoSuchQueue
from kombu.exceptions import OperationalError

from libs.common import log
from libs.common.bus import topology
from libs.common.errors import Unavailable, say

_log = log.get(__name__)

_BODY_SHOWN = 500
_TIMEOUT = 5.0


@dataclass(frozen=True)
class Letter:
    """One message. `body` is its first 500 characters; `event_id` and `type` are None when it is no event of ours."""

    event_id: str | None
    type: str | None
    came_from: str
    reason: str
    body: str


def dead_letters(amqp_url: str, reader: str, limit: int = 100) -> list[Letter]:
    """What `reader` could not keep, oldest first. Raises Unavailable when the broker is away."""
    return _look(amqp_url, f"{reader}.dead", limit)


def unrouted(amqp_url: str, source: str, limit: int = 100) -> list[Letter]:
    """Events of `source` that came while no queue took them, oldest first."""
    return _look(amqp_url, f"{source}.unrouted", limit)


def redrive_dead(amqp_url: str, reader: str, event_id: str | None = None) -> int:
    """Put dead letters (all, or copies of one event) back into the queue each died in. Returns how many."""
    return _move(amqp_url, f"{reader}.dead", event_id, _back_to_its_queue)


def redrive_unrouted(amqp_url: str, source: str, event_id: str | None = None) -> int:
    """Publish again what no queue took: for a reader that is there now. What still has no queue comes back here."""
    return _move(amqp_url, f"{source}.unrouted", event_id, lambda m: (f"{source}.events", _routing_key(m)))


def discard_dead(amqp_url: str, reader: str, event_id: str | None = None) -> int:
    """Throw dead letters away (all, or copies of one event). Returns how many. The caller keeps who and why."""
    return _move(amqp_url, f"{reader}.dead", event_id, None)


def counts(amqp_url: str, service: str) -> dict[str, int]:
    """How many messages are in the service's dead and unrouted queues."""
    found = {}
    with _channel(amqp_url) as channel:
        for kind in ("dead", "unrouted"):
            found[kind] = _depth(channel, f"{service}.{kind}")
    return found


Destination = Callable[[amqp.Message], tuple[str, str] | None]
"""Exchange and routing key to send a letter to; None: it stays."""


def _look(amqp_url: str, queue: str, limit: int) -> list[Letter]:
    with _channel(amqp_url) as channel:
        with channel.connection.channel() as looking:
            letters = [_letter(message) for message in _take(looking, queue, limit)]
        # Closing that channel gives everything back, in its order, but a moment later: who acts next must find it there.
        _wait_for_depth(channel, queue, len(letters))
    return letters


def _wait_for_depth(channel: amqp.Channel, queue: str, depth: int) -> None:
    until = time.monotonic() + _TIMEOUT
    while _depth(channel, queue) < depth and time.monotonic() < until:
        time.sleep(0.02)


def _move(amqp_url: str, queue: str, event_id: str | None, destination: Destination | None) -> int:
    moved = 0
    with _channel(amqp_url, confirm_publish=True) as channel:
        for message in _take(channel, queue, _depth(channel, queue)):
            if event_id is not None and message.properties.get("message_id") != event_id:
                continue
            if destination is not None:
                target = destination(message)
                if target is None:
                    continue
                exchange, routing_key = target
                channel.basic_publish(
                    amqp.Message(message.body, **_kept_properties(message)),
                    exchange=exchange, routing_key=routing_key, mandatory=True, confirm_timeout=_TIMEOUT,
                )  # fmt: skip
            channel.basic_ack(message.delivery_tag)
            moved += 1
    _log.info("letters_moved", queue=queue, count=moved, thrown_away=destination is None)
    return moved


def _take(channel: amqp.Channel, queue: str, limit: int) -> Iterator[amqp.Message]:
    """Up to `limit` messages, unacknowledged. A queue that does not exist holds none."""
    for _ in range(min(limit, _depth(channel, queue))):
        message = channel.basic_get(queue)
        if message is None:
            return
        yield message


def _depth(channel: amqp.Channel, queue: str) -> int:
    try:
        with channel.connection.channel() as asking:
            return asking.queue_declare(queue, passive=True).message_count
    except NoSuchQueue:
        return 0


def _letter(message: amqp.Message) -> Letter:
    body = message.body if isinstance(message.body, str) else bytes(message.body).decode("utf-8", "replace")
    died = _death(message)
    return Letter(
        event_id=message.properties.get("message_id"),
        type=message.properties.get("type") or _type_in(body),
        came_from=died.get("queue", ""),
        reason=died.get("reason", "no queue"),
        body=body[:_BODY_SHOWN],
    )


def _type_in(body: str) -> str | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = value.get("type") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _death(message: amqp.Message) -> dict[str, Any]:
    """RabbitMQ's record of where and why the message died."""
    deaths = (message.properties.get("application_headers") or {}).get("x-death") or [{}]
    return deaths[0]


def _back_to_its_queue(message: amqp.Message) -> tuple[str, str] | None:
    queue = _death(message).get("queue")  # by the default exchange: only this reader gets it again
    return ("", queue) if queue else None  # somebody put it here by hand: it has no place to go back to


def _routing_key(message: amqp.Message) -> str:
    return message.delivery_info["routing_key"]


def _kept_properties(message: amqp.Message) -> dict[str, Any]:
    """Properties without RabbitMQ's record of deaths: the letter starts anew."""
    properties = dict(message.properties)
    headers = dict(properties.get("application_headers") or {})
    properties["application_headers"] = {k: v for k, v in headers.items() if not k.startswith("x-")}
    return properties


@contextmanager
def _channel(amqp_url: str, **options: Any) -> Iterator[amqp.Channel]:
    try:
        with topology.connect(amqp_url, _TIMEOUT, **options) as connection:
            connection.connect()
            with connection.channel() as channel:
                yield channel
    except (OperationalError, OSError, amqp.exceptions.ConnectionError) as error:
        raise Unavailable(
            say("メッセージの仲介サーバーに、いまつながりません。しばらくして、もう一度お試しください。")
        ) from error
