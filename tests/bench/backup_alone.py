"""The service alone beside rest-server and, for what is read, beside the kernel alone (`bare_sendfile`), with a client that costs almost
nothing: uploads leave by sendfile, answers are thrown away in the kernel. CPU seconds of the server are firm on a busy machine; wall
seconds are not.

    python -m tests.bench.backup_alone [--mib 512] [--rounds 3]

Goals, as ratios to rest-server: uploads of 16 MiB ≥ 1.0, whole packs ≥ 1.5, ranges of 64 KiB ≥ 0.8 (in bytes per second of wall).
"""

import argparse
import hashlib
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil

from infra.local import processes
from libs.common import keys
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.inner_token import TokenSigner
from services.backup.tokens import Token
from tests.bench import backup

PACK = 16 * 1024 * 1024
RANGE = 64 * 1024
CONNECTIONS = 5
RANGES = 2000
LIMIT = "the kernel alone"
GOALS = {"upload": 1.0, "whole packs": 1.5, "64 KiB ranges": 0.8}


@dataclass
class Server:
    """`fresh()` makes an empty repository and gives its path and the header lines that open it."""

    name: str
    port: int
    pid: int
    fresh: Callable[[], tuple[str, str]]


@dataclass
class Line:
    """One kept connection."""

    port: int
    head: str

    def __post_init__(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sink = bytearray(PACK)

    def post(self, path: str, file: Path, size: int, *, status: int = 200) -> None:
        self.socket.sendall(f"POST {path} HTTP/1.1\r\n{self.head}Content-Length: {size}\r\n\r\n".encode())
        with file.open("rb") as body:
            sent = 0
            while sent < size:
                sent += os.sendfile(self.socket.fileno(), body.fileno(), sent, size - sent)
        self._answer(status)

    def get(self, path: str, start: int, end: int) -> None:
        """Bytes `start` up to, not including, `end`."""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n{self.head}Range: bytes={start}-{end - 1}\r\n\r\n".encode())
        left = end - start - self._answer(206)
        while left:
            left -= self.socket.recv_into(self._sink, min(left, PACK), socket.MSG_TRUNC)

    def _answer(self, status: int) -> int:
        """Read the head of an answer; how many bytes of its body came with it."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.socket.recv(1024)
            if not piece:
                raise SystemExit(f"the line ended: {data!r}")
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        if int(head.split(b" ", 2)[1]) != status:
            raise SystemExit(f"not {status}: {data!r}")
        return len(rest) if status == 206 else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    measured = measure(options.mib, options.rounds, random.Random(20261120))
    print("\n".join(lines(measured)))
    return 0


Measured = dict[tuple[str, str], list[tuple[float, float]]]
"""(server, step) → (wall, CPU) seconds of each round."""


def measure(mib: int, rounds: int, rng: random.Random) -> Measured:
    measured: Measured = {}
    memory = Path("/dev/shm")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kyodo-bench-")))
        fast = tempfile.TemporaryDirectory(prefix="kyodo-bench-", dir=memory if memory.is_dir() else None)
        packs = make_packs(Path(stack.enter_context(fast)), max(CONNECTIONS, mib * 1024 * 1024 // PACK), rng)
        made = (ours(stack, folder), theirs(stack, folder), bare(stack, next(iter(packs.values())).parent))
        servers = [s for s in made if s is not None]
        for _ in range(rounds):
            for server in rng.sample(servers, len(servers)):
                run_round(server, packs, measured, rng)
    return measured


def make_packs(folder: Path, count: int, rng: random.Random) -> dict[str, Path]:
    """Files of random bytes by their SHA-256."""
    found = {}
    for _ in range(count):
        content = rng.randbytes(PACK)
        name = hashlib.sha256(content).hexdigest()
        (folder / name).write_bytes(content)
        found[name] = folder / name
    return found


def run_round(server: Server, packs: dict[str, Path], measured: Measured, rng: random.Random) -> None:
    path, head = server.fresh()
    names = list(packs)
    ranges = [(rng.choice(names), rng.randrange(0, PACK - RANGE)) for _ in range(RANGES)]
    steps: dict[str, list[Callable[[Line], None]]] = {
        "upload": [lambda line, n=n: line.post(f"{path}data/{n}", packs[n], PACK) for n in names],
        "whole packs": [lambda line, n=n: line.get(f"{path}data/{n}", 0, PACK) for n in names],
        "64 KiB ranges": [lambda line, n=n, s=s: line.get(f"{path}data/{n}", s, s + RANGE) for n, s in ranges],
    }
    if server.name == LIMIT:
        del steps["upload"]
    for step, todo in steps.items():
        process = psutil.Process(server.pid)
        before, begun = sum(process.cpu_times()[:2]), time.monotonic()
        in_parallel(server.port, head, todo)
        wall, cpu = time.monotonic() - begun, sum(process.cpu_times()[:2]) - before
        measured.setdefault((server.name, step), []).append((wall, cpu))


def in_parallel(port: int, head: str, todo: list[Callable[[Line], None]]) -> None:
    waiting = iter(todo)
    lock = threading.Lock()

    def work() -> None:
        line = Line(port, head)
        while True:
            with lock:
                do = next(waiting, None)
            if do is None:
                return
            do(line)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


FOREVER = datetime(2099, 1, 1, tzinfo=UTC)


@dataclass
class Alone:
    """The service without a gateway: whoever asks brings an inner token of `sign`."""

    pid: int
    port: int
    database: Database
    signer: TokenSigner

    def fresh(self, name: str) -> str:
        """A new repository and its key; returns its path."""
        backup.add_repository(self.database, name, Token(name, "", FOREVER))
        return f"/t/{backup.CODE}/backup/restic/{name}/"

    def sign(self, name: str) -> str:
        """The header by which the gateway would say whose key it is: good for a minute."""
        actor = Actor("machine", name, tenant=backup.CODE, code=backup.CODE, roles=frozenset({"backup.full"}))
        return "Bearer " + self.signer.sign(actor, "backup")


@contextmanager
def alone(folder: Path, **environment: str) -> Iterator[Alone]:
    folder.mkdir()
    keys.ensure(folder / "keys", ["gateway", "backup"])
    with ExitStack() as stack:
        port = processes.free_port()
        pid, database = service(stack, folder, port, **environment)
        backup.prepare_room(database)
        yield Alone(pid, port, database, TokenSigner("gateway", keys.private_key(folder / "keys", "gateway")))


def service(stack: ExitStack, folder: Path, port: int, **environment: str) -> tuple[int, Database]:
    """The real service with an empty store of its own in `folder`: its pid and its database."""
    told = {"DATA_DIR": str(folder), "KEYS_DIR": str(folder / "keys"), "DATABASE_URL": "", **environment}
    migrate = [sys.executable, "-m", "services.backup", "migrate"]
    subprocess.run(migrate, cwd=backup.ROOT, env={**os.environ, **told}, check=True, capture_output=True)
    command = [sys.executable, "-m", "services.backup", "api"]
    pid = backup.started(stack, command, port, **told, APPS_PORT=str(port), TRACE_RATIO="0.01")
    database = Database(told["DATABASE_URL"] or f"sqlite:///{folder / 'backup.sqlite'}", "backup")
    stack.callback(database.close)
    return pid, database


def ours(stack: ExitStack, folder: Path) -> Server:
    made = stack.enter_context(alone(folder / "alone"))
    number = backup.counter()

    def fresh() -> tuple[str, str]:
        name = f"bench-{number()}"
        return made.fresh(name), f"Host: backup\r\nAuthorization: {made.sign(name)}\r\n"

    return Server("service alone", made.port, made.pid, fresh)


def theirs(stack: ExitStack, folder: Path) -> Server | None:
    target = backup.rest_server(stack, folder)
    if target is None:
        return None

    def fresh() -> tuple[str, str]:
        url = target.fresh().removeprefix("rest:")
        httpx.post(url, params={"create": "true"}, trust_env=False).raise_for_status()
        return httpx.URL(url).path, "Host: rest\r\n"

    port = httpx.URL(target.fresh().removeprefix("rest:")).port
    assert port
    return Server(target.name, port, target.pids["rest-server"], fresh)


def bare(stack: ExitStack, packs: Path) -> Server:
    port = processes.free_port()
    command = [sys.executable, "-m", "tests.bench.bare_sendfile", str(port), str(packs)]
    return Server(LIMIT, port, backup.started(stack, command, port), lambda: ("/", "Host: bare\r\n"))


def lines(measured: Measured) -> list[str]:
    """Medians of wall and CPU seconds, and the ratios to rest-server."""
    found = [f"{'':24s}" + "".join(f"{step:>24s}" for step in GOALS)]
    servers = list(dict.fromkeys(name for name, _ in measured))
    for server in servers:
        for number, what in enumerate(("wall s", "CPU s")):
            values = [
                f"{statistics.median(pair[number] for pair in seen):.3f}"
                if (seen := measured.get((server, step)))
                else ""
                for step in GOALS
            ]
            found.append(f"{server + ', ' + what:24s}" + "".join(f"{value:>24s}" for value in values))
    if "rest-server" in servers:
        found.append(
            f"{'speed ÷ rest-server':24s}"
            + "".join(f"{ratio(measured, step, 'service alone'):16.2f} (≥ {goal})" for step, goal in GOALS.items())
        )
        reading = [f"{ratio(measured, step, LIMIT):.2f}" if (LIMIT, step) in measured else "" for step in GOALS]
        found.append(f"{'limit ÷ rest-server':24s}" + "".join(f"{value:>24s}" for value in reading))
    return found


def ratio(measured: Measured, step: str, server: str) -> float:
    """How much faster `server` is than rest-server."""
    ours, theirs = ([wall for wall, _ in measured[name, step]] for name in (server, "rest-server"))
    return statistics.median(theirs) / statistics.median(ours)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
