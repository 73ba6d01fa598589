"""Many schedules, or one again: `make simulate`, `make simulate SEEDS=20000`, `make simulate SEED=4711`.

Ends with 1 at the first schedule that breaks a promise, and says its seed. Writes what it found into docs/failures.md, of a run of at
least the usual length.
"""

import argparse
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.unbroken.simulation.world import Broken, Stores, World, check

USUAL = 5000
"""Schedules."""
PAGE = Path(__file__).parents[3] / "docs" / "failures.md"
_LINE = re.compile("^結果: .*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Result:
    """Of one schedule: how many events were told, and what was broken, if anything, with the steps to it."""

    seed: int
    told: int
    broken: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulate")
    parser.add_argument("--seeds", type=int, default=USUAL, help="how many schedules")
    parser.add_argument("--first", type=int, default=None, help="seed of the first; by the time if not given")
    parser.add_argument("--seed", type=int, default=None, help="only this one, with its steps")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at once; one for each processor")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kyodo-simulate-", dir=_memory()) as folder:
        if asked.seed is not None:
            return _again(Path(folder), asked.seed)
        first = asked.first if asked.first is not None else int(time.time()) * 1000
        seeds = range(first, first + asked.seeds)
        with ProcessPoolExecutor(asked.jobs, initializer=_open, initargs=(folder,)) as pool:
            code = report(pool.map(_in_a_process, seeds, chunksize=5), seeds)
            pool.shutdown(cancel_futures=True)
        return code


def one(stores: Stores, seed: int) -> Result:
    world = World(stores, seed)
    try:
        check(world)
    except Broken as broken:
        return Result(seed, len(world.told), "\n".join([*world.trace, str(broken)]))
    return Result(seed, len(world.told))


def report(results: Iterable[Result], seeds: Sequence[int]) -> int:
    """Say how it goes, and write it at the end; 1 at the first that is broken."""
    begun, told = time.monotonic(), 0
    for number, result in enumerate(results, 1):
        told += result.told
        if result.broken:
            print(result.broken)
            write(seeds[0], number, told, broken_at=result.seed)
            return 1
        if number % 100 == 0:
            print(f"  {number} schedules, {told} events, seed {result.seed}", flush=True)
    seconds = time.monotonic() - begun
    print(
        f"{len(seeds)} schedules from seed {seeds[0]}: {told} events, each applied once by both readers; {seconds:.0f} s"
    )
    if len(seeds) >= USUAL:
        write(seeds[0], len(seeds), told)
    return 0


def _again(folder: Path, seed: int) -> int:
    """One schedule with its steps. Nothing is written: it is one that somebody wants to understand."""
    logging.disable(logging.ERROR)
    world = World(Stores(folder), seed)
    try:
        check(world)
    except Broken as broken:
        print("\n".join([*world.trace, str(broken)]))
        return 1
    print("\n".join(world.trace))
    return 0


_stores: Stores


def _open(folder: str) -> None:
    """In each process of the pool: databases of its own."""
    global _stores
    logging.disable(logging.ERROR)  # thousands of planned failures
    _stores = Stores(Path(tempfile.mkdtemp(dir=folder)))


def _in_a_process(seed: int) -> Result:
    return one(_stores, seed)


def write(first: int, schedules: int, events: int, *, broken_at: int | None = None, page: Path = PAGE) -> None:
    """The page's line of the last result; `broken_at`: the seed that broke a promise."""
    found = (
        "破れはありません"
        if broken_at is None
        else f"**種 {broken_at} で破れました**(`make simulate SEED={broken_at}`)"
    )
    day = datetime.now(UTC).date()
    line = f"結果: {day}(UTC)、種 {first} から {schedules:,}通り、{events:,}の出来事。{found}。"
    page.write_text(_LINE.sub(line, page.read_text("utf-8"), count=1), "utf-8")


def _memory() -> str | None:
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() else None


if __name__ == "__main__":
    sys.exit(main())
