"""restic through gateway and service beside a local folder, rest-server and `rclone serve restic`, on the same data in the same run.

    python -m tests.bench.backup [--mib 2048] [--small-files 100000] [--rounds 3]

Needs restic (RESTIC names another one). The peers are those that `python -m tests.bench.peers` brought: what is missing is said
and left out. Each round takes all targets in a random order: first backup, second backup after a tenth of the data changed,
check --read-data, restore. Wall seconds, and CPU seconds of the servers from /proc. The largest resident memory of each of our
processes is printed. Goals: wall ≤ 1.1 × rest-server; CPU ≤ 1.3 × for the service alone and ≤ 2 × with the gateway; memory
≤ 150 MB. They are printed, not judged: walls depend on the machine.
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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from gateway.tests import conftest as gateway_test
from infra.local import processes
from libs.common import keys
from libs.common.actor import Actor
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.inner_token import TokenSigner
from libs.common.room import RoomRow
from services.backup.db import AllowanceRow
from services.backup.tests.town import restic_program
from services.backup.tokens import GatewayTokens
from services.backup.use_cases import repositories
from tests.bench import peers

ROOT = Path(__file__).parents[2]
CODE = gateway_test.CODE
GIB = 1024**3
STEPS = ("first backup", "second backup", "check --read-data", "restore")


@dataclass
class Target:
    """`fresh()` gives the address of an empty repository; `pids` are its server's processes by name."""

    name: str
    fresh: Callable[[], str]
    pids: dict[str, int] = field(default_factory=dict)

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, user and system, children included."""
        return {name: sum(psutil.Process(pid).cpu_times()[:4]) for name, pid in self.pids.items()}

    def memory(self) -> dict[str, int]:
        """Largest resident memory so far, in bytes (VmHWM)."""
        found = {}
        for name, pid in self.pids.items():
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            found[name] = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
        return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--small-files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    rng = random.Random(20261120)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kyodo-bench-")))
        data = make_data(folder / "data", options.mib, options.small_files, rng)
        targets = [local(folder), stack.enter_context(ours(folder / "ours"))]
        targets += [t for t in (rest_server(stack, folder), rclone(stack, folder)) if t is not None]
        walls: dict[tuple[str, str], list[float]] = {}
        cpus: dict[tuple[str, str], list[float]] = {}
        for number in range(options.rounds):
            for target in rng.sample(targets, len(targets)):
                run_round(folder, data, target, walls, cpus, rng)
                print(f"round {number + 1}: {target.name} done", flush=True)
        report(targets, walls, cpus)
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
    cpus: dict[tuple[str, str], list[float]],
    rng: random.Random,
) -> None:
    address, out, cache = target.fresh(), folder / "out", folder / "cache"
    restic(address, cache, "init")
    commands = [("backup", str(data)), ("backup", str(data)), ("check", "--read-data"),
                ("restore", "latest", "--target", str(out))]  # fmt: skip
    for step, command in zip(STEPS, commands, strict=True):
        if step == "second backup":
            change_a_tenth(data, rng)
        before, begun = target.cpu(), time.monotonic()
        restic(address, cache, *command)
        walls.setdefault((target.name, step), []).append(time.monotonic() - begun)
        after = target.cpu()
        for name in target.pids:
            cpus.setdefault((name, step), []).append(after[name] - before[name])
    for path in (out, cache):
        shutil.rmtree(path)


def restic(address: str, cache: Path, *arguments: str) -> None:
    environment = {
        **os.environ,
        "RESTIC_REPOSITORY": address,
        "RESTIC_PASSWORD": "bench",
        "RESTIC_CACHE_DIR": str(cache),
    }
    environment["NO_PROXY"] = "127.0.0.1"
    done = subprocess.run([restic_program(), *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"restic {arguments[0]} on {address.split('@')[-1]} failed: {done.stderr}")


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


def started(stack: ExitStack, command: list[str], port: int, **environment: str) -> int:
    log = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log)
    stack.callback(gateway_test.stop, process)
    gateway_test.wait_for_port(port)
    return process.pid


@contextmanager
def ours(folder: Path) -> Iterator[Target]:
    """The real gateway and the real service, each in its process; the registry's snapshot is a file."""
    folder.mkdir()
    port = processes.free_port()
    cloud = gateway_test.make_running(folder, [])
    keys.ensure(folder / "keys", ["gateway", "tenants", "backup"])
    upstreams = json.loads(cloud.environment["UPSTREAMS"])
    cloud.environment["UPSTREAMS"] = json.dumps({**upstreams, "backup": f"http://127.0.0.1:{port}"})
    document = gateway_test.snapshot_document()
    document["tenants"][0]["services"]["backup"] = {"status": "active", "from": "2011-04-01", "until": None}
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
        prepare_room(database)

        def fresh() -> str:
            name = f"bench-{number()}"
            token = tokens.make(CODE, name, "backup.full", 30, person)
            add_repository(database, name, token)
            return f"rest:http://x:{token.secret}@127.0.0.1:{cloud.port}/t/{CODE}/backup/restic/{name}/"

        wait_until_open(cloud)
        yield Target("through gateway and service", fresh, {"service": pid, "gateway": cloud.gateway.pid})


