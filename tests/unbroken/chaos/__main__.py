"""`make chaos`: for MINUTES of mixed load over all services, processes, broker and database are killed or stopped at random.

Then every write that was acknowledged is looked for. Prints and writes docs/chaos.md: fault × lost × doubled × recovery. Ends with 1 if
anything was lost or doubled.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from infra.local import cloud as clouds
from infra.local import nodes, processes
from tests.integration import test_kill_anything as story
from tests.unbroken.chaos import page
from tests.unbroken.chaos.load import Machine, Visitors, citizens, machine

FROZEN = 20.0
"""Seconds a broker or database does not answer, without being dead."""
CALM = 3.0
"""Seconds between a recovery and the next fault."""


@dataclass
class Fault:
    """One thing that was done. `recovery`: seconds until an application sent afterwards was acknowledged."""

    name: str
    recovery: float = 0.0
    keys: set[str] = field(default_factory=set)


@dataclass
class Chaos:
    running: clouds.Running
    chance: random.Random
    people: story.Citizens
    backing_up: Machine
    done: list[Fault] = field(default_factory=list)

    def faults(self) -> dict[str, Callable[[], None]]:
        killed = {f"kill -9: {name}": self._killing(name) for name in self.running.supervisor.children}
        nodes = {f"kill -9: {name}": node.kill for name, node in self.running.nodes.items()}
        frozen = {f"{name} が{FROZEN:.0f}秒答えない": self._freezing(node) for name, node in self.running.nodes.items()}
        return killed | nodes | frozen

    def go_on_for(self, seconds: float) -> None:
        """Every fault once in random order, then again in another order, until time is up."""
        end, waiting = time.monotonic() + seconds, []
        while time.monotonic() < end:
            if not waiting:
                waiting = list(self.faults().items())
                self.chance.shuffle(waiting)
            name, do = waiting.pop()
            self._one(name, do)

    def _one(self, name: str, do: Callable[[], None]) -> None:
        before, fault = set(self.people.acknowledged), Fault(name)
        do()
        begun, count = time.monotonic(), len(self.people.acknowledged)
        # The second one: the first may have been stored before the fault and only answered after it.
        back = processes.wait_until(lambda: len(self.people.acknowledged) >= count + 2, seconds=180)
        fault.recovery = time.monotonic() - begun if back else float("inf")
        time.sleep(CALM)
        fault.keys = set(self.people.acknowledged) - before
        self.done.append(fault)
        print(f"  {name}: {fault.recovery:.1f} s, {len(fault.keys)} acknowledged meanwhile", flush=True)

    def _killing(self, name: str) -> Callable[[], None]:
        return lambda: os.kill(self.running.supervisor.children[name].process.pid, signal.SIGKILL)

    def _freezing(self, node: nodes.Node) -> Callable[[], None]:
        def freeze() -> None:
            processes.wait_until(node.is_ready, seconds=60)
            assert node.process is not None
            parent = psutil.Process(node.process.pid)
            family = [parent, *parent.children(recursive=True)]
            for each in family:
                each.suspend()
            time.sleep(FROZEN)
            for each in family:
                if each.is_running():
                    each.resume()

        return freeze


def verdict(chaos: Chaos) -> tuple[dict[str, set[str]], dict[str, int], list[str]]:
    """(lost keys by fault, doubled by fault, problems of no one fault), after everything had time to arrive."""
    eapply, tenants = story.databases(chaos.running)
    try:
        arrived = processes.wait_until(
            lambda: not story._waiting(eapply, tenants) and story._all_counted(eapply, tenants), seconds=300
        )
        problems = [] if arrived else story._what_waits(eapply, tenants)
        stored = Counter(ident for town in story.TOWNS for ident in story._stored(eapply, town))
        counted = Counter(ident for town in story.TOWNS for ident in story._counted(tenants, town))
    finally:
        eapply.close()
        tenants.close()
    promised = {key: ident for key, (_, ident) in chaos.people.acknowledged.items()}
    known = Counter(promised.values())
    lost = {key for key, ident in promised.items() if not stored[ident] or not counted[ident]}
    doubled = {key for key, ident in promised.items() if counted[ident] > 1 or known[ident] > 1}
    extra = set(stored) - set(promised.values())
    problems += [f"stored and acknowledged to nobody: {ident}" for ident in extra]
    problems += [f"object acknowledged and lost: {name}" for name in chaos.backing_up.lost()]
    return (
        {fault.name: lost & fault.keys for fault in chaos.done},
        {fault.name: len(doubled & fault.keys) for fault in chaos.done},
        problems,
    )


def run(minutes: float, seed: int) -> int:
    begun = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    with tempfile.TemporaryDirectory(prefix="kyodo-chaos-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with clouds.running(Path(folder), database=True, broker=True) as running:
            watching = threading.Thread(target=running.supervisor.watch)
            watching.start()
            try:
                return _under_load(running, minutes, seed, begun)
            finally:
                running.supervisor.stopping.set()
                watching.join(60)


def _under_load(running: clouds.Running, minutes: float, seed: int, begun: str) -> int:
    stopping = threading.Event()
    backing_up, people, visitors = machine(running, stopping), citizens(running), Visitors(running.url, stopping)
    chaos = Chaos(running, random.Random(seed), people, backing_up)
    people.begin()
    threads = [*backing_up.begin(), *visitors.begin()]
    try:
        people.wait_for_more(3)
        chaos.go_on_for(minutes * 60)
    finally:
        people.end()
        stopping.set()
        for thread in threads:
            thread.join(60)
    lost, doubled, problems = verdict(chaos)
    text = page.written(chaos, visitors, lost, doubled, problems, minutes=minutes, seed=seed, begun=begun)
    print(text)
    page.PAGE.write_text(text, "utf-8")
    return 1 if any(lost.values()) or any(doubled.values()) or problems else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    return run(asked.minutes, asked.seed)


if __name__ == "__main__":
    sys.exit(main())
