"""`make chaos`: mixed load over all services while everything fails that docs/chaos.md names, each fault at least once.

    make chaos MINUTES=3            every fault once, outages shortened; then more of them at random until time is up
    make chaos MINUTES=150          outages at their whole length (an hour without the broker among them)
    make chaos MINUTES=3 PART=1/2   only the first half of the faults; PART=2/2 adds the other half to the page

Then every write that was acknowledged is looked for. Prints and writes docs/chaos.md: fault × lost × doubled × recovery. Ends with 1 if
anything was lost or doubled, or if the judges do not see what is planted.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from infra.local import processes
from tests.unbroken.chaos import page, verdict
from tests.unbroken.chaos.faults import Faults
from tests.unbroken.chaos.load import Applicants, Visitors, Writer
from tests.unbroken.chaos.people import writers
from tests.unbroken.chaos.stage import Stage, standing

WHOLE = 150.0
"""Minutes of a run in which every outage has its whole length."""
CALM = 1.0
"""Seconds between a recovery and the next fault."""
LOST_PATIENCE = 240.0
"""Seconds after which a fault counts as never recovered from."""


@dataclass
class Done:
    """One fault as it went. `seconds` it lasted; `recovery`: seconds from its end until two new applications were acknowledged;
    `arrival`: until all that was acknowledged before had been counted by the registry. `keys`: (writer's number, key)."""

    name: str
    seconds: float = 0.0
    recovery: float = 0.0
    arrival: float = 0.0
    keys: set[tuple[int, str]] = field(default_factory=set)


@dataclass
class Chaos:
    stage: Stage
    people: list[Writer]
    chance: random.Random
    done: list[Done] = field(default_factory=list)

    def go_on_for(self, faults: dict[str, Callable[[], None]], seconds: float) -> None:
        """Every fault once in random order, then some again in another order while there is time."""
        end, first = time.monotonic() + seconds, True
        while first or time.monotonic() < end:
            order = list(faults.items())
            self.chance.shuffle(order)
            for name, do in order:
                if first or time.monotonic() < end:
                    self._one(name, do)
            first = False

    def _one(self, name: str, do: Callable[[], None]) -> None:
        before, begun, done = self._acknowledged(), time.monotonic(), Done(name)
        do()
        ended = time.monotonic()
        done.seconds, count = ended - begun, self._applications()
        # The second one: the first may have been stored before the fault and only answered after it.
        back = processes.wait_until(lambda: self._applications() >= count + 2, seconds=LOST_PATIENCE)
        done.recovery = time.monotonic() - ended if back else float("inf")
        done.arrival = self._until_counted(ended)
        time.sleep(CALM)
        done.keys = self._acknowledged() - before
        self.done.append(done)
        print(
            f"  {name}: {done.seconds:.0f} s, back after {done.recovery:.1f} s, all counted after {done.arrival:.1f} s,"
            f" {len(done.keys)} acknowledged meanwhile", flush=True,
        )  # fmt: skip

    def _acknowledged(self) -> set[tuple[int, str]]:
        return {(number, key) for number, writer in enumerate(self.people) for key in tuple(writer.acknowledged)}

    def _applications(self) -> int:
        return sum(len(writer.acknowledged) for writer in self.people if isinstance(writer, Applicants))

    def _until_counted(self, ended: float) -> float:
        """Seconds until the registry has counted every application acknowledged by now."""
        now = {
            ident for each in self.people if isinstance(each, Applicants) for ident in tuple(each.acknowledged.values())
        }
        stores = verdict.Stores(self.stage.running)
        try:
            arrived = processes.wait_until(lambda: now <= set(stores.counted()), seconds=LOST_PATIENCE, pause=0.3)
        finally:
            stores.close()
        return time.monotonic() - ended if arrived else float("inf")


def part_of(faults: dict[str, Callable[[], None]], part: str) -> dict[str, Callable[[], None]]:
    """`2/3`: the second third."""
    which, of = (int(number) for number in part.split("/"))
    return {name: do for place, (name, do) in enumerate(faults.items()) if place % of == which - 1}


def run(minutes: float, seed: int, part: str) -> int:
    begun = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    with tempfile.TemporaryDirectory(prefix="kyodo-chaos-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with standing(Path(folder)) as stage:
            return _under_load(stage, minutes, seed, part, begun)


def _under_load(stage: Stage, minutes: float, seed: int, part: str, begun: str) -> int:
    stopping, chance, poison = threading.Event(), random.Random(seed), set[str]()
    people, visitors = writers(stage.running, stopping), Visitors(stage.running.url, stopping)
    chaos = Chaos(stage, people, chance)
    faults = Faults(stage, min(1.0, minutes / WHOLE), poison, chance)
    threads = [thread for each in (*people, visitors) for thread in each.begin()]
    try:
        assert processes.wait_until(lambda: all(each.acknowledged for each in people), seconds=120), (
            "nothing is acknowledged"
        )
        chaos.go_on_for(part_of(faults.all(), part), minutes * 60)
    finally:
        stopping.set()
        for thread in threads:
            thread.join(60)
    found = verdict.reached(stage.running, people, stage.mails.taken, poison)
    found.problems += verdict.blind(stage.running, people)
    text = page.written(chaos.done, people, visitors, found, page.Run(begun, minutes, seed, part))
    print(text)
    page.keep(text, first=part.startswith("1/"))
    return 0 if found.good else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--part", default="1/1")
    asked = parser.parse_args()
    return run(asked.minutes, asked.seed, asked.part)


if __name__ == "__main__":
    sys.exit(main())