def prepare_room(database: Database) -> None:
    with database.transaction(tenant=CODE) as session:
        session.add(AllowanceRow(quota=4096 * GIB, live=0, held=0))
        session.add(RoomRow(tenant=CODE, state="provisioned", changed_at=SystemClock().now()))


def add_repository(database: Database, name: str, token) -> None:  # type: ignore[no-untyped-def]
    staff, now = Actor("staff", "bench", tenant=CODE, code=CODE), SystemClock().now()
    with database.transaction(tenant=CODE) as session:
        row = repositories.create(session, staff, repositories.Wish(name, "bench", 1024 * GIB, 30, 26), now)
        repositories.add_key(session, staff, row.id, token, "full", "bench", now)


def wait_until_open(cloud: gateway_test.Running) -> None:
    """The gateway knows the tenants and the service answers (401: nobody has a key yet)."""

    def answers() -> bool:
        return httpx.get(f"{cloud.url}/t/{CODE}/backup/restic/x/config", trust_env=False).status_code == 401

    assert gateway_test.until(answers, 30), "the service is not reached through the gateway"


# ---- figures --------------------------------------------------------------------------------------------------------


def report(
    targets: list[Target], walls: dict[tuple[str, str], list[float]], cpus: dict[tuple[str, str], list[float]]
) -> None:
    print(f"\n{'wall s: median (least to most)':34s}" + "".join(f"{step:>26s}" for step in STEPS))
    for target in targets:
        print(f"{target.name:34s}" + "".join(f"{spread(walls[target.name, step]):>26s}" for step in STEPS))
    print(f"\n{'server CPU s: median':34s}" + "".join(f"{step:>26s}" for step in STEPS))
    for target in targets:
        for name in target.pids:
            print(f"{name:34s}" + "".join(f"{spread(cpus[name, step]):>26s}" for step in STEPS))
    peer = "rest-server"
    if any(t.name == peer for t in targets):
        ours_name = "through gateway and service"
        wall = [ratio(walls[ours_name, s], walls[peer, s]) for s in STEPS]
        alone = [ratio(cpus["service", s], cpus[peer, s]) for s in STEPS]
        both = [
            ratio([a + b for a, b in zip(cpus["service", s], cpus["gateway", s], strict=True)], cpus[peer, s])
            for s in STEPS
        ]
        for label, found in (("wall ÷ rest-server (goal ≤ 1.1)", wall), ("service CPU ÷ (goal ≤ 1.3)", alone),
                             ("with gateway CPU ÷ (goal ≤ 2)", both)):  # fmt: skip
            print(f"{label:34s}" + "".join(f"{value:26.2f}" for value in found))
    for target in targets:
        for name, most in target.memory().items():
            print(
                f"largest memory of {name}: {most / 1_000_000:.0f} MB" + (" (goal ≤ 150)" if name != "rclone" else "")
            )


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(ours) / max(statistics.median(theirs), 1e-9)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
