"""Several processes of each role on this machine, before a PostgreSQL and a RabbitMQ of their own, behind what a cluster's Services are.

A process is replaced as a rolling update of infra/k8s does it (maxSurge 1, maxUnavailable 0): the new one is ready before the old one is
told to end; the Service hears of that a moment later than the process does.
"""

import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.local import cloud as clouds
from infra.local import processes
from infra.local.supervisor import Program, Supervisor
from tests.unbroken.fleet.balancer import Balancers

HEARS_AFTER = 1.0
"""Seconds from a process's end being decided until its Service sends nobody there any more (in a cluster: until every node's rules are
rewritten)."""
END_WITHIN = 60.0
"""Seconds: terminationGracePeriodSeconds of infra/k8s, then it would be killed."""


@dataclass(frozen=True)
class Leave:
    """How a process is let go. `stays`: seconds for which it answers before it is told (preStop); `drains`: DRAIN_SECONDS;
    `told`: the signal; `hears`: seconds until its Service sends nobody there any more."""

    stays: float = 3.0
    drains: float = 5.0
    told: signal.Signals = signal.SIGTERM
    hears: float = HEARS_AFTER


AS_IN_THE_MANIFESTS = Leave()
"""The same order of things as in infra/k8s (preStop 8 s, DRAIN_SECONDS 5); only shorter, since this Service hears sooner."""
WITHOUT_CARE = Leave(stays=0.0, drains=0.0, told=signal.SIGKILL, hears=5.0)
"""As when a node dies: the Service learns it from a readiness probe that fails (periodSeconds of infra/k8s)."""


@dataclass
class Member:
    """One process of a role. `ports` by what they are for: the Service's name → port."""

    service: str
    role: str
    program: Program
    supervisor: Supervisor
    ports: dict[str, int]
    leave: Leave

    @property
    def pid(self) -> int:
        return self.supervisor.children[self.program.name].process.pid


