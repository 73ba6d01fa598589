"""A municipality with many gigabytes leaves, and moves in elsewhere: the memory that each process needs for it.

    python -m tests.bench.takeout [--mib 1024] [--small 64]

The tenant has attachments of 8 MiB, half of them of random bytes, in e-application. Each step is a process of its own, first with the
small tenant, then with the large one: the room writes its archive; the service's app serves it; the registry sends the archive of
everything (all of it is received and looked at); a room elsewhere takes its part in. Printed: the largest resident memory of each
(VmHWM) and what the large tenant needs more than the small one. Goal: flat, whatever the size. Needs five times `--mib` on the disk.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from infra.local import processes
from libs.common import jobs, keys
from libs.common.ids import new_id
from libs.common.migrate import migrate
from libs.common.room import RoomRequest, RoomRow, drain
from libs.common.room.archive import Reader
from libs.common.service import Service
from services.__main__ import DEPLOYABLES
from services.eapply.db import AttachmentRow
from services.eapply.rooms import EapplyRoom
from services.tenants import takeaway, worker
from services.tenants.db.takeouts import TakeoutPartRow, TakeoutRow
from services.tenants.settings import files_of
from services.tenants.use_cases import takeouts

TOWN = "405221"
PIECE = 8 * 1024**2
"""Bytes of one attachment."""
MORE = 32
"""MiB that a step may need more for the large tenant, as the allocator has it: more is not flat."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--small", type=int, default=64)
    options = parser.parse_args(arguments)
    print(f"load average at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    small, large = measured(options.small), measured(options.mib)
    flat = True
    for step, (peak, seconds) in large.items():
        more = peak - small[step][0]
        flat = flat and more <= MORE
        print(f"{step:44}{small[step][0]:6.0f} MiB → {peak:6.0f} MiB  ({more:+.0f}; goal ≤ +{MORE}; {seconds:.1f} s)")
    print(f"from {options.small} to {options.mib} MiB of one municipality: {'flat' if flat else 'NOT FLAT'}")
    return 0 if flat else 1


def measured(mib: int) -> dict[str, tuple[float, float]]:
    """Step → (largest resident memory in MiB, seconds)."""
    found: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(prefix="kyodo-bench-", ignore_cleanup_errors=True) as name:
        here, there = Path(name) / "here", Path(name) / "there"
        for folder in (here, there):
            keys.ensure(folder / "keys", ["gateway", *(d.name for d in DEPLOYABLES)])
            for service in ("tenants", "eapply"):
                migrate(made_settings(service, folder), service, f"services.{service}")
        alone(furnished, here, mib)
        facts, *found["the room writes its archive"] = alone(written, here)
        with serving(here) as (port, peak):
            sum_of_all, *found["the registry sends the archive of everything"] = alone(sent, here, port, facts)
            found["the service's app serves its part"] = (
                peak(),
                found["the registry sends the archive of everything"][1],
            )
        assert sum_of_all > mib * 1024**2 // PIECE * PIECE, "planted: everything came through"
        _, *found["a room elsewhere takes its part in"] = alone(taken_in, there, here / "everything.zip")
    return found


def alone(act: Callable[..., Any], *given: Any) -> Any:
    """`act` in a new process: (what it gives, its largest resident memory in MiB, seconds)."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_reported, act, *given).result()


def _reported(act: Callable[..., Any], *given: Any) -> tuple[Any, float, float]:
    begun = time.monotonic()
    found = act(*given)
    return found, peak_of(os.getpid()), time.monotonic() - begun


def peak_of(pid: int) -> float:
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def made_settings(name: str, folder: Path, **more: Any) -> Any:
    deployable = next(d for d in DEPLOYABLES if d.name == name)
    told = {"data_dir": folder, "keys_dir": folder / "keys", "database_url": None, "sample": False, **more}
    return deployable.settings().model_copy(update=told)


def made(name: str, folder: Path, **more: Any) -> Service:
    deployable = next(d for d in DEPLOYABLES if d.name == name)
    return deployable.build(made_settings(name, folder, **more))


# ---- the steps ------------------------------------------------------------------------------------------------------


def furnished(folder: Path, mib: int) -> None:
    """A room with so many MiB of attachments."""
    service, now = made("eapply", folder), datetime.now(UTC)
    drain(EapplyRoom(service).provision(RoomRequest("r", TOWN, "provision")))
    with service.database.transaction() as session:
        session.add(RoomRow(tenant=TOWN, code=TOWN, name="大木町", state="provisioned", changed_at=now))
    for number in range(mib * 1024**2 // PIECE):
        content = os.urandom(PIECE) if number % 2 else bytes([number % 256]) * PIECE
        stored = service.extras["files"].put(TOWN, [content], limit=PIECE)
        row = AttachmentRow(id=stored.id, path="paper", name=f"{number}.pdf", size=stored.size, sha256=stored.sha256)
        row.media_type, row.added_at, row.application_id = "application/pdf", now, new_id()
        with service.database.transaction(tenant=TOWN) as session:
            session.add(row)


def written(folder: Path) -> dict[str, Any]:
    return drain(EapplyRoom(made("eapply", folder)).export(RoomRequest("e", TOWN, "export")))


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, Callable[[], float]]]:
    """E-application's app: its port, and the largest memory it needed so far."""
    port = processes.free_port()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(folder, port))
    process.start()
    try:
        if not processes.wait_until(lambda: processes.listens(port), seconds=120):
            raise RuntimeError("the app did not start")
        yield port, lambda: peak_of(process.pid or 0)
    finally:
        process.terminate()
        process.join()


