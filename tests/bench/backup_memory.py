"""How much memory the api and the worker of the backup service take, whatever is sent: the largest object, and many large ones at once.

    python -m tests.bench.backup_memory [--mib 2048]

Resident megabytes (VmHWM, set back before each step). Goal: no process above 150 MB. Bodies leave by sendfile from a file without
blocks on the disk, answers are thrown away in the kernel: the client costs almost nothing.
"""

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from gateway.tests import conftest as gateway_test
from services.backup.db import objects
from services.backup.domain.protocol import LARGEST
from tests.bench import backup, backup_alone

MIB = 1024 * 1024
LARGE, AT_ONCE = 64 * MIB, 16
GOAL = 150
"""Megabytes of each process, with what Python, its modules and the database's driver take."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=2048, help="how much is sent as one body")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kyodo-bench-")))
        made = stack.enter_context(backup_alone.alone(folder / "alone"))
        pids = {"api": made.pid, "worker": worker(stack, folder / "alone")}
        for label, step in steps(made, folder, options.mib * MIB):
            for pid in pids.values():
                Path(f"/proc/{pid}/clear_refs").write_text("5")
            begun = time.monotonic()
            step()
            taken = ", ".join(f"{name} {largest(pid) / 1e6:.0f} MB" for name, pid in pids.items())
            print(f"{label:52s} {taken} (goal ≤ {GOAL}), {time.monotonic() - begun:.1f} s", flush=True)
    return 0


def steps(made: backup_alone.Alone, folder: Path, huge: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """(what it is called, the work), to be done in this order."""
    path = made.fresh("memory")
    rng = random.Random(20261120)
    whole, refused = content(folder, rng, LARGEST), content(folder, rng, huge)
    packs = [content(folder, rng, LARGE) for _ in range(AT_ONCE)]

    def line() -> backup_alone.Line:
        return backup_alone.Line(made.port, f"Host: backup\r\nAuthorization: {made.sign('memory')}\r\n")

    def put(file: Path) -> None:
        line().post(f"{path}data/{file.name}", file, file.stat().st_size)

    def get(file: Path) -> None:
        line().get(f"{path}data/{file.name}", 0, file.stat().st_size)

    def at_once(do: Callable[[Path], None]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(do, packs))

    def wait_for_copies() -> None:
        assert gateway_test.until(lambda: waiting(made) == 0, 600), "the worker copies nothing"

    yield "at rest", lambda: time.sleep(1)
    yield f"one object of {LARGEST // MIB} MiB in", lambda: put(whole)
    yield "the same out", lambda: get(whole)
    yield (
        f"a body of {huge // MIB} MiB, refused",
        lambda: line().post(f"{path}data/{refused.name}", refused, huge, status=413 if huge > LARGEST else 200),
    )
    yield f"{AT_ONCE} of {LARGE // MIB} MiB at once in", lambda: at_once(put)
    yield "the same out", lambda: at_once(get)
    yield "until everything is at the second site", wait_for_copies


def content(folder: Path, rng: random.Random, size: int) -> Path:
    """A file called by its SHA-256: a random head, then a hole."""
    new = folder / f"new-{rng.random()}"
    new.write_bytes(rng.randbytes(MIB))
    os.truncate(new, size)
    with new.open("rb") as file:
        name = hashlib.file_digest(file, "sha256").hexdigest()
    return new.rename(folder / name)


def worker(stack: ExitStack, folder: Path) -> int:
    told = {"DATA_DIR": str(folder), "KEYS_DIR": str(folder / "keys"), "DATABASE_URL": "", "BUS": "embedded"}
    command = [sys.executable, "-m", "services.backup", "work"]
    log = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=backup.ROOT, env={**os.environ, **told}, stdout=log, stderr=log)
    stack.callback(gateway_test.stop, process)
    return process.pid


def waiting(made: backup_alone.Alone) -> int:
    with made.database.reading(tenant=backup.CODE) as session:
        return objects.lag(session)[0]


def largest(pid: int) -> int:
    """Bytes of resident memory, at most, since the last step began."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
