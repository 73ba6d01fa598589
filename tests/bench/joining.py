"""How soon a municipality can use a service it asked for, how soon all sixty can, and how soon the cloud is ready.

    python -m tests.bench.joining [--store sqlite|postgresql]

A whole cloud of its own as `make run` starts it, on free ports; RabbitMQ and PostgreSQL on private nodes with --store postgresql.
Goals: ready ≤ 15 s (a second start, after set-up and first load), ≤ 1 GB resident without the broker, approved → usable < 5 s,
all 60 municipalities × e-application < 60 s. `usable` is when the gateway answers the service's page with 200.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from infra.local import cloud, nodes, processes
from infra.local.supervisor import Supervisor
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.db import Database
from libs.common.settings import Settings
from services.tenants.db import registry as registry_db
from services.tenants.db.requests import RequestRow
from services.tenants.domain.municipality import counted_on
from services.tenants.use_cases import subscribe

BENCH = Actor(kind="service", subject="bench")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    real = parser.parse_args(arguments).store == "postgresql"
    if real and not (nodes.has_postgresql() and nodes.has_rabbitmq()):
        print("no PostgreSQL or no RabbitMQ server is installed here", file=sys.stderr)
        return 2
    print(f"load average at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="kyodo-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        begun = time.monotonic()
        with cloud.running(Path(folder), database=real, broker=real) as running:
            print(f"first start with its load: {time.monotonic() - begun:.1f} s")
            return measure(running)


def measure(running: cloud.Running) -> int:
    settings = Settings(
        data_dir=running.plan.data, keys_dir=running.plan.data / "keys", database_url=running.plan.database_url
    )
    tenants = Database(settings.database_url_of("tenants"), "tenants")
    try:
        wait("the rooms of the sample", lambda: open_requests(tenants) == 0, 300)
        sample = sample_seconds(tenants)
        outside = not_yet_joined(tenants)
        singles = [join(running, tenants, [town]) for town in outside[:5]]
        rest = join(running, tenants, outside[5:])
    finally:
        tenants.close()
    ready, resident = second_start(running)
    print(f"resident, all processes of ours:        {resident:6.0f} MB   (goal ≤ 1000)")
    print(f"ready at a second start:                {ready:6.1f} s    (goal ≤ 15)")
    print(
        f"approved → usable, one at a time:       {statistics.median(singles):6.1f} s    (goal < 5; {spread(singles)})"
    )
    print(f"50 rooms of the sample, from the first asked to the last active: {sample:.1f} s")
    print(f"the last {len(outside) - 5} municipalities at once:      {rest:6.1f} s")
    print(f"all 60, added up:                       {sample + sum(singles) + rest:6.1f} s    (goal < 60)")
    good = ready <= 15 and resident <= 1000 and max(singles) < 5 and sample + sum(singles) + rest < 60
    return 0 if good else 1


def spread(values: list[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}"


def open_requests(tenants: Database) -> int:
    with tenants.reading() as session:
        return len(session.scalars(select(RequestRow.id).where(RequestRow.slot == "open")).all())


def sample_seconds(tenants: Database) -> float:
    """From the moment the first room was asked for by a running worker to the last answer."""
    with tenants.reading() as session:
        rows = session.scalars(select(RequestRow).where(RequestRow.heard_at.is_not(None))).all()
    heard = sorted(row.heard_at for row in rows if row.heard_at)
    return (heard[-1] - heard[0]).total_seconds()


def not_yet_joined(tenants: Database) -> list[tuple[str, str]]:
    """(tenant, code) of the municipalities without e-application."""
    today = local_date(datetime.now(UTC))
    with tenants.reading() as session:
        asked = set(session.scalars(select(RequestRow.tenant).where(RequestRow.service == "eapply")))
        towns = counted_on(registry_db.states(session), today).values()
    return [(town.tenant_id, town.code) for town in towns if town.tenant_id not in asked]


def join(running: cloud.Running, tenants: Database, towns: list[tuple[str, str]]) -> float:
    """Seconds from the operator's approval of all of them until each one's page answers."""
    now = datetime.now(UTC)
    requests = []
    for tenant, _ in towns:
        with tenants.transaction(tenant=tenant) as session:
            requests.append(
                (tenant, subscribe.request(session, BENCH, tenant, "eapply", "join", effective_from=None, now=now).id)
            )
    begun = time.monotonic()
    for tenant, request in requests:
        with tenants.transaction(tenant=tenant) as session:
            subscribe.approve(session, BENCH, request, datetime.now(UTC))
    for _, code in towns:
        wait(code, lambda code=code: usable(running, code), 120)
    return time.monotonic() - begun


def usable(running: cloud.Running, code: str) -> bool:
    try:
        with urllib.request.urlopen(f"{running.url}/t/{code}/eapply/", timeout=10) as answer:
            return answer.status == 200
    except OSError:
        return False


def second_start(running: cloud.Running) -> tuple[float, float]:
    """(seconds, MB resident): everything of ours stops and starts as `make run` does it, set-up and servers apart."""
    running.supervisor.stop()
    begun = time.monotonic()
    environment = running.plan.environment(os.environ)
    cloud.prepare(running.plan, environment, lambda text: None)
    again = Supervisor(cloud.programs(running.plan), environment, running.plan.logs, cwd=cloud.ROOT)
    try:
        again.start()
        seconds = time.monotonic() - begun
        time.sleep(3)
        return seconds, sum(rss(child.process.pid) for child in again.children.values()) / 1e6
    finally:
        again.stop()


def rss(pid: int) -> int:
    """Bytes resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def wait(what: str, condition: Callable[[], bool], seconds: float) -> None:
    if not processes.wait_until(condition, seconds=seconds):
        raise RuntimeError(f"{what}: not within {seconds} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
