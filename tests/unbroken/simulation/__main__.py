"""Many schedules, or one again: `make simulate`, `make simulate SEEDS=20000`, `make simulate SEED=4711`.

Ends with 1 at the first schedule that breaks a promise, and says its seed. Writes what it found into docs/failures.md, of a run of at
least the usual length.
"""

import argparse
import logging
import re
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.unbroken.simulation.world import Broken, Stores, World, check

USUAL = 5000
"""Schedules."""
PAGE = Path(__file__).parents[3] / "docs" / "failures.md"
_LINE = re.compile("^結果: .*$", re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulate")
    parser.add_argument("--seeds", type=int, default=USUAL, help="how many schedules")
    parser.add_argument("--first", type=int, default=None, help="seed of the first; by the time if not given")
    parser.add_argument("--seed", type=int, default=None, help="only this one, with its steps")
    asked = parser.parse_args()
    logging.disable(logging.ERROR)  # thousands of planned failures
    first = (
        asked.seed if asked.seed is not None else asked.first if asked.first is not None else int(time.time()) * 1000
    )
    seeds = range(first, first + (1 if asked.seed is not None else asked.seeds))
    with tempfile.TemporaryDirectory(prefix="kyodo-simulate-", dir=_memory()) as folder:
        return _run(Stores(Path(folder)), seeds, steps=asked.seed is not None)


def _run(stores: Stores, seeds: range, *, steps: bool) -> int:
    begun, told = time.monotonic(), 0
    for number, seed in enumerate(seeds, 1):
        world = World(stores, seed)
        try:
            check(world)
        except Broken as broken:
            print("\n".join([*world.trace, str(broken)]))
            if not steps:
                write(seeds[0], number, told, broken_at=seed)
            return 1
        told += len(world.told)
        if steps:
            print("\n".join(world.trace))
        if number % 100 == 0:
            print(f"  {number} schedules, {told} events, seed {seed}", flush=True)
    seconds = time.monotonic() - begun
    print(
        f"{len(seeds)} schedules from seed {seeds[0]}: {told} events, each applied once by both readers; {seconds:.0f} s"
    )
    if len(seeds) >= USUAL:
        write(seeds[0], len(seeds), told)
    return 0


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