@dataclass
class Fleet:
    """Everything that runs. `members` are in the order in which they were started."""

    plan: clouds.Plan
    environment: dict[str, str]
    balancers: Balancers
    leave: Leave
    running: clouds.Running
    members: list[Member] = field(default_factory=list)
    ready_after: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    """Seconds from the start of a process until it was ready, by (service, role)."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def start_together(self, roles: list[tuple[str, str]]) -> None:
        """A process of each role; returns when all are ready and their Services send people there."""
        made = [self._member(service, role) for service, role in roles]
        together = Supervisor([each.program for each in made], self.environment, self.plan.logs, cwd=clouds.ROOT)
        together.start(seconds=600)
        for member in made:
            member.supervisor = together
            self._serve(member)

    def start(self, service: str, role: str) -> Member:
        """One more process; returns when it is ready and its Service sends people there."""
        member = self._member(service, role)
        begun = time.monotonic()
        member.supervisor.start(seconds=200)
        self.ready_after.setdefault((service, role), []).append(time.monotonic() - begun)
        self._serve(member)
        return member

    def _serve(self, member: Member) -> None:
        self.members.append(member)
        for name, port in member.ports.items():
            self.balancers.members[name] = [*self.balancers.members[name], port]

    def replace(self, member: Member) -> None:
        self.start(member.service, member.role)
        self.let_go(member)

    def let_go(self, member: Member) -> None:
        """Raises AssertionError when it does not end by itself, or ends with an error."""
        decided = time.monotonic()
        child = member.supervisor.children[member.program.name].process
        steps = sorted([(member.leave.hears, "hear"), (member.leave.stays, "tell")])
        for after, what in steps:
            time.sleep(max(0.0, decided + after - time.monotonic()))
            if what == "tell":
                os.kill(child.pid, member.leave.told)
            else:
                self._forget(member)
        assert processes.wait_until(lambda: child.poll() is not None, seconds=END_WITHIN), (
            f"{member.program.name} stays"
        )
        assert child.returncode in (0, -member.leave.told), f"{member.program.name} ended with {child.returncode}"
        self.members.remove(member)

    def of(self, service: str, role: str) -> list[Member]:
        return [each for each in self.members if (each.service, each.role) == (service, role)]

    def stop(self) -> None:
        for member in self.members:
            member.supervisor.stop()

    def _forget(self, member: Member) -> None:
        for name, port in member.ports.items():
            self.balancers.members[name] = [each for each in self.balancers.members[name] if each != port]

    def _member(self, service: str, role: str) -> Member:
        name = f"{service}-{role}-{next(self._numbers)}"
        told, ports = self._told(service, role)
        module = "gateway" if service == "gateway" else f"services.{service}"
        metrics = processes.free_port()
        told["WORK_METRICS_PORT" if role == "work" else "METRICS_PORT"] = str(metrics)
        asked = (
            f"http://127.0.0.1:{ports[service]}/health/ready" if ports else f"http://127.0.0.1:{metrics}/health/ready"
        )
        program = Program(name, [sys.executable, "-m", module, role], told, lambda: clouds.is_ready(asked))
        supervisor = Supervisor([program], self.environment, self.plan.logs, cwd=clouds.ROOT)
        leave = self.leave if role == "api" else Leave(0.0, 0.0)  # who takes no requests is told at once, there as here
        return Member(service, role, program, supervisor, ports, leave)

    def _told(self, service: str, role: str) -> tuple[dict[str, str], dict[str, int]]:
        drains = {"DRAIN_SECONDS": str(self.leave.drains)}
        if role != "api":
            return drains, {}
        if service != "gateway":
            port = processes.free_port()
            return drains | {"APPS_PORT": str(port)}, {service: port}
        people, inside = processes.free_port(), processes.free_port()
        post = f"smtp://127.0.0.1:{processes.free_port()}"  # each door of a sample has its own post office
        told = {"GATEWAY_PORT": str(people), "GATEWAY_INTERNAL_PORT": str(inside), "SMTP_URL": post}
        return drains | told, {"gateway": people, "inside": inside}


DOOR = ("gateway", "api")
"""Started last: it is ready when the registry has told it the municipalities."""
ROLES = [*((service, role) for service in clouds.SERVICES for role in ("api", "listen", "work")), DOOR]


def roles_of(services: Sequence[str]) -> list[tuple[str, str]]:
    """The roles of these services and the door."""
    return [(service, role) for service, role in ROLES if service in (*services, "gateway")]


@contextmanager
def fleet(
    folder: Path, each: int, leave: Leave = AS_IN_THE_MANIFESTS, roles: list[tuple[str, str]] = ROLES
) -> Iterator[Fleet]:
    """`each` processes of every one of `roles`; the sample is loaded, everything is ready."""
    base = {name: value for name, value in os.environ.items() if name not in clouds.NAMED_BY_PEOPLE}
    with ExitStack() as stack:
        own = clouds.own_nodes(stack, folder / "nodes", database=True, broker=True)
        balancers = stack.enter_context(Balancers())
        addresses = {name: balancers.add(name) for name in ("gateway", "inside", *clouds.SERVICES)}
        plan = clouds.plan(
            folder,
            {"GATEWAY_PORT": str(processes.free_port())},
            ports={},
            database_url=own["postgresql"].url,
            amqp_url=own["rabbitmq"].url,
        )
        environment = plan.environment(base) | {"PUBLIC_URL": f"http://127.0.0.1:{addresses['gateway']}"}
        upstreams = {name: f"http://127.0.0.1:{addresses[name]}" for name in clouds.SERVICES}
        upstreams["gateway"] = f"http://127.0.0.1:{addresses['inside']}"
        environment |= {"UPSTREAMS": json.dumps(upstreams), "GATEWAY_REPLICAS": str(each)}
        clouds.prepare(plan, environment, print)
        made = Fleet(
            plan, environment, balancers, leave, clouds.Running(_at(plan, addresses["gateway"]), _none(plan), own)
        )
        stack.callback(made.stop)
        made.start_together([one for one in roles if one != DOOR] * each)
        made.start_together([one for one in roles if one == DOOR] * each)
        yield made


def _at(plan: clouds.Plan, port: int) -> clouds.Plan:
    """As people see it: the door is the Service of the gateways."""
    return clouds.Plan(**{**plan.__dict__, "gateway_port": port})


def _none(plan: clouds.Plan) -> Supervisor:
    return Supervisor([], {}, plan.logs, cwd=clouds.ROOT)
