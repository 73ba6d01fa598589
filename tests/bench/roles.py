"""What each role of a running cloud needs: memory and processor at rest, processor per request and per event under a small mixed load.

    python -m tests.bench.roles [--rest 20] [--load 60]

Every service's api, listen and work are processes of their own, as in Kubernetes, before a private PostgreSQL and RabbitMQ. The load is
that of `make chaos` without its faults: two citizens who apply, a program that backs up, one reader of each service's public page. Writes
docs/roles.md, from which `infra/local/needs.py` computes the requests and limits of infra/k8s at the next `make manifests`.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from infra.local import cloud as clouds
from infra.local import nodes, processes
from infra.local.supervisor import Program, Supervisor
from libs.common.clock import JST
from tests.bench.gateway import cpu_seconds
from tests.unbroken.chaos.load import Visitors, citizens, machine

PAGE = Path(__file__).parents[2] / "docs" / "roles.md"
MIB = 1024 * 1024
_REQUESTS = re.compile(r"^http_requests_total\{.*\} ([0-9.e+]+)$", re.MULTILINE)
_EVENTS = re.compile(r'^events_total\{.*result="(?:published|received|handled)".*\} ([0-9.e+]+)$', re.MULTILINE)


@dataclass(frozen=True)
class Look:
    """One process at one moment: processor seconds so far, requests answered, events passed on or applied."""

    at: float
    cpu: float
    requests: float
    events: float


@dataclass(frozen=True)
class Process:
    """`service` is the gateway's name, too; `metrics` the port of its figures."""

    service: str
    role: str
    pid: int
    metrics: int

    def look(self) -> Look:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        return Look(time.monotonic(), cpu_seconds(self.pid), _sum(_REQUESTS, text), _sum(_EVENTS, text))

    def resident(self) -> float:
        """MiB now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB

    def most(self) -> float:
        """MiB at its highest, since it began (VmHWM, proc(5))."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0


def _sum(pattern: re.Pattern[str], text: str) -> float:
    return sum(float(value) for value in pattern.findall(text))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rest", type=float, default=20, help="seconds nobody asks anything")
    parser.add_argument("--load", type=float, default=60, help="seconds of the mixed load")
    options = parser.parse_args(arguments)
    if not (nodes.has_postgresql() and nodes.has_rabbitmq()):
        print("missing: PostgreSQL and RabbitMQ servers (Debian packages postgresql, rabbitmq-server)", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="kyodo-roles-", ignore_cleanup_errors=True))
        )
        folder.chmod(0o755)
        running, measured = start(stack, folder)
        text = measure(running, measured, options.rest, options.load)
    print(text)
    PAGE.write_text("".join([text, *parts().values()]), "utf-8")
    return 0


def parts() -> dict[str, str]:
    """What other measurements wrote below this one's table: heading → all of it, as it stands."""
    found = re.findall(r"^(\n## (.+)\n(?:(?!\n## )[\s\S])*)", PAGE.read_text("utf-8"), re.MULTILINE)
    return {title: part for part, title in found}


def write_part(title: str, said: str) -> None:
    """Below the table, in place of what stood under this heading."""
    table = PAGE.read_text("utf-8").partition("\n## ")[0].rstrip() + "\n"
    PAGE.write_text("".join([table, *(parts() | {title: f"\n## {title}\n\n{said}"}).values()]), "utf-8")


def start(stack: ExitStack, folder: Path) -> tuple[clouds.Running, list[Process]]:
    """The whole cloud, a process for each role of each service; the sample is in it."""
    base = {name: value for name, value in os.environ.items() if name not in clouds.NAMED_BY_PEOPLE}
    own = clouds.own_nodes(stack, folder / "nodes", database=True, broker=True)
    plan = clouds.plan(
        folder,
        {"GATEWAY_PORT": str(processes.free_port())},
        ports={},
        database_url=own["postgresql"].url,
        amqp_url=own["rabbitmq"].url,
    )
    ports = {service: processes.free_port() for service in clouds.SERVICES}
    upstreams = {service: f"http://127.0.0.1:{port}" for service, port in ports.items()}
    environment = plan.environment(base)
    environment["UPSTREAMS"] = json.dumps(upstreams | {"gateway": f"http://127.0.0.1:{plan.internal_port}"})
    clouds.prepare(plan, environment, print)
    programs = [gateway(plan), *(one for service, port in ports.items() for one in roles_of(service, port))]
    supervisor = Supervisor(programs, environment, plan.logs, cwd=clouds.ROOT)
    stack.callback(supervisor.stop)
    supervisor.start(seconds=400)
    return clouds.Running(plan, supervisor, own), [_process(supervisor, program) for program in programs]


