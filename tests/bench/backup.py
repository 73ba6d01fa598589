"""restic through gateway and service, and through an nginx that asks the gateway (docs/nginx.md), beside a local folder, rest-server,
`rclone serve restic` and borg, on the same data in one run; then fifty municipalities at once (`backup_many`).

    python -m tests.bench.backup [--mib 2048] [--small-files 100000] [--rounds 3] [--towns 50]

BENCH_BACKUP_SHARE (default 1) makes the data that part of it: 0.25 is 512 MiB and 25,000 small files.
Needs restic: the system's own (RESTIC names another one) and a current one. Peers and the current restic are those that
`python -m tests.bench.peers` brought, borg is the system's: what is missing is said and left out. Each round takes all targets in
a random order: first backup, second backup after a tenth of the data changed, a check that reads everything, restore. Wall
seconds, and CPU seconds of the servers from /proc. The largest resident memory of each server is printed. Goals: wall ≤ 1.1 ×
rest-server; CPU ≤ 1.3 × for the service alone and ≤ 2 × with the gateway; memory ≤ 150 MB. They are printed, not judged: walls
depend on the machine.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx
import psutil

from gateway.tests import conftest as gateway_test
from gateway.tests.nginx import nginx
from gateway.tests.test_nginx_asks_the_door import printed
from infra.local import processes
from libs.common import keys
from libs.common.actor import Actor
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.inner_token import TokenSigner
from libs.common.room import RoomRow
from services.backup.db import AllowanceRow
from services.backup.tests.town import restic_program
from services.backup.tokens import GatewayTokens, Token
from services.backup.use_cases import repositories
from tests.bench import peers

ROOT = Path(__file__).parents[2]
CODE = gateway_test.CODE
GIB = 1024**3
OURS, FRONTED, PEER = "through gateway and service", "through nginx, which asks the gateway", "rest-server"
STEPS = ("first backup", "second backup", "check --read-data", "restore")


@dataclass
class Target:
    """`fresh()` gives the address of an empty repository; `pids` are its server's processes by name; `run(address, cache, step)`
    is the client."""

    name: str
    fresh: Callable[[], str]
    pids: dict[str, int] = field(default_factory=dict)
    client: "Client" = field(default_factory=lambda: Restic(current_restic()))

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, user and system, children included."""
        return {name: sum(psutil.Process(pid).cpu_times()[:4]) for name, pid in self.pids.items()}

    def forget_memory(self) -> None:
        """`memory` counts from now on: what signing in and the like took before is not of a backup."""
        for pid in self.pids.values():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def memory(self) -> dict[str, int]:
        """Largest resident memory since then, in bytes (VmHWM)."""
        found = {}
        for name, pid in self.pids.items():
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            found[name] = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
        return found


