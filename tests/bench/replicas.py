"""Does one of each role or three make events pass faster or slower? A lock that all replicas share would make three slower than one.

    python -m tests.bench.replicas [--events 2000] [--rounds 3]

As `tests.bench.events`: a source's `work` (relay), a reader's `listen` and `work`, on private RabbitMQ and PostgreSQL nodes that write to
the disk. Rounds with one and with three of each take turns, so that other work of the machine meets both. Writes docs/replicas.md; ends
with 1 when an event was lost, doubled or out of order, or when three are slower than `GOAL` of one.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from infra.local import processes
from libs.common.clock import JST
from libs.common.inbox import InboxRow
from libs.common.tests.events.pair import Pair, in_order, wait_for
from tests.bench.events import TENANTS, all_done, deployed
from tests.bench.gateway import cpu_seconds

PAGE = Path(__file__).parents[2] / "docs" / "replicas.md"
GOAL = 0.75
"""Share of one's throughput that three must keep: three processes on two cores cost switching, a shared lock would cost two thirds."""
SETTLE = 3.0
"""Seconds for processes that were started or ended to find their places."""


@dataclass(frozen=True)
class Round:
    """Events per second, and processor milliseconds per event of all roles together."""

    replicas: int
    rate: float
    cpu: float


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--events", type=int, default=2000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder)) as pair:
        rounds = []
        for _ in range(chosen.rounds):
            rounds.append(one_round(pair, pair.children, 1, chosen.events))
            more = [
                *(pair.start_relay() for _ in "ab"),
                *(pair.start(role) for role in ("listen", "work") for _ in "ab"),
            ]
            time.sleep(SETTLE)
            rounds.append(one_round(pair, pair.children, 3, chosen.events))
            leave(pair, more)
        told, effects = len(pair.expected()), pair.effects()
        lost, doubled = len(pair.expected() - set(effects)), len(pair.doubled())
        in_order(effects)
    text = page(rounds, told, lost, doubled)
    print(text)
    PAGE.write_text(text, "utf-8")
    return 1 if lost or doubled or _share(rounds) < GOAL else 0


def leave(pair: Pair, children: Sequence[subprocess.Popen[bytes]]) -> None:
    """They end as in a cluster: told to, with what they began finished."""
    for child in children:
        child.terminate()
    for child in children:
        processes.stop(child, seconds=60)
        pair.children.remove(child)
    time.sleep(SETTLE)


def one_round(pair: Pair, children: Sequence[subprocess.Popen[bytes]], replicas: int, events: int) -> Round:
    """From the moment the relays may look at a full outbox until the last event is applied."""
    relays = [child for child in children if f"-work-{pair.source}" in child.log.name]  # type: ignore[attr-defined]
    assert len(relays) == replicas
    for relay in relays:
        relay.send_signal(signal.SIGSTOP)
    try:
        for n in range(0, events, 20):
            tenant = TENANTS[n // 20 % len(TENANTS)]
            pair.count([f"{tenant}-{i % 80}" for i in range(n, min(n + 20, events))], tenant=tenant)
    finally:
        began, spent = datetime.now(UTC), sum(cpu_seconds(child.pid) for child in children)
        for relay in relays:
            relay.send_signal(signal.SIGCONT)
    wait_for(lambda: all_done(pair), f"{events} events", pair, seconds=600)
    spent = sum(cpu_seconds(child.pid) for child in children) - spent
    with pair.reader_database.reading() as session:
        ended = session.scalar(select(func.max(InboxRow.handled_at)))
    assert ended is not None
    made = Round(replicas, events / (ended - began).total_seconds(), spent / events * 1000)
    print(f"{replicas} of each: {made.rate:6.0f} events/s, {made.cpu:.1f} ms of processor each", flush=True)
    return made


def _share(rounds: Sequence[Round]) -> float:
    """Three's throughput as a share of one's: the middle of neighbouring rounds."""
    return statistics.median(three.rate / one.rate for one, three in zip(rounds[::2], rounds[1::2], strict=True))


def page(rounds: Sequence[Round], told: int, lost: int, doubled: int) -> str:
    def row(replicas: int) -> str:
        found = [each for each in rounds if each.replicas == replicas]
        rates = [each.rate for each in found]
        middle, cpu = statistics.median(rates), statistics.median(each.cpu for each in found)
        return f"| {replicas} | {middle:.0f} | {min(rates):.0f}－{max(rates):.0f} | {cpu:.1f} |"

    lines = [
        "# 役割を三つずつにする",
        "",
        "`make bench BENCH=replicas` が測って書いたものです。手で直さないでください。",
        "",
        f"- いつ：{datetime.now(JST):%Y年%m月%d日 %H時%M分}（日本時間）、{os.cpu_count()}コア、1分の負荷 {os.getloadavg()[0]:.1f}"
        "（コアの数より大きければ取り合っています。一つと三つを交互に測っています）",
        "- 送り手の work（中継）、受け手の listen と work を、一つずつと三つずつ。PostgreSQL と RabbitMQ（ディスクに書きます）",
        f"- **失われた出来事 {lost}件、二重 {doubled}件**（{told}件のうち。順序も確かめています）",
        f"- 三つのときの速さは、一つのときの {_share(rounds):.2f} 倍（中央値）。みんなが待つ一つの鍵があれば、三分の一に近づきます",
        "",
        "| それぞれの数 | 出来事 毎秒（中央値） | 幅 | 計算 ミリ秒／件（全役割） |",
        "|---|---|---|---|",
        row(1),
        row(3),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
