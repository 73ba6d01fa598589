"""The prefecture's year in an hour through the door, and a town beside one that has ten times its load.

    python -m tests.bench.eapply_door [--seconds 60] [--rates 5,10,20,40,60,77.5] [--usual 2] [--broker]

A whole cloud with the sample on a private PostgreSQL node that writes to the disk as real ones do, every application an HTTP request
through the gateway: session of a new guest, signature, use case, COMMIT, outbox, the workers and the counts behind it. People come when
they come (open loop): a time is counted from the wish to apply. Whoever asks is on the same machine, and its processor time is printed
apart. The door's limits by network and municipality are off, because all who come have one address here.

1. Noise: a town with its usual load, twice; what differs between the two is no result.
2. Rates, one after the other, each for `--seconds`: error-free is a rate at which everybody was answered 2xx, nobody was turned away and
   p95 is at most two seconds. The highest of them, the processor seconds of one application by program, and the cores that the year in an
   hour (278,970 applications, 77.5 a second) needs by that. The rates end with the first that is not error-free.
3. The town with its usual load again, while another has ten times as much: ratio of p95, and of the processor seconds an application
   costs. Programs serve all towns, so what one town's requests took cannot be told apart from another's.

In the end every application that was acknowledged must be stored and counted, once.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.local import cloud as clouds
from infra.local import processes
from libs.common.ids import new_id
from tests.integration.test_kill_anything import CODES
from tests.unbroken import load
from tests.unbroken.chaos import oracle
from tests.unbroken.chaos.load import citizens
from tests.unbroken.chaos.writers import Applicant

YEAR, HOUR = 278_970, 3600
SLOWEST = 2000.0
"""Milliseconds at p95 from which a rate is no longer kept up (OpenCRVS's performance tests stop there, too)."""
TIMES = 10


@dataclass
class Window:
    """What came of one window. `cpu`: program → processor seconds in it."""

    tally: load.Tally
    cpu: dict[str, float]

    @property
    def p95(self) -> float:
        return load.percentile(self.tally.times, 95)

    @property
    def is_free_of_errors(self) -> bool:
        return bool(self.tally.times) and not self.tally.failed and not self.tally.turned_away and self.p95 <= SLOWEST

    @property
    def cpu_each(self) -> float:
        """Processor seconds of the cloud for one application that was answered well, who asked not counted."""
        return self.cpu_all / len(self.tally.times) if self.tally.times else float("nan")

    @property
    def cpu_all(self) -> float:
        return sum(seconds for program, seconds in self.cpu.items() if program != ASKING)


ASKING = "(who asks)"


def processor(running: clouds.Running) -> dict[str, float]:
    """Processor seconds so far of each program with its children, of each node, and of this process."""
    pids = {name: child.process.pid for name, child in running.supervisor.children.items()}
    pids |= {name: node.process.pid for name, node in running.nodes.items() if node.process}
    return {name: _seconds(pid) for name, pid in pids.items()} | {ASKING: sum(os.times()[:2])}


def _seconds(pid: int) -> float:
    """Of what has ended meanwhile, too: `children_user` and `children_system` count it."""
    parent = psutil.Process(pid)
    found = 0.0
    for each in (parent, *parent.children(recursive=True)):
        try:
            found += sum(each.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return found


async def window(year: load.Year, rates: Mapping[str, float], seconds: float) -> dict[str, Window]:
    """Town → what came of it, with `rates` applications a second in each for `seconds`, and until all are answered. The processor
    seconds are of all of them together."""
    tallies = {town: load.Tally() for town in rates}
    before = processor(year.running)
    async with load.browsers() as session:
        await asyncio.gather(*(
            load.arrivals(lambda _, rate=rate: rate, seconds, lambda town=town: year.send(session, tallies[town], town, new_id()))
            for town, rate in rates.items()
        ))  # fmt: skip
    behind(year)  # what the workers still do for these belongs to them
    after = processor(year.running)
    cpu = {name: after[name] - before.get(name, 0.0) for name in after}
    return {town: Window(tally, cpu) for town, tally in tallies.items()}


def behind(year: load.Year) -> None:
    processes.wait_until(lambda: not oracle.waiting(year.stores), seconds=600, pause=0.5)


def line(name: str, found: Window, seconds: float) -> None:
    tally = found.tally
    p50, p95, p99 = (load.percentile(tally.times, part) for part in (50, 95, 99))
    cost = (
        f"  {1000 * found.cpu_each:.1f} ms CPU each  cores {found.cpu_all / seconds:.2f}" if found.cpu else ""
    )  # of two towns at once it is not either's
    print(
        f"{name:<34} {len(tally.times):>6} ok  {tally.turned_away:>5} turned away  {len(tally.failed):>5} failed"
        f"  p50/95/99 {p50:.0f}/{p95:.0f}/{p99:.0f} ms{cost}  load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def rates(year: load.Year, wanted: list[float], seconds: float) -> tuple[float, Window | None]:
    """The highest rate of `wanted` that was error-free, with its window."""
    best: tuple[float, Window | None] = (0.0, None)
    for rate in wanted:
        parts = asyncio.run(window(year, dict.fromkeys(CODES, rate / len(CODES)), seconds))
        tally = load.Tally()
        for each in parts.values():
            tally.times += each.tally.times
            tally.turned_away += each.tally.turned_away
            tally.failed += each.tally.failed
        found = Window(tally, next(iter(parts.values())).cpu)
        line(f"{rate:g} a second, {seconds:g} s", found, seconds)
        if not found.is_free_of_errors:
            break
        best = rate, found
    return best


def measure(running: clouds.Running, asked: argparse.Namespace) -> int:
    citizens(running)  # waits for the towns' rooms
    people = {town: Applicant(threading.Event(), town=town) for town in CODES}
    year = load.Year(running, oracle.stores_of(running), people, 0)
    usual = {load.NEIGHBOUR: asked.usual}
    asyncio.run(window(year, usual, min(asked.seconds, 10)))  # warm

    print("-- noise: the same twice", flush=True)
    quiet = [asyncio.run(window(year, usual, asked.seconds))[load.NEIGHBOUR] for _ in range(2)]
    for number, each in enumerate(quiet, 1):
        line(f"usual load, {asked.usual:g} a second ({number})", each, asked.seconds)
    print(f"noise: p95 {_apart(*(each.p95 for each in quiet))}, CPU each {_apart(*(each.cpu_each for each in quiet))}")

    print("-- a town beside one at ten times its load", flush=True)
    crowd = usual | {load.TOWN: TIMES * asked.usual}
    both = asyncio.run(window(year, crowd, asked.seconds))
    for town, name in ((load.NEIGHBOUR, "usual load beside it"), (load.TOWN, f"the town at {TIMES} times")):
        line(name, Window(both[town].tally, {}), asked.seconds)
    beside, alone = both[load.NEIGHBOUR], statistics.fmean(each.p95 for each in quiet)
    all_times = sum(len(each.tally.times) for each in both.values())
    each_beside = beside.cpu_all / all_times if all_times else float("nan")
    each_alone = statistics.fmean(each.cpu_each for each in quiet)
    print(
        f"p95 beside / alone {beside.p95 / alone:.2f}; CPU of one application beside / alone {each_beside / each_alone:.2f}"
    )

    print("-- rates through the door, over two towns", flush=True)
    best, found = rates(year, [float(rate) for rate in asked.rates.split(",")], asked.seconds)
    if found is not None:
        for program, seconds in sorted(found.cpu.items(), key=lambda each: -each[1]):
            print(f"   {program:<12} {1000 * seconds / len(found.tally.times):6.1f} ms CPU an application")
        print(f"highest error-free rate of these: {best:g} a second (goal {YEAR / HOUR:.1f}) on {os.cpu_count()} cores")
        print(f"cores that {YEAR / HOUR:.1f} a second need by that: {found.cpu_each * YEAR / HOUR:.1f}")
    behind(year)
    verdict = oracle.judge(people, year.stores)
    sent = sum(len(each.acknowledged) for each in people.values())
    print(f"acknowledged {sent}, lost {verdict.lost.total()}, doubled {verdict.doubled.total()}")
    return 1 if verdict.lost or verdict.doubled or found is None else 0


def _apart(one: float, two: float) -> str:
    return f"{max(one, two) / min(one, two):.2f} times apart"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of each window")
    parser.add_argument("--rates", default="5,10,20,40,60,77.5", help="applications a second, rising")
    parser.add_argument("--usual", type=float, default=2, help="applications a second in a town on a usual day")
    parser.add_argument(
        "--broker", action="store_true", help="events over a private RabbitMQ instead of the embedded bus"
    )
    asked = parser.parse_args(arguments)
    os.environ["LIMITS"] = json.dumps({"subject": "1200/minute", "machine": "12000/minute"})
    print(
        f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores; limits by network and municipality off",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="kyodo-door-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # as root, PostgreSQL runs as another user and must be able to walk in
        with clouds.running(Path(folder), database=True, broker=asked.broker) as running:
            return measure(running, asked)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
