"""What is done to the cloud of `make chaos`, each by its name in the table.

A fault is a function that returns when what it broke is whole again (or left to the supervisor to mend). `of` gives them in the order
in which the table shows them; lengths of outages are multiplied by `scale`, so that a short run does everything, too.
"""

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import amqp
import psutil

from infra.local import nodes, processes
from libs.common.bus import topology
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.outbox import OutboxRow
from tests.unbroken.chaos.stage import Stage
from tests.unbroken.chaos.verdict import store_of

Do = Callable[[], None]

BROKER_AWAY = (10, 60, 300, 600, 3600)
"""Seconds of the published table of another system, which lost 1,276 notices at 300."""
USUAL = 20.0
"""Seconds that another fault lasts."""
LEAST = 2.0
"""Seconds below which no fault is shortened: less might fall between two requests."""


@dataclass(frozen=True)
class Faults:
    """All that can be done to `stage`. `poison` collects the ids of events that nobody can apply, which stay behind on purpose."""

    stage: Stage
    scale: float
    poison: set[str]
    chance: random.Random

    def all(self) -> dict[str, Do]:
        return self._killed() | self._away() | self._sick() | self._machines() | self._messages() | self._outside()

    def seconds(self, usual: float = USUAL) -> float:
        return max(LEAST, usual * self.scale)

    # ---- ended at once

    def _killed(self) -> dict[str, Do]:
        """The supervisor brings each back."""
        children = self.stage.running.supervisor.children
        own = self.stage.running.nodes
        return {f"kill -9: {name}": self._killing(name) for name in children} | {
            f"kill -9: {name}": node.kill for name, node in own.items()
        }

    def _killing(self, name: str) -> Do:
        return lambda: os.kill(self.stage.running.supervisor.children[name].process.pid, signal.SIGKILL)

    # ---- out of reach

    def _away(self) -> dict[str, Do]:
        """Lines cut, new ones refused; a restart in good order."""
        made = {f"rabbitmq に{wished}秒つながらない": self._cutting("rabbitmq", wished) for wished in BROKER_AWAY}
        made["postgresql に60秒つながらない"] = self._cutting("postgresql", 60)
        made["postgresql の再起動"] = self.stage.running.nodes["postgresql"].stop
        return made

    def _cutting(self, name: str, wished: float) -> Do:
        def cut() -> None:
            with ExitStack() as stack:
                for cable in [*self.stage.cables[name], *self._of_second(name)]:
                    stack.enter_context(cable.unplugged())
                time.sleep(self.seconds(wished))

        return cut

    def _of_second(self, name: str) -> list:  # type: ignore[type-arg]
        return [self.stage.cables["work-2"][0 if name == "postgresql" else 1]]

    # ---- sick: there, but slow or silent

    def _sick(self) -> dict[str, Do]:
        made: dict[str, Do] = {f"{name} が答えない": self._freezing(name) for name in self.stage.running.nodes}
        made |= {f"{name} が止まったまま動かない": self._stopping(name) for name in ("apps", "listen")}
        made["work の1台が分断される"] = self._partitioned
        made["work の1台が遅い"] = self._slow
        return made

    def _freezing(self, name: str) -> Do:
        return lambda: self._suspended(self._node(name).process)

    def _stopping(self, name: str) -> Do:
        return lambda: self._suspended(self.stage.running.supervisor.children[name].process)

    def _node(self, name: str) -> nodes.Node:
        node = self.stage.running.nodes[name]
        processes.wait_until(node.is_ready, seconds=60)
        return node

    def _suspended(self, process: object) -> None:
        """SIGSTOP for a while: its connections stay open, and nothing comes from it."""
        parent = psutil.Process(process.pid)  # type: ignore[attr-defined]
        family = [parent, *parent.children(recursive=True)]
        for each in family:
            each.suspend()
        time.sleep(self.seconds())
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.resume()

    def _partitioned(self) -> None:
        """The second work believes in its leases and reaches nothing; nobody tells it."""
        for cable in self.stage.cables["work-2"]:
            cable.freeze()
        time.sleep(self.seconds())
        for cable in self.stage.cables["work-2"]:
            cable.thaw()

    def _slow(self) -> None:
        """Not dead: stopped for half of each second."""
        process = psutil.Process(self.stage.running.supervisor.children["work-2"].process.pid)
        end = time.monotonic() + self.seconds()
        while time.monotonic() < end:
            process.suspend()
            time.sleep(0.5)
            process.resume()
            time.sleep(0.5)

    # ---- disks and clocks

    def _machines(self) -> dict[str, Do]:
        ours = ("gateway", "apps", "work", "listen")
        return {
            "postgresql のディスクが満杯": self._failing(("postgresql",), full=True),
            "apps のディスクが満杯": self._failing(("apps",), full=True),
            "rabbitmq のディスクが満杯(警報)": self._broker_full,
            "postgresql の fsync が失敗": self._failing(("postgresql",), fsync=True),
            "apps の fsync が失敗": self._failing(("apps",), fsync=True),
            "全部の時計が10分進む": self._failing(ours, ahead=600),
            "全部の時計が10分遅れる": self._failing(ours, ahead=-600),
            "work の時計だけ10分進む": self._failing(("work",), ahead=600),
            "apps の時計だけ10分遅れる": self._failing(("apps",), ahead=-600),
        }

    def _failing(self, names: tuple[str, ...], *, fsync: bool = False, full: bool = False, ahead: int = 0) -> Do:
        def fail() -> None:
            with ExitStack() as stack:
                for name in names:
                    stack.enter_context(self.stage.machines[name].failing(fsync=fsync, full=full, ahead=ahead))
                time.sleep(self.seconds())

        return fail

    def _broker_full(self) -> None:
        """The broker's own alarm: it takes nothing more until there is room."""
        broker = self._node("rabbitmq")
        assert isinstance(broker, nodes.RabbitMQ)
        broker.ctl("set_disk_free_limit", "100000GB")
        time.sleep(self.seconds())
        broker.ctl("set_disk_free_limit", "50MB")

    # ---- messages

    def _messages(self) -> dict[str, Do]:
        return {
            "出来事の重複と順の入れ替え": self._again_in_any_order,
            "読めない出来事、適用できない出来事": self._poison,
        }

    def _again_in_any_order(self) -> None:
        """Every event of 電子申請 so far, each twice, in any order."""
        database: Database = store_of(self.stage.running, "eapply")
        try:
            with database.reading() as session:
                told = [row.envelope for row in session.query(OutboxRow).order_by(OutboxRow.position.desc()).limit(500)]
        finally:
            database.close()
        told += told
        self.chance.shuffle(told)
        with self._channel() as channel:
            for envelope in told:
                message = amqp.Message(json.dumps(envelope), delivery_mode=2, message_id=envelope["id"])
                channel.basic_publish(message, exchange="eapply.events", routing_key=envelope["type"])

    def _poison(self) -> None:
        """What is no envelope, and an envelope whose data its reader cannot apply."""
        bad = f"poison-{new_id()}"
        self.poison.add(bad)
        envelope = {
            "specversion": "1.0", "id": bad, "source": "/services/eapply", "type": "eapply.application.submitted.v1",
            "subject": bad, "time": "2026-11-20T01:52:07.000000+00:00", "tenantid": "404012", "sequence": 1, "data": {"nonsense": 1},
        }  # fmt: skip
        with self._channel() as channel:
            for body in ("{ not json", '{"specversion": "1.0"}', json.dumps(envelope)):
                message = amqp.Message(body, delivery_mode=2)
                channel.basic_publish(message, exchange="eapply.events", routing_key="eapply.application.submitted.v1")

    @contextmanager
    def _channel(self) -> Iterator[amqp.Channel]:
        with topology.opened(self._node("rabbitmq").url) as connection, connection.channel() as channel:
            yield channel

    # ---- what is not ours

    def _outside(self) -> dict[str, Do]:
        return {"メールの相手先が止まる": self._no_mail}

    def _no_mail(self) -> None:
        self.stage.mails.stop()
        time.sleep(self.seconds())
        self.stage.mails.start()