def serve(folder: Path, port: int) -> None:
    deployable = next(d for d in DEPLOYABLES if d.name == "eapply")
    uvicorn.run(deployable.create_app(made("eapply", folder)), port=port, log_level="error")


def sent(folder: Path, port: int, facts: dict[str, Any]) -> int:
    """Everything, as the administrator's browser gets it; how many bytes that were."""
    service, now = made("tenants", folder, upstreams={"eapply": f"http://127.0.0.1:{port}"}), datetime.now(UTC)
    with service.database.transaction(tenant=TOWN) as session:
        row = TakeoutRow(tenant=TOWN, asked_by="bench", asked_at=now)
        session.add(row)
        session.flush()
        part = TakeoutPartRow(takeout=row.id, service="eapply", tenant=TOWN, heard_at=now, state="exported")
        part.file, part.size, part.sha256 = facts["file"], facts["size"], facts["sha256"]
        session.add(part)
        takeouts.gather(session, row, now)
        ident = row.id
    while jobs.run_next(service, worker.jobs):
        pass
    stored = takeaway.gathered(service, TOWN, ident, now).file
    target = folder / "everything.zip"
    with target.open("wb") as out, files_of(service).open(TOWN, stored or "") as opened:
        for piece in opened.chunks:
            out.write(piece)
    with target.open("rb") as source:
        wrong = Reader(source, takeaway.FORMAT, TOWN).wrong()
    if wrong:
        raise RuntimeError(f"not as the manifest tells: {wrong}")
    return sum_of(target)


def sum_of(target: Path) -> int:
    """Bytes of what lies in the archive's part, unpacked."""
    with target.open("rb") as source, tempfile.TemporaryFile() as inner:
        for piece in Reader(source, takeaway.FORMAT, TOWN).pieces("services/eapply.zip"):
            inner.write(piece)
        return sum(each.file_size for each in zipfile.ZipFile(inner).infolist())


def taken_in(folder: Path, archive: Path) -> None:
    service = made("eapply", folder)
    with archive.open("rb") as source:
        pieces = Reader(source, takeaway.FORMAT, TOWN).pieces("services/eapply.zip")
        stored = service.extras["files"].put(TOWN, pieces, limit=10**15)
    drain(EapplyRoom(service).import_(RoomRequest("i", TOWN, "import", archive=stored.id)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
