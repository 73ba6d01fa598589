"""`make chaos`: for MINUTES of mixed load over all services, processes, broker and database are killed or stopped at random.
`make chaos FAULTS=all` (or names): each of these faults once.

After each fault every write that was acknowledged is looked for, in every place. Writes docs/chaos.md: fault × lost × doubled ×
recovery. Ends with 1 if anything was lost or doubled.
"""

import argparse
import random
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from infra.local import processes
from tests.unbroken.chaos import oracle, page
from tests.unbroken.chaos.faults import Fault, all_faults, kills, named
from tests.unbroken.chaos.load import Visitors, Writer
from tests.unbroken.chaos.oracle import Verdict
from tests.unbroken.chaos.page import Row
from tests.unbroken.chaos.stage import Stage, stage, watched
from tests.unbroken.chaos.writers import everybody

CALM = 4.0
"""Seconds of load before each fault."""
PATIENCE = 180.0
"""Seconds until every writer is answered again, or is not."""
ARRIVING = 300.0
"""Seconds until all has arrived, or counts as lost. A mail that failed twice is tried again after two minutes."""


@dataclass
class Chaos:
    """`before`: what was wrong already when the last fault began."""

    stage: Stage
    writers: dict[str, Any]
    stores: oracle.Stores
    before: Verdict = field(default_factory=Verdict)
    rows: list[Row] = field(default_factory=list)

    def attempt(self, fault: Fault) -> Row:
        """A fault that cannot be done is a line of the table, too, and the others still come."""
        try:
            return self.do(fault)
        except Exception as error:
            at = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
            with suppress(Exception):
                fault.end(self.stage)
            traceback.print_exc()
            why = f"**起こせませんでした**: {type(error).__name__}"
            return Row(fault.title, at, 0, 0, 0, float("inf"), float("inf"), why, 0)

    def do(self, fault: Fault) -> Row:
        """One fault from its beginning to the count."""
        at = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
        if why := fault.lacks(self.stage):
            return Row(fault.title, at, 0, 0, 0, float("inf"), float("inf"), f"行っていません: {why}", 0)
        for writer in self.writers.values():
            writer.go_on()
        time.sleep(CALM)
        failed, acknowledged, resent = self._failures(), self._acknowledged(), self.stage.post.resent()
        fault.begin(self.stage)
        time.sleep(fault.seconds)
        fault.end(self.stage)
        ended = time.monotonic()
        silent = self._answered_again(ended)
        recovery = float("inf") if silent else max(0.0, *(w.failed_at - ended for w in self.writers.values()))
        during = self._acknowledged() - acknowledged
        notes = _failures_in_words(self._failures() - failed)
        stuck = [name for name, writer in self.writers.items() if not writer.rest(60)]
        arrived, verdict = self._arrived()
        new = verdict.since(self.before)
        self.before = verdict
        if resent := self.stage.post.resent() - resent:
            notes.append(f"受領が分からず送り直したメール×{resent}(同じ Message-ID)")
        notes += [f"**答えられないまま**: {name}" for name in {*silent, *stuck}]
        notes += [f"**{what}**" for what in _some([*new.lost, *new.doubled, *new.strange])]
        arrival = arrived - ended if arrived else float("inf")
        notes += [] if arrived else [f"待つもの: {what}" for what in _some(oracle.waiting(self.stores))]
        doubled = new.doubled.total() + new.strange.total()
        return Row(fault.title, at, during, new.lost.total(), doubled, recovery, arrival, "、".join(notes))

    def _answered_again(self, ended: float) -> list[str]:
        """Waits until each writer was answered something it asked for after the end; who was not."""

        def silent() -> list[str]:
            return [name for name, writer in self.writers.items() if not _answered_since(writer, ended)]

        processes.wait_until(lambda: not silent(), seconds=PATIENCE, pause=0.2)
        return silent()

    def _arrived(self) -> tuple[float | None, Verdict]:
        """When all had arrived, if it did; and what is lost or doubled then."""
        end = time.monotonic() + ARRIVING
        while True:
            verdict = self._judged()
            if verdict and not verdict.since(self.before).lost and not oracle.waiting(self.stores):
                return time.monotonic(), verdict
            if time.monotonic() > end:
                return None, verdict or self.before
            time.sleep(0.5)

    def _judged(self) -> Verdict | None:
        """None while the stores cannot be asked."""
        try:
            return oracle.judge(self.writers, self.stores)
        except Exception as error:
            print(f"    cannot count yet: {type(error).__name__}", flush=True)
            return None

    def _failures(self) -> Counter[str]:
        return Counter({f"{name} {how}": n for name, w in self.writers.items() for how, n in w.answers.items()})

    def _acknowledged(self) -> int:
        return sum(len(writer.acknowledged) for writer in self.writers.values())


def _answered_since(writer: Writer, ended: float) -> bool:
    return writer.answered_at > ended


def _failures_in_words(failures: Counter[str]) -> list[str]:
    return [f"{what}×{count}" for what, count in sorted(failures.items())]


def _some(what: list[str]) -> list[str]:
    return what if len(what) <= 5 else [*what[:5], f"ほか{len(what) - 5}"]


def at_random(minutes: float, seed: int) -> Iterator[Fault]:
    """Every kill once in random order, then again in another order, until time is up."""
    chance, end = random.Random(seed), time.monotonic() + minutes * 60
    while True:
        faults = kills()
        chance.shuffle(faults)
        for fault in faults:
            if time.monotonic() > end:
                return
            yield fault


def run(asked: argparse.Namespace, command: str) -> int:
    with stage() as made, watched(made, lambda: _under_load(made, asked, command)) as result:
        return result[0] if result else 2


def _under_load(made: Stage, asked: argparse.Namespace, command: str) -> int:
    stopping = threading.Event()
    stores = oracle.stores_of(made.running)
    writers = everybody(made.running, made.post, stores, stopping)
    for writer in writers.values():
        writer.pause *= asked.pace
    chaos = Chaos(made, writers, stores)
    threads = [thread for each in (*writers.values(), Visitors(made.url, stopping)) for thread in each.begin()]
    faults = named(asked.faults) if asked.faults else at_random(asked.minutes, asked.seed)
    try:
        for fault in faults:
            print(f"  {time.strftime('%H:%M:%S')} {fault.name}", flush=True)
            chaos.rows.append(chaos.attempt(fault))
            if made.running.supervisor.stopping.is_set():
                break  # ended from outside: what was measured while everything went away says nothing
            print(f"  {chaos.rows[-1].line()}", flush=True)
            page.write(chaos.rows, command, [known.title for known in all_faults()])
        writers["objects"].look_again()
        lost = oracle.judge(writers, chaos.stores).since(chaos.before).lost
        print("\n".join(f"  lost since it was seen: {what}" for what in lost), flush=True)
    finally:
        stopping.set()
        for thread in threads:
            thread.join(60)
    for name, writer in writers.items():
        print(f"  {name}: {len(writer.acknowledged)} acknowledged, failed {dict(writer.answers)} {writer.refused[:2]}")
    return 1 if lost or any(row.lost or row.doubled or row.arrival == float("inf") for row in chaos.rows) else 0


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwind: nodes end, disks are taken off
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--faults", default="", help="all, or names with commas; usual: kills at random")
    parser.add_argument(
        "--pace", type=float, default=1, help="10: everybody waits ten times as long between two things"
    )
    asked = parser.parse_args()
    words = f"FAULTS={asked.faults}" if asked.faults else f"MINUTES={asked.minutes:g} SEED={asked.seed}"
    return run(asked, f"make chaos {words}")


if __name__ == "__main__":
    sys.exit(main())
