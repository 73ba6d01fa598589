"""Many municipalities back up at once through the gateway; how long each object waited for its copy; how fast everything is read again.

Part of `python -m tests.bench.backup`, on the processes that it has started. Each municipality is a restic of its own with 8 MiB of
random data, so clients share this machine's processors with the servers: the spread says who had to wait, not how fast a line is.
"""

import os
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import psutil
from sqlalchemy import select

from gateway.tests import conftest as gateway_test
from services.backup.__main__ import deployable
from services.backup.db import ObjectRow
from services.backup.db import objects as objects_db
from services.backup.settings import Settings, held
from services.backup.sites import FolderSite
from services.backup.use_cases import sites
from tests.bench import backup, backup_memory

EACH = 8 * 1024 * 1024


def run(made: backup.Ours, folder: Path, rng: random.Random) -> None:
    if not made.towns:
        return
    with ExitStack() as stack:
        backup_memory.worker(stack, made.folder)
        walls = at_once(made, folder, rng)
        print(
            f"\n{len(walls)} municipalities at once, {EACH >> 20} MiB each: no error; wall s of the fastest {min(walls):.1f}, "
            f"median {statistics.median(walls):.1f}, slowest {max(walls):.1f}"
        )
        waits = copied(made)
        print(
            f"copied to the second site: {len(waits)} objects; seconds from arrival to the verified copy: "
            f"median {statistics.median(waits):.1f}, p95 {statistics.quantiles(waits, n=20)[18]:.1f}, most {max(waits):.1f}"
        )
    objects, size, seconds = scrubbed(made)
    print(
        f"read again and compared with SHA-256, cold cache: {objects} objects, {size / 1e6:.0f} MB in {seconds:.1f} s, "
        f"{size / 1e6 / seconds:.0f} MB/s, on {disk_of(made.folder)}"
    )


def at_once(made: backup.Ours, folder: Path, rng: random.Random) -> list[float]:
    """Seconds that each municipality's first backup took. SystemExit if one fails."""
    addresses = {town: made.repository(town) for town in made.towns}
    for town in made.towns:
        place = folder / "towns" / town
        place.mkdir(parents=True)
        (place / "data").write_bytes(rng.randbytes(EACH))

    client = backup.Restic(backup.current_restic())

    def first(town: str, *command: str) -> float:
        begun = time.monotonic()
        client.run(addresses[town], folder / "towns" / f"cache-{town}", command)
        return time.monotonic() - begun

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda town: first(town, "init"), made.towns))
    with ThreadPoolExecutor(len(made.towns)) as pool:
        return list(pool.map(lambda town: first(town, "backup", str(folder / "towns" / town)), made.towns))


def copied(made: backup.Ours) -> list[float]:
    """Seconds between arrival and copy of each object of these municipalities, once all are at the second site."""

    def waiting() -> int:
        total = 0
        for town in made.towns:
            with made.database.reading(tenant=town) as session:
                total += objects_db.lag(session)[0]
        return total

    assert gateway_test.until(lambda: waiting() == 0, 300), "not everything is copied"
    found = []
    for town in made.towns:
        with made.database.reading(tenant=town) as session:
            for row in session.scalars(select(ObjectRow).where(ObjectRow.copied_at.is_not(None))):
                assert row.copied_at
                found.append((row.copied_at - row.arrived_at).total_seconds())
    return found


def scrubbed(made: backup.Ours) -> tuple[int, int, float]:
    """(objects, bytes, seconds): all that lies there is read from the disk once. Without the limit that holds in use."""
    service = deployable.build(Settings(data_dir=made.folder, keys_dir=made.folder / "keys", database_url=None))
    for site in held(service).sites:
        assert isinstance(site, FolderSite)
        forget_pages(site.root)
    later, objects, size, begun = service.clock.now() + timedelta(days=1), 0, 0, time.monotonic()
    for town in made.towns:
        with service.database.reading(tenant=town) as session:
            there = len(list(session.scalars(select(ObjectRow).where(ObjectRow.type != objects_db.LOCKS))))
        while there > 0:
            found = sites.check_some(service, town, later, 10**12)
            assert not found.damaged
            objects, size, there = objects + found.objects, size + found.bytes, there - sites.PAGE
    seconds = time.monotonic() - begun
    service.database.close()
    return objects, size, seconds


def forget_pages(root: Path) -> None:
    """What the kernel keeps of these files in memory goes, so that they are read from the disk."""
    os.sync()
    for path in root.rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def disk_of(folder: Path) -> str:
    """Device, model where it has one, and file system."""
    parts = [part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)]
    part = max(parts, key=lambda part: len(part.mountpoint))
    device = Path(part.device).name
    model = Path(f"/sys/block/{device}/device/model")
    return f"{device} ({model.read_text().strip() if model.exists() else 'virtual disk'}, {part.fstype})"