def gateway(plan: clouds.Plan) -> Program:
    ready = partial(clouds.is_ready, f"{plan.url}/health/ready")
    return Program("gateway api", [sys.executable, "-m", "gateway", "api"], _metrics("METRICS_PORT"), ready)


def roles_of(service: str, port: int) -> list[Program]:
    def program(role: str, told: dict[str, str], ready: partial[bool] | None = None) -> Program:
        return Program(f"{service} {role}", [sys.executable, "-m", f"services.{service}", role], told, ready)

    alive = partial(clouds.is_ready, f"http://127.0.0.1:{port}/health/live")
    return [
        program("api", {"APPS_PORT": str(port), **_metrics("METRICS_PORT")}, alive),
        program("listen", _metrics("METRICS_PORT")),
        program("work", _metrics("WORK_METRICS_PORT")),
    ]


def _metrics(name: str) -> dict[str, str]:
    return {name: str(processes.free_port())}


BETWEEN = 0.4
"""Seconds between a citizen's applications. As fast as they can, a faster machine would ask its cluster for more processors."""


def _process(supervisor: Supervisor, program: Program) -> Process:
    service, role = program.name.split(" ")
    port = int(next(value for name, value in program.environment.items() if name.endswith("METRICS_PORT")))
    return Process(service, role, supervisor.children[program.name].process.pid, port)


def measure(running: clouds.Running, measured: list[Process], rest: float, load: float) -> str:
    stopping = threading.Event()
    backing_up, people, visitors = machine(running, stopping), citizens(running), Visitors(running.url, stopping)
    time.sleep(45)  # what the start and the sample set going is done
    at_rest, resident = [], [each.resident() for each in measured]
    begun = [each.look() for each in measured]
    time.sleep(rest)
    at_rest = [(one, each.look()) for one, each in zip(begun, measured, strict=True)]
    people.pause = BETWEEN
    people.begin()
    threads = [*backing_up.begin(), *visitors.begin()]
    try:
        people.wait_for_more(2)
        begun = [each.look() for each in measured]
        time.sleep(load)
        under_load = [(one, each.look()) for one, each in zip(begun, measured, strict=True)]
    finally:
        people.end()
        stopping.set()
        for thread in threads:
            thread.join(60)
    rows = [
        row(each, now, each.most(), quiet, busy)
        for each, now, quiet, busy in zip(measured, resident, at_rest, under_load, strict=True)
    ]
    done = f"申請 {len(people.acknowledged)}件、預かったもの {len(backing_up.acknowledged)}個、ページ {sum(visitors.answers.values())}枚"
    return page(rows, done, rest, load)


def row(each: Process, resident: float, most: float, quiet: tuple[Look, Look], busy: tuple[Look, Look]) -> str:
    spent = busy[1].cpu - busy[0].cpu
    requests, events = busy[1].requests - busy[0].requests, busy[1].events - busy[0].events
    cells = [
        each.service,
        each.role,
        f"{resident:.0f}",
        f"{most:.0f}",
        f"{_millicores(*quiet):.0f}",
        f"{_millicores(*busy):.0f}",
        f"{spent / requests * 1000:.1f}（{requests:.0f}）" if requests and each.role == "api" else "—",
        f"{spent / events * 1000:.1f}（{events:.0f}）" if events and each.role != "api" else "—",
    ]
    return f"| {' | '.join(cells)} |"


def _millicores(first: Look, last: Look) -> float:
    return (last.cpu - first.cpu) / (last.at - first.at) * 1000


def page(rows: list[str], done: str, rest: float, load: float) -> str:
    lines = [
        "# 役割ごとに要る記憶と計算",
        "",
        "`make bench BENCH=roles` が測って書いたものです。手で直さないでください。Kubernetes の requests と limits"
        "(`infra/local/needs.py`)は、ここから計算しています(`make manifests` が書きます)。",
        "",
        f"- いつ：{datetime.now(JST):%Y年%m月%d日 %H時%M分}（日本時間）、{os.cpu_count()}コア、1分の負荷 {os.getloadavg()[0]:.1f}"
        "（コアの数より大きければ取り合っています。計算時間は時計ではなく使った分なので、それでも比べられます）",
        f"- だれもいない{rest:.0f}秒のあと、小さな混ざった負荷を{load:.0f}秒（{done}）。PostgreSQL と RabbitMQ、役割ごとに一つのプロセス",
        "- ミリコア：1000で1コア。1件の計算時間には、そのあいだの見回り(リース、待ちの確認)も入っています。"
        "件数の少ない役割では、ほとんどが見回りです",
        "",
        "| サービス | 役割 | 常駐 MiB | 最大 MiB | 休み ミリコア | 負荷 ミリコア | 要求1件 ミリ秒（件数） | 出来事1件 ミリ秒（件数） |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
