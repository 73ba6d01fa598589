"""The cloud that faults are done to: two replicas of what Kubernetes would have two of, disks of their own that can be filled, lines
that can be cut, a clock for each program, a mail server and a provider of identity.

    gateway → Service (lines.Replicas) → apps, apps2        work, work2        listen
    apps2 and work2 reach database and broker by lines of their own; everybody's mail goes by one more.
"""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from infra.local import cloud as clouds
from infra.local import nodes, processes
from infra.local.supervisor import Program, Supervisor
from tests.unbroken.chaos.lines import Line, Lines, Replicas
from tests.unbroken.chaos.post import PostOffice

DISKS = {"data": 2 << 30, "nodes/postgresql": 3 << 30, "nodes/rabbitmq": 2 << 30}
"""Bytes of each disk, in memory: fsync is asked for and costs nothing, and the power of this machine is not cut."""
PROVIDER = """
[citizen]
label = "試しの認証アプリ"
for = "citizen"
issuer = "http://127.0.0.1:{port}"
client_id = "kyodo"
secret_file = "citizen.secret"
seconds = 3
"""


@dataclass
class Stage:
    """`held`: what is not to be started again just now. `lines`: database and broker of the second replica, `mail` everybody's."""

    running: clouds.Running
    folder: Path
    replicas: Replicas
    lines: dict[str, Line]
    post: PostOffice
    identity: "Identity"
    disks: list[str]
    held: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return self.running.url

    def node(self, name: str) -> nodes.Node:
        return self.running.nodes[name]

    def pid(self, program: str) -> int:
        return self.running.supervisor.children[program].process.pid

    def start_again_with(self, program: str, **environment: str) -> None:
        """Ends it now; the supervisor brings it back with these settings besides its own."""
        child = self.running.supervisor.children[program]
        child.program = dataclasses.replace(child.program, environment={**child.program.environment, **environment})
        child.process.terminate()

    def without(self, program: str, *names: str) -> None:
        child = self.running.supervisor.children[program]
        kept = {name: value for name, value in child.program.environment.items() if name not in names}
        child.program = dataclasses.replace(child.program, environment=kept)
        child.process.terminate()


class Identity:
    """oidc-provider-mock in a process of its own; it may die and come back."""

    def __init__(self, folder: Path) -> None:
        self.port, self._log = processes.free_port(), folder / "log" / "identity.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "citizen.secret").write_text("only-of-this-run\n")
        self.file = folder / "providers.toml"
        self.file.write_text(PROVIDER.format(port=self.port))

    def start(self) -> None:
        self._process = processes.spawn(
            [sys.executable, "-m", "oidc_provider_mock", "--port", str(self.port)], self._log, cwd=clouds.ROOT
        )
        processes.wait_until(lambda: processes.listens(self.port), seconds=30)

    def stop(self) -> None:
        if self._process:
            processes.stop(self._process, 2)


