"""One role of a made-up service in a process of its own, which may be told to die at a named point.

    python -m libs.common.tests.events.child '{"role": "listen", "name": "reader", …}'

The points exist only here: product code is wrapped in the child, so that nothing in it knows of crashes.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# point → (module, owner, function, before or after)
POINTS = {
    "relay.before_publish": ("libs.common.bus.rabbitmq", "RabbitBus", "deliver", "before"),
    "relay.between_publishes": ("libs.common.bus.rabbitmq", "Confirms", "publish", "after"),
    "relay.before_mark": ("libs.common.outbox", None, "mark_published", "before"),
    "relay.marked_not_committed": ("libs.common.outbox", None, "mark_published", "after"),
    "listen.on_receive": ("libs.common.run", "InboxQueueConsumer", "arrived", "before"),
    "listen.inserted_not_committed": ("libs.common.inbox", None, "receive", "after"),
    "listen.before_ack": ("libs.common.run", "InboxQueueConsumer", "ack_message", "before"),
    "work.in_handler": ("libs.common.tests.events.counter.worker", None, "_tally", "after"),
    "work.before_commit": ("libs.common.inbox", None, "_apply", "after"),
    "embedded.received_not_marked": ("libs.common.bus.embedded", "EmbeddedBus", "deliver", "after"),
}


def main(config: dict[str, Any]) -> None:
    if config["role"] == "listen":
        from libs.common import run  # first: it patches

        _arm(config)
        run.LOOK_EVERY = config.get("look_every", run.LOOK_EVERY)
        if config.get("asked_to_end_while_it_starts"):
            run.eventlet.spawn_n(os.kill, os.getpid(), signal.SIGTERM)  # as soon as the start waits for anything
        run.receive(config["amqp_url"], [_reader(config)], ready=_say_ready)
    else:
        _arm(config)
        _work(config)


def _arm(config: dict[str, Any]) -> None:
    """Wrap the function of the wanted point: at its `crash_at`-th call the process dies as by a power cut."""
    if not config.get("crash"):
        return
    import importlib

    module_name, owner_name, function, moment = POINTS[config["crash"]]
    module = importlib.import_module(module_name)
    owner = getattr(module, owner_name) if owner_name else module
    setattr(owner, function, _dying(getattr(owner, function), moment, config.get("crash_at", 1)))


def _dying(function: Callable[..., Any], moment: str, at: int) -> Callable[..., Any]:
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if moment == "before" and calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if moment == "after" and calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


def _reader(config: dict[str, Any], name: str = "name", url: str = "database_url") -> Any:
    from libs.common.bus import Reader
    from libs.common.clock import SystemClock
    from libs.common.db import Database
    from libs.common.tests.events.counter import worker

    database = Database(config[url], "counter")
    subscriptions = worker.subscriptions(config[name], *config["sources"], cured=set(config.get("cured", ())))
    return Reader(database, subscriptions, SystemClock())


def _work(config: dict[str, Any]) -> None:
    """Relay and inbox loop of one service; on the embedded bus it hands over to the inbox of `to`."""
    import threading

    from libs.common import worker as loops
    from libs.common.bus import Bus
    from libs.common.bus.embedded import EmbeddedBus
    from libs.common.bus.rabbitmq import RabbitBus
    from libs.common.clock import SystemClock
    from libs.common.jobs import Jobs
    from libs.common.testing.service import make_service

    loops.RELAY_LEASE = config.get("relay_lease", 1.0)  # a killed relay's heir need not wait long
    own = _reader(config)

    def make_bus() -> Bus:
        if config["amqp_url"]:
            return RabbitBus(config["amqp_url"], config["name"], confirm_timeout=config.get("confirm_timeout", 10.0))
        return EmbeddedBus([_reader({**config, "sources": [config["name"]]}, name="to", url="to_database_url")])

    service = make_service(config["name"], own.database, Path(config["folder"]), clock=SystemClock())  # type: ignore[arg-type]
    worker = loops.Worker(service, own.subscriptions, Jobs(), make_bus)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    worker.start()
    _say_ready()
    stopping.wait()
    worker.stop()


def _say_ready() -> None:
    print("ready", flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