def main(arguments: list[str]) -> int:
    from tests.bench import backup_many

    share = float(os.environ.get("BENCH_BACKUP_SHARE", "1"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=int(2048 * share))
    parser.add_argument("--small-files", type=int, default=int(100_000 * share))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--towns", type=int, default=50)
    options = parser.parse_args(arguments)
    rng = random.Random(20261120)
    print(
        f"{options.mib} MiB, {options.small_files} small files, {options.rounds} rounds; load {os.getloadavg()[0]:.1f}"
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kyodo-bench-")))
        data = make_data(folder / "data", options.mib, options.small_files, rng)
        made = stack.enter_context(ours(folder / "ours", options.towns))
        targets = [local(folder), made.target, *([made.fronted] if made.fronted else [])]
        if isinstance(made.target.client, Restic) and made.target.client.program != restic_program():
            old = Restic(restic_program())
            targets.append(Target(f"{made.target.name}, {old.version()}", made.target.fresh, made.target.pids, old))
        targets += [t for t in (rest_server(stack, folder), rclone(stack, folder), borg(folder)) if t is not None]
        walls: dict[tuple[str, str], list[float]] = {}
        cpus: dict[tuple[str, str, str], list[float]] = {}
        for target in targets:
            target.forget_memory()
        for number in range(options.rounds):
            for target in rng.sample(targets, len(targets)):
                run_round(folder, data, target, walls, cpus, rng)
                print(f"round {number + 1}: {target.name} done", flush=True)
        report(targets, walls, cpus)
        backup_many.run(made, folder, rng)
        print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0


def make_data(folder: Path, mib: int, small: int, rng: random.Random) -> Path:
    """Two fifths random, two fifths text that compresses, a tenth twice; and small files."""
    folder.mkdir()
    megabyte = 1024 * 1024
    for number in range(mib * 2 // 5 // 8 or 1):
        (folder / f"random-{number}").write_bytes(rng.randbytes(8 * megabyte))
    line = "".join(f"{n},見本,{rng.random()}\n" for n in range(20_000)).encode()
    for number in range(mib * 2 // 5 // 8 or 1):
        (folder / f"table-{number}.csv").write_bytes((f"{number}\n".encode() + line * 20)[: 8 * megabyte])
    for number in range(mib // 10 // 8):
        shutil.copy(folder / f"random-{number}", folder / f"again-{number}")
    for number in range(small):
        path = folder / f"small-{number // 1000}" / str(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(rng.randbytes(rng.randrange(200, 4000)))
    return folder


def change_a_tenth(data: Path, rng: random.Random) -> None:
    for path in [p for p in data.rglob("*") if p.is_file()][::10]:
        with path.open("r+b") as file:
            file.seek(rng.randrange(max(1, path.stat().st_size)))
            file.write(rng.randbytes(64))


def run_round(
    folder: Path,
    data: Path,
    target: Target,
    walls: dict[tuple[str, str], list[float]],
    cpus: dict[tuple[str, str, str], list[float]],
    rng: random.Random,
) -> None:
    address, out, cache = target.fresh(), folder / "out", folder / "cache"
    out.mkdir()
    target.client.run(address, cache, target.client.init)
    for step, command in zip(STEPS, target.client.commands(data, out), strict=True):
        if step == "second backup":
            change_a_tenth(data, rng)
        before, begun = target.cpu(), time.monotonic()
        target.client.run(address, cache, command, out)
        walls.setdefault((target.name, step), []).append(time.monotonic() - begun)
        after = target.cpu()
        for name in target.pids:
            cpus.setdefault((target.name, name, step), []).append(after[name] - before[name])
    for path in (out, cache):
        shutil.rmtree(path, ignore_errors=True)


class Client(Protocol):
    """A program that backs up. `commands` are those of STEPS."""

    init: Sequence[str]

    def commands(self, data: Path, out: Path) -> list[Sequence[str]]: ...

    def run(self, address: str, cache: Path, command: Sequence[str], where: Path = ROOT) -> None: ...


@dataclass(frozen=True)
class Restic:
    program: str
    init: Sequence[str] = ("init",)

    def commands(self, data: Path, out: Path) -> list[Sequence[str]]:
        again = ("backup", str(data))
        return [again, again, ("check", "--read-data"), ("restore", "latest", "--target", str(out))]

    def run(self, address: str, cache: Path, command: Sequence[str], where: Path = ROOT) -> None:
        told = {"RESTIC_REPOSITORY": address, "RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": str(cache)}
        finished([self.program, *command], where, {**told, "NO_PROXY": "127.0.0.1"})

    def version(self) -> str:
        done = subprocess.run([self.program, "version"], capture_output=True, text=True, check=True)
        return " ".join(done.stdout.split()[:2])


@dataclass(frozen=True)
class Borg:
    """borg has no server of this kind: it writes to a folder, as restic does beside it."""

    program: str
    init: Sequence[str] = ("init", "--encryption=repokey-blake2")

    def commands(self, data: Path, out: Path) -> list[Sequence[str]]:
        return [("create", "::first", str(data)), ("create", "::second", str(data)), ("check", "--verify-data"),
                ("extract", "::second")]  # fmt: skip

    def run(self, address: str, cache: Path, command: Sequence[str], where: Path = ROOT) -> None:
        told = {"BORG_REPO": address, "BORG_PASSPHRASE": "bench", "BORG_BASE_DIR": str(cache)}
        finished([self.program, *command], where, told)


def finished(command: Sequence[str], where: Path, environment: dict[str, str]) -> None:
    told = {**os.environ, **environment}
    done = subprocess.run(command, cwd=where, env=told, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:2])} failed: {done.stderr}")


def current_restic() -> str:
    return os.environ.get("RESTIC_CURRENT") or peers.found("restic") or restic_program()


# ---- targets --------------------------------------------------------------------------------------------------------


def counter() -> Callable[[], int]:
    numbers = iter(range(1000))
    return lambda: next(numbers)


def local(folder: Path) -> Target:
    number = counter()
    return Target("local folder", lambda: str(folder / f"local-{number()}"))


def rest_server(stack: ExitStack, folder: Path) -> Target | None:
    program = os.environ.get("REST_SERVER") or peers.found("restic-rest-server") or shutil.which("rest-server")
    if not program:
        print(
            "rest-server is left out: `python -m tests.bench.peers` brings it, or REST_SERVER names one",
            file=sys.stderr,
        )
        return None
    port, number = processes.free_port(), counter()
    command = [program, "--path", str(folder / "rest"), "--no-auth", "--listen", f"127.0.0.1:{port}"]
    pid = started(stack, command, port)
    return Target("rest-server", lambda: f"rest:http://127.0.0.1:{port}/r{number()}/", {"rest-server": pid})


def rclone(stack: ExitStack, folder: Path) -> Target | None:
    program = peers.found("rclone") or shutil.which("rclone")
    if not program:
        print("rclone is left out: `python -m tests.bench.peers` brings it", file=sys.stderr)
        return None
    port, number = processes.free_port(), counter()
    pid = started(stack, [program, "serve", "restic", "--addr", f"127.0.0.1:{port}", str(folder / "rclone")], port)
    return Target("rclone serve restic", lambda: f"rest:http://127.0.0.1:{port}/r{number()}/", {"rclone": pid})


def borg(folder: Path) -> Target | None:
    program = shutil.which("borg")
    if not program:
        print("borg is left out: install it (Debian: borgbackup)", file=sys.stderr)
        return None
    number = counter()
    return Target("borg to a local folder", lambda: str(folder / f"borg-{number()}"), client=Borg(program))


def started(stack: ExitStack, command: list[str], port: int, **environment: str) -> int:
    log = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log)
    stack.callback(gateway_test.stop, process)
    gateway_test.wait_for_port(port)
    return process.pid


@dataclass
class Ours:
    """What runs here: the target of CODE, and for the other municipalities `repository(tenant)`, which makes an address."""

    target: Target
    folder: Path
    database: Database
    towns: list[str]
    repository: Callable[[str], str]
    fronted: Target | None = None
    """The same behind an nginx, where there is one: bodies pass from it to the service, the gateway only decides."""


@contextmanager
def ours(folder: Path, towns: int = 0) -> Iterator[Ours]:
    """The real gateway and the real service, each in its process; the registry's snapshot is a file."""
    folder.mkdir()
    port = processes.free_port()
    decisions = {"GATEWAY_DECISION_PORT": str(processes.free_port()), "TRUSTED_PROXIES": '["127.0.0.2/32"]'}
    cloud = gateway_test.make_running(folder, [], **decisions)
    keys.ensure(folder / "keys", ["gateway", "tenants", "backup"])
    upstreams = json.loads(cloud.environment["UPSTREAMS"])
    cloud.environment["UPSTREAMS"] = json.dumps({**upstreams, "backup": f"http://127.0.0.1:{port}"})
    document = gateway_test.snapshot_document()
    home = document["tenants"][0]
    home["services"]["backup"] = {"status": "active", "from": "2011-04-01", "until": None}
    others = [f"{410_000 + n}" for n in range(towns)]
    document["tenants"] += [{**home, "id": code, "code": code} for code in others]
    (folder / "snapshot.json").write_text(json.dumps(document))
    with ExitStack() as stack:
        stack.callback(cloud.stop)
        cloud.command("migrate")
        cloud.start_upstream()
        cloud.start_gateway()
        environment = {"DATA_DIR": str(folder), "KEYS_DIR": str(folder / "keys"), "DATABASE_URL": ""}
        migrate = [sys.executable, "-m", "services.backup", "migrate"]
        subprocess.run(migrate, cwd=ROOT, env={**os.environ, **environment}, check=True, capture_output=True)
        command = [sys.executable, "-m", "services.backup", "api"]
        pid = started(stack, command, port, **environment, APPS_PORT=str(port), TRACE_RATIO="0.01")
        database = Database(f"sqlite:///{folder / 'backup.sqlite'}", "backup")
        stack.callback(database.close)
        assert cloud.gateway
        number = counter()
        person = cloud.person("bench@example.jp")
        signer = TokenSigner("backup", keys.private_key(folder / "keys", "backup"))
        tokens = GatewayTokens(f"http://127.0.0.1:{cloud.internal_port}", signer)
        for tenant in (CODE, *others):
            prepare_room(database, tenant)

        def repository(tenant: str) -> str:
            name = f"bench-{number()}"
            token = tokens.make(tenant, name, "backup.full", 30, person)
            add_repository(database, name, token, tenant)
            return f"rest:http://x:{token.secret}@127.0.0.1:{cloud.port}/t/{tenant}/backup/restic/{name}/"

        wait_until_open(cloud)
        pids = {"service": pid, "gateway": cloud.gateway.pid}
        target = Target(OURS, lambda: repository(CODE), pids)
        yield Ours(target, folder, database, others, repository, fronted(stack, cloud, target))


def fronted(stack: ExitStack, cloud: gateway_test.Running, direct: Target) -> Target | None:
    """`direct` behind an nginx with the configuration that the gateway prints."""
    if shutil.which("nginx") is None:
        print("left out: nginx is not installed (Debian package nginx-light)")
        return None
    port = processes.free_port()
    known = "proxy_http_version 1.1; proxy_bind 127.0.0.2;"  # TRUSTED_PROXIES
    written = printed(cloud, port).replace("proxy_http_version 1.1;", known, 1)
    master = stack.enter_context(nginx(cloud.folder / "nginx", port, written))
    (worker,) = psutil.Process(master).children()
    direct_port, front = f"127.0.0.1:{cloud.port}/", f"127.0.0.1:{port}/"
    return Target(
        FRONTED, lambda: direct.fresh().replace(direct_port, front), {**direct.pids, "nginx": worker.pid}, direct.client
    )


def prepare_room(database: Database, tenant: str = CODE) -> None:
    with database.transaction(tenant=tenant) as session:
        session.add(AllowanceRow(quota=4096 * GIB, live=0, held=0))
        session.add(RoomRow(tenant=tenant, code=tenant, state="provisioned", changed_at=SystemClock().now()))


def add_repository(database: Database, name: str, token: Token, tenant: str = CODE) -> None:
    staff, now = Actor("staff", "bench", tenant=tenant, code=tenant), SystemClock().now()
    with database.transaction(tenant=tenant) as session:
        row = repositories.create(session, staff, repositories.Wish(name, "bench", 1024 * GIB, 30, 26), now)
        repositories.add_key(session, staff, row.id, token, "full", "bench", now)


def wait_until_open(cloud: gateway_test.Running) -> None:
    """The gateway knows the tenants and the service answers (401: nobody has a key yet)."""

    def answers() -> bool:
        return httpx.get(f"{cloud.url}/t/{CODE}/backup/restic/x/config", trust_env=False).status_code == 401

    assert gateway_test.until(answers, 30), "the service is not reached through the gateway"


# ---- figures --------------------------------------------------------------------------------------------------------


def report(
    targets: list[Target], walls: dict[tuple[str, str], list[float]], cpus: dict[tuple[str, str, str], list[float]]
) -> None:
    print(f"\n{'wall s: median (least to most)':44s}" + "".join(f"{step:>26s}" for step in STEPS))
    for target in targets:
        print(f"{target.name:44s}" + "".join(f"{spread(walls[target.name, step]):>26s}" for step in STEPS))
    print(f"\n{'server CPU s: median':44s}" + "".join(f"{step:>26s}" for step in STEPS))
    for target in targets:
        for name in target.pids:
            label = f"{target.name}: {name}" if target.name != name else name
            print(f"{label:44s}" + "".join(f"{spread(cpus[target.name, name, step]):>26s}" for step in STEPS))
    if any(target.name == PEER for target in targets):
        compare(walls, cpus)
    for target in targets:
        for name, most in target.memory().items():
            print(
                f"largest memory of {name}: {most / 1_000_000:.0f} MB"
                + (" (goal ≤ 150)" if target.name == OURS else "")
            )


def compare(walls: dict[tuple[str, str], list[float]], cpus: dict[tuple[str, str, str], list[float]]) -> None:
    """The ratios to rest-server."""
    wall = [ratio(walls[OURS, s], walls[PEER, s]) for s in STEPS]
    alone = [ratio(cpus[OURS, "service", s], cpus[PEER, PEER, s]) for s in STEPS]
    lines = [("wall ÷ rest-server (goal ≤ 1.1)", wall), ("service CPU ÷ (goal ≤ 1.3)", alone),
             ("with gateway CPU ÷ (goal ≤ 2)", together(cpus, OURS))]  # fmt: skip
    if any(target == FRONTED for target, _ in walls):
        lines.append(("behind nginx: wall ÷", [ratio(walls[FRONTED, s], walls[PEER, s]) for s in STEPS]))
        lines.append(("behind nginx: CPU of all three ÷", together(cpus, FRONTED)))
    for label, found in lines:
        print(f"{label:44s}" + "".join(f"{value:26.2f}" for value in found))


def together(cpus: dict[tuple[str, str, str], list[float]], target: str) -> list[float]:
    """CPU of all the target's processes by step, as a ratio to rest-server's."""
    found = []
    for step in STEPS:
        each = [seconds for (of, _, at), seconds in cpus.items() if (of, at) == (target, step)]
        found.append(ratio([sum(round_) for round_ in zip(*each, strict=True)], cpus[PEER, PEER, step]))
    return found


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(ours) / max(statistics.median(theirs), 1e-9)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
