"""The cloud of `make chaos`: as on one machine with PostgreSQL and RabbitMQ, but every line can be cut, every disk and clock can fail, and
a second `work` runs beside the first. Around it what is not ours: a mail server and companies that can sign in."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from infra.local import cloud as clouds
from infra.local import nodes, processes
from infra.local.supervisor import Program, Supervisor
from libs.common.tests.events.cable import Cable
from services.sample import PASSWORD
from tests.unbroken.chaos.faulty import Machine, library

COMPANIES = 60
"""Bidders with an account: each bids once."""


class PostgreSQL(nodes.PostgreSQL):
    """On a disk that can be full or failing."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        super().__init__(folder, durable=True)
        self._machine = machine

    def _as_owner(self) -> dict[str, Any]:
        options = super()._as_owner()
        return {**options, "env": options["env"] | self._machine.environment}


class Mails:
    """A mail server of somebody else: keeps to whom each mail went. `stop` and `start` as often as one likes."""

    def __init__(self) -> None:
        self.port = processes.free_port()
        self.taken: list[tuple[str, str]] = []
        """(recipient, Message-ID), in order."""
        self._running: Controller | None = None

    def start(self) -> None:
        self._running = Controller(self, hostname="127.0.0.1", port=self.port)
        self._running.start()

    def stop(self) -> None:
        if self._running:
            self._running.stop()
            self._running = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        head = envelope.content.decode("utf-8", "replace").partition("\r\n\r\n")[0]
        number = next((line for line in head.splitlines() if line.lower().startswith("message-id:")), "")
        self.taken += [(recipient, number) for recipient in envelope.rcpt_tos]
        return "250 kept"


@dataclass(frozen=True)
class Stage:
    """`cables`: lines by what they lead to (`postgresql`, `rabbitmq`: everybody's; `work-2`: those of the second work alone)."""

    running: clouds.Running
    cables: Mapping[str, list[Cable]]
    machines: Mapping[str, Machine]
    mails: Mails


@contextmanager
def standing(folder: Path) -> Iterator[Stage]:
    """Sample loaded, companies registered with the gateway, watched by the supervisor; gone when the block ends."""
    base = {name: value for name, value in os.environ.items() if name not in clouds.NAMED_BY_PEOPLE}
    with ExitStack() as stack:
        machines = _machines(folder)
        own: dict[str, nodes.Node] = {
            "postgresql": stack.enter_context(
                nodes._running(PostgreSQL(folder / "postgresql", machines["postgresql"]))
            ),
            "rabbitmq": stack.enter_context(nodes.rabbitmq(folder / "rabbitmq", durable=True)),
        }
        common, apart = ({name: Cable(node.port) for name, node in own.items()} for _ in range(2))
        for cable in (*common.values(), *apart.values()):
            stack.callback(cable.close)
        mails = Mails()
        mails.start()
        stack.callback(mails.stop)
        made = clouds.plan(
            folder, {"GATEWAY_PORT": str(processes.free_port())}, ports={},
            database_url=_through(own["postgresql"], common["postgresql"]), amqp_url=_through(own["rabbitmq"], common["rabbitmq"]),
        )  # fmt: skip
        environment = made.environment(base)
        clouds.prepare(made, environment, lambda text: None)
        _companies(environment)
        second = {
            "DATABASE_URL": _through(own["postgresql"], apart["postgresql"]),
            "AMQP_URL": _through(own["rabbitmq"], apart["rabbitmq"]),
        }
        programs = [_on(machines, each, mails) for each in clouds.programs(made)]
        work = next(each for each in programs if each.name == "work")
        port = {"WORK_METRICS_PORT": str(processes.free_port())}
        programs.append(replace(work, name="work-2", environment={**work.environment, **second, **port}))
        supervisor = Supervisor(
            programs, environment, made.logs, cwd=clouds.ROOT, revive=[node.revive for node in own.values()]
        )
        stack.callback(supervisor.stop)
        supervisor.start(180)
        watching = threading.Thread(target=supervisor.watch)
        watching.start()
        cables = {name: [cable] for name, cable in common.items()} | {"work-2": list(apart.values())}
        try:
            yield Stage(clouds.Running(made, supervisor, own), cables, machines, mails)
        finally:
            supervisor.stopping.set()
            watching.join(60)


def _machines(folder: Path) -> dict[str, Machine]:
    preloaded = library(folder)
    return {name: Machine(name, folder, preloaded) for name in ("postgresql", "gateway", "apps", "work", "listen")}


def _through(node: nodes.Node, cable: Cable) -> str:
    return node.url.replace(f":{node.port}/", f":{cable.port}/")


def _on(machines: Mapping[str, Machine], program: Program, mails: Mails) -> Program:
    """The program on its machine; its mails leave to `mails` (the gateway keeps the sample's own post office)."""
    outside = {} if program.name == "gateway" else {"SMTP_URL": f"smtp://127.0.0.1:{mails.port}"}
    return replace(program, environment={**program.environment, **machines[program.name].environment, **outside})


def company(number: int) -> str:
    return f"bidder{number}@bidder.example"


def _companies(environment: Mapping[str, str]) -> None:
    people = [[company(number), f"応札 {number}", PASSWORD] for number in range(COMPANIES)]
    command = [sys.executable, "-m", "gateway", "sample-people"]
    subprocess.run(
        command,
        input=json.dumps(people),
        env=dict(environment),
        cwd=clouds.ROOT,
        check=True,
        text=True,
        stdout=subprocess.DEVNULL,
    )
