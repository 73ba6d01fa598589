"""The cloud on one machine: which programs, with which settings. Used by `make run` and by the tests of the whole."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local import nodes, processes
from infra.local.supervisor import Program, Supervisor
from services.__main__ import DEPLOYABLES
from services.tenants import reference

ROOT = Path(__file__).parents[2]
SERVICES = tuple(deployable.name for deployable in DEPLOYABLES)
ISSUERS = ("gateway", *SERVICES)
"""Who signs inner tokens, and so needs a key."""
BODY_LIMITS = {"backup": 536_870_912, "ebid": 220_200_960, "opendata": 525_336_576, "tenants": 525_336_576}
"""Bytes of one request, where a service takes larger ones than the gateway's usual: a pack of a backup, drawings of a tender, a data
file, everything a municipality took away elsewhere."""
MACHINE_SCOPES = {
    "opendata.write": "オープンデータの公開（CKAN API）",
    "eapply.export": "届いた申請の内容の書き出し（個人の情報を含みます）",
}
"""What a key that an administrator makes may be for: scope → in words."""
ARENAS = "2"
"""Heaps of glibc in one process, as in the images. Its own choice, eight for each processor, gives nearly every thread one, and each keeps
what its largest request needed (docs/load.md has the measurement)."""
SIGN_INS = "sample-sign-ins.txt"
NAMED_BY_PEOPLE = ("DATABASE_URL", "AMQP_URL", "DB", "BUS", "PORT", "DATA_DIR", "KEYS_DIR", "PUBLIC_URL", "SMTP_URL")
"""What somebody may have named for a cloud of theirs, and no test may find."""


class StepFailed(RuntimeError):
    """A preparing command ended with an error; the message holds what it said last."""


@dataclass(frozen=True)
class Plan:
    """Where the cloud keeps its things and how it is reached. `database_url` None is SQLite, `amqp_url` None the embedded bus."""

    folder: Path
    gateway_port: int
    apps_port: int
    internal_port: int
    database_url: str | None = None
    amqp_url: str | None = None
    public_url: str = ""
    smtp_url: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """What every program is told. Names are those of libs/common/settings.py and gateway/settings.py."""
        apps = f"http://127.0.0.1:{self.apps_port}"
        prefecture = base.get("PREFECTURE") or "40"
        upstreams = dict.fromkeys(SERVICES, apps) | {"gateway": f"http://127.0.0.1:{self.internal_port}"}
        told = {
            "DATA_DIR": str(self.data),
            "KEYS_DIR": base.get("KEYS_DIR") or str(self.data / "keys"),
            "BUS": "rabbitmq" if self.amqp_url else "embedded",
            "PREFECTURE": prefecture,
            "CLOUD_NAME": base.get("CLOUD_NAME") or reference.cloud_name(int(prefecture)),
            "SAMPLE": "1",
            "TRACE_RATIO": base.get("TRACE_RATIO") or "1",  # few requests: each may be looked at
            "PUBLIC_URL": self.public_url or self.url,
            "GATEWAY_PORT": str(self.gateway_port),
            "GATEWAY_INTERNAL_PORT": str(self.internal_port),
            "APPS_PORT": str(self.apps_port),
            "UPSTREAMS": json.dumps(upstreams),
            "BACKUP_OWN": f"{reference.prefecture(int(prefecture)).code}/kyodo-cloud",
            "BACKUP_OWN_ENV": str(self.data / "own-backup.env"),
            "BODY_LIMITS": json.dumps(BODY_LIMITS),
            "MACHINE_SCOPES": json.dumps(MACHINE_SCOPES, ensure_ascii=False),
            "SMTP_URL": self.smtp_url,
            "PYTHONUNBUFFERED": "1",
            "MALLOC_ARENA_MAX": base.get("MALLOC_ARENA_MAX") or ARENAS,
        }
        told |= {"DATABASE_URL": self.database_url} if self.database_url else {}
        told |= {"AMQP_URL": self.amqp_url} if self.amqp_url else {}
        kept = {name: value for name, value in base.items() if name not in ("DATABASE_URL", "AMQP_URL", "DB", "PORT")}
        return kept | told


USUAL_PORTS = {"apps": 8081, "internal": 8079, "mail": 8025}
"""Where `make run` is expected; taken ones are replaced by free ones."""


def plan(
    folder: Path,
    environment: Mapping[str, str],
    *,
    ports: Mapping[str, int] = USUAL_PORTS,
    database_url: str | None = None,
    amqp_url: str | None = None,
) -> Plan:
    """PORT insists on the gateway's port: a taken one is then an error."""
    wanted = int(environment.get("PORT") or environment.get("GATEWAY_PORT") or 8080)
    port = processes.free_port(wanted)
    if environment.get("PORT") and port != wanted:
        raise StepFailed(f"port {wanted} is taken by another program; name another one: PORT=8090 make run")
    return Plan(
        folder=folder,
        gateway_port=port,
        apps_port=processes.free_port(ports.get("apps")),
        internal_port=processes.free_port(ports.get("internal")),
        database_url=database_url,
        amqp_url=amqp_url,
        public_url=environment.get("PUBLIC_URL") or "",
        smtp_url=environment.get("SMTP_URL") or f"smtp://127.0.0.1:{processes.free_port(ports.get('mail'))}",
    )


