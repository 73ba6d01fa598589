"""The yardstick of `tests/bench/events.py`: kombu as its own guide shows it, and nothing else.

python -m tests.bench.bare_kombu publish|consume AMQP_URL COUNT
"""

import json
import sys
import time
from datetime import UTC, datetime

from kombu import Connection, Consumer, Exchange, Producer, Queue

from libs.common.events import envelope
from libs.common.tests.events.counter.worker import event_class

EXCHANGE = Exchange("bare", type="topic", durable=True)
QUEUE = Queue("bare", EXCHANGE, routing_key="#", durable=True, queue_arguments={"x-queue-type": "quorum"})


def publish(url: str, count: int) -> None:
    """Each message persistent and confirmed before the next. Prints when the first was sent (Unix time)."""
    made = event_class("bare")
    bodies = [
        envelope(made(number=n), subject=f"bare-{n}", tenant="402036", sequence=1, now=datetime.now(UTC))
        for n in range(count)
    ]
    with Connection(url, transport_options={"confirm_publish": True}) as connection:
        producer = Producer(connection.channel(), EXCHANGE)
        began = time.time()
        for body in bodies:
            producer.publish(body, routing_key="bare", delivery_mode=2, mandatory=True, confirm_timeout=10)
    print(json.dumps({"began": began}))


def consume(url: str, count: int) -> None:
    """Acknowledge each. Prints "ready", then when the last one came (Unix time)."""
    left = count

    def on_message(body: object, message: object) -> None:
        nonlocal left
        message.ack()  # type: ignore[attr-defined]
        left -= 1

    with (
        Connection(url) as connection,
        Consumer(connection.channel(), [QUEUE], callbacks=[on_message], prefetch_count=100, accept=["json"]),
    ):
        print("ready", flush=True)
        while left:
            connection.drain_events(timeout=60)
    print(time.time())


if __name__ == "__main__":
    {"publish": publish, "consume": consume}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