@contextmanager
def stage() -> Iterator[Stage]:
    """Started, with the sample prefecture, watched until the block ends. Must be entered from the main thread."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(_folder()))
        disks = _disks(stack, folder)
        own = clouds.own_nodes(stack, folder / "nodes", database=True, broker=True)
        lines, post = stack.enter_context(Lines()), stack.enter_context(PostOffice())
        identity = Identity(folder / "identity")
        identity.start()
        stack.callback(identity.stop)
        plan = clouds.plan(
            folder, {"GATEWAY_PORT": str(processes.free_port())}, ports={}, database_url=own["postgresql"].url,
            amqp_url=own["rabbitmq"].url,
        )  # fmt: skip
        second = processes.free_port()
        replicas = Replicas([plan.apps_port, second])
        cut = {name: lines.to(_always(node.port)) for name, node in own.items()} | {
            "mail": lines.to(_always(post.port))
        }
        environment = _environment(plan, lines.to(replicas.choose).port, cut["mail"].port)
        clouds.prepare(plan, environment, lambda text: print(f"  {text}", flush=True))
        held: set[str] = set()
        supervisor = Supervisor(
            _programs(plan, second, cut, identity), environment, plan.logs, cwd=clouds.ROOT, say=_note,
            revive=[_revived(node, held) for node in own.values()],
        )  # fmt: skip
        stack.callback(supervisor.stop)
        supervisor.start(600)  # on a machine that others use, too: coming up is not what is measured
        replicas.begin()
        stack.callback(replicas.stopping.set)
        made = Stage(clouds.Running(plan, supervisor, own), folder, replicas, cut, post, identity, disks, held)
        yield made


def _always(port: int) -> Callable[[], int | None]:
    return lambda: port


def _note(text: str) -> None:
    print(f"    {text}", flush=True)


def _revived(node: nodes.Node, held: set[str]) -> Callable[[], None]:
    def revive() -> None:
        if node.kind not in held:
            node.revive()

    return revive


def _environment(plan: clouds.Plan, service_port: int, mail_port: int) -> dict[str, str]:
    base = {name: value for name, value in os.environ.items() if name not in clouds.NAMED_BY_PEOPLE}
    environment = plan.environment(base)
    upstreams = dict.fromkeys(clouds.SERVICES, f"http://127.0.0.1:{service_port}")
    upstreams["gateway"] = f"http://127.0.0.1:{plan.internal_port}"
    return environment | {"UPSTREAMS": json.dumps(upstreams), "SMTP_URL": f"smtp://127.0.0.1:{mail_port}"}


def _programs(plan: clouds.Plan, second: int, cut: dict[str, Line], identity: Identity) -> list[Program]:
    by_name = {program.name: program for program in clouds.programs(plan)}
    by_lines = {
        "DATABASE_URL": _by(plan.database_url, cut["postgresql"]),
        "AMQP_URL": _by(plan.amqp_url, cut["rabbitmq"]),
    }
    # The sample's post office must not sit where the mail of this run goes.
    own_mail = {"SMTP_URL": plan.smtp_url, "OIDC_PROVIDERS": str(identity.file)}
    return [
        by_name["apps"],
        _second(by_name["apps"], by_lines | {"APPS_PORT": str(second), "METRICS_PORT": ""}),
        by_name["work"],
        _second(by_name["work"], by_lines | {"WORK_METRICS_PORT": ""}),
        dataclasses.replace(by_name["gateway"], environment={**by_name["gateway"].environment, **own_mail}),
        by_name["listen"],
    ]


def _by(url: str | None, line: Line) -> str:
    assert url
    return url.replace(f":{urlsplit(url).port}", f":{line.port}")


def _second(program: Program, environment: dict[str, str]) -> Program:
    port = environment.get("APPS_PORT")
    ready = (lambda: clouds.is_ready(f"http://127.0.0.1:{port}/health/live")) if port else None
    return Program(f"{program.name}2", program.command, {**program.environment, **environment}, ready)


@contextmanager
def _folder() -> Iterator[str]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="kyodo-chaos-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # as root, PostgreSQL runs as another user and must be able to walk in
        yield name


def _disks(stack: ExitStack, folder: Path) -> list[str]:
    """Which of DISKS are really disks: all where we may mount, else none."""
    if os.getuid() != 0 or not shutil.which("mount"):
        return []
    made = []
    for name, size in DISKS.items():
        place = folder / name
        place.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(place)]
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            stack.callback(subprocess.run, ["umount", "-l", str(place)], check=False, capture_output=True)
            made.append(name)
    return made


@contextmanager
def watched(made: Stage, work: Callable[[], int]) -> Iterator[list[int]]:
    """`work` in a thread of its own while this one, to which all children are tied, starts again what dies."""
    result: list[int] = []

    def go() -> None:
        with suppress(SystemExit):
            try:
                result.append(work())
            finally:
                made.running.supervisor.stopping.set()

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    try:
        made.running.supervisor.watch()
    finally:
        made.running.supervisor.stopping.set()
    thread.join()
    yield result