def programs(plan: Plan) -> list[Program]:
    """As few processes as possible: the apps together, the workers together, a listener where there is a broker."""
    made = [
        Program(
            "apps",
            _python("services", "api"),
            _metrics(),
            lambda: is_ready(f"http://127.0.0.1:{plan.apps_port}/health/live"),
        ),
        Program("work", _python("services", "work"), _metrics("WORK_METRICS_PORT")),
        Program("gateway", _python("gateway", "api"), _metrics(), lambda: is_ready(f"{plan.url}/health/ready")),
    ]
    return [*made, Program("listen", _python("services", "listen"), _metrics())] if plan.amqp_url else made


def prepare(plan: Plan, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Keys, tables, and at the first time the sample prefecture. Repeatable; each step skips what is done."""
    (plan.data / "keys").mkdir(parents=True, exist_ok=True)
    plan.logs.mkdir(parents=True, exist_ok=True)
    if not all((Path(environment["KEYS_DIR"]) / f"{issuer}.key").exists() for issuer in ISSUERS):
        step("keys", _python("libs.common.keys", "ensure", *ISSUERS), plan, environment)
    say("bringing the stores up to date")
    together = {"migrate-services": _python("services", "migrate"), "migrate-gateway": _python("gateway", "migrate")}
    running = {name: _start(name, command, plan, environment) for name, command in together.items()}
    for name, process in running.items():
        _finish(name, process, plan)
    if not (plan.data / SIGN_INS).exists():  # written last, when all of the sample is there
        sample(plan, environment)


def sample(plan: Plan, environment: Mapping[str, str]) -> None:
    """Its progress is for the person who waits: it goes to the screen, not to a log."""
    done = subprocess.run(_python("services", "sample"), cwd=ROOT, env=dict(environment), check=False)
    if done.returncode:
        raise StepFailed("the sample prefecture could not be loaded; the reason stands above")


def step(name: str, command: list[str], plan: Plan, environment: Mapping[str, str]) -> None:
    _finish(name, _start(name, command, plan, environment), plan)


def _start(name: str, command: list[str], plan: Plan, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return processes.spawn(command, plan.logs / f"{name}.log", env=dict(environment), cwd=ROOT)


def _finish(name: str, process: subprocess.Popen[bytes], plan: Plan) -> None:
    if process.wait():
        log = plan.logs / f"{name}.log"
        raise StepFailed(f"{name} failed. The end of {log}:\n{processes.tail(log)}")


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _metrics(name: str = "METRICS_PORT") -> dict[str, str]:
    return {name: str(processes.free_port())}


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 (our own address)
            return answer.status == 200
    except OSError:
        return False


@dataclass(frozen=True)
class Running:
    """A cloud that runs for tests. Kill what you like; `supervisor.look()` starts again what is gone."""

    plan: Plan
    supervisor: Supervisor
    nodes: Mapping[str, nodes.Node]

    @property
    def url(self) -> str:
        return self.plan.url

    @property
    def sign_ins(self) -> str:
        return (self.plan.data / SIGN_INS).read_text()


@contextmanager
def running(folder: Path, *, database: bool, broker: bool) -> Iterator[Running]:
    """A whole cloud: own folder, own nodes if asked for, free ports, sample loaded, ready; gone when the block ends."""
    base = {name: value for name, value in os.environ.items() if name not in NAMED_BY_PEOPLE}
    with ExitStack() as stack:
        own = own_nodes(stack, folder / "nodes", database=database, broker=broker)
        urls = {"database_url": url_of(own, "postgresql"), "amqp_url": url_of(own, "rabbitmq")}
        # Free ports only: the usual ones are left to clouds that people run, however many tests run at once.
        made = plan(folder, {"GATEWAY_PORT": str(processes.free_port())}, ports={}, **urls)
        environment = made.environment(base)
        prepare(made, environment, lambda text: None)
        revive = [node.revive for node in own.values()]
        supervisor = Supervisor(programs(made), environment, made.logs, cwd=ROOT, revive=revive)
        stack.callback(supervisor.stop)
        supervisor.start()
        yield Running(made, supervisor, own)


def url_of(own: Mapping[str, nodes.Node], kind: str) -> str | None:
    return own[kind].url if kind in own else None


def own_nodes(stack: ExitStack, folder: Path, *, database: bool, broker: bool) -> dict[str, nodes.Node]:
    """Private durable nodes for the single box, those asked for: `postgresql`, `rabbitmq`."""
    made: dict[str, nodes.Node] = {}
    if database:
        made["postgresql"] = stack.enter_context(nodes.postgresql(folder / "postgresql", durable=True))
    if broker:
        made["rabbitmq"] = stack.enter_context(nodes.rabbitmq(folder / "rabbitmq", durable=True))
    return made
