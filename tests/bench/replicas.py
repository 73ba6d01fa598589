"""One of each role of 電子申請 or three: is anything lost or done twice, and does it get slower? A lock that all replicas share would show.

    python -m tests.bench.replicas [--seconds 30] [--people 6]

The service's api, listen and work, each once and each three times, behind the door and the registry, on private RabbitMQ and PostgreSQL
nodes that write to the disk. Rounds in the order one, three, three, one, so that whatever else the machine does meets both. Writes its part
of docs/roles.md; ends with 1 when an application was lost or doubled, or when three are slower than `GOAL` of one.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from infra.local import processes
from libs.common.clock import JST
from libs.common.ids import new_id
from tests.bench import roles
from tests.integration import test_kill_anything as story
from tests.unbroken.chaos.load import citizens
from tests.unbroken.fleet.running import Fleet, Member, fleet, roles_of

SERVICE = "eapply"
TRIPLED = [(SERVICE, role) for role in ("api", "listen", "work")]
GOAL = 0.9
"""Share of one's throughput that three must keep: what is below one is noise of a machine with fewer cores than processes; a lock that all
share would cost much more."""
TITLE = "役割を三つずつにする"


@dataclass(frozen=True)
class Round:
    """`taken`: applications acknowledged a second; `through`: a second, until the registry had counted the last of them."""

    replicas: int
    count: int
    taken: float
    through: float


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=30, help="of load in each round")
    options.add_argument("--people", type=int, default=6, help="who apply at the same time; an even number")
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kyodo-replicas-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with fleet(Path(folder), each=1, roles=roles_of(["tenants", SERVICE])) as running:
            people = citizens(running.running)
            rounds, problem = measure(running, people, chosen.seconds, chosen.people)
    said = text(rounds, problem, chosen.seconds, chosen.people)
    print(said)
    roles.write_part(TITLE, said)
    return 1 if problem or share(rounds) < GOAL else 0


def measure(running: Fleet, people: story.Citizens, seconds: float, at_once: int) -> tuple[list[Round], str]:
    """The rounds, and what is lost or doubled after them ("" for nothing)."""
    one_round(running, people, 5, at_once)  # caches fill, connections open
    rounds = [one_round(running, people, seconds, at_once)]
    more = triple(running)
    rounds += [one_round(running, people, seconds, at_once) for _ in range(2)]
    for member in more:
        running.let_go(member)
    rounds.append(one_round(running, people, seconds, at_once))
    try:
        assert not people.refused, people.refused[:3]
        story.everything_arrived(running.running, people)
    except AssertionError as error:
        return rounds, str(error)[:600]
    people.acknowledged["planted"] = (story.TOWNS[0], new_id())
    with pytest.raises(AssertionError, match="acknowledged and lost"):  # the search would have found it
        story.everything_arrived(running.running, people)
    return rounds, ""


def triple(running: Fleet) -> list[Member]:
    before = len(running.members)
    running.start_together(TRIPLED * 2)
    return running.members[before:]


def one_round(running: Fleet, people: story.Citizens, seconds: float, at_once: int) -> Round:
    """All apply for so long; over when what they were told of is counted."""
    before, begun = len(people.acknowledged), time.monotonic()
    people.stopping.clear()
    for _ in range(at_once // len(story.TOWNS)):
        people.begin()
    time.sleep(seconds)
    people.end()
    people.threads.clear()
    taken, count = time.monotonic() - begun, len(people.acknowledged) - before
    assert processes.wait_until(lambda: counted(running) >= len(people.acknowledged), seconds=180), (
        "not all are counted"
    )
    through = time.monotonic() - begun
    made = Round(len(running.of(SERVICE, "api")), count, count / taken, count / through)
    print(
        f"{made.replicas} of each: {count} applications, {made.taken:.1f}/s taken, {made.through:.1f}/s through",
        flush=True,
    )
    return made


def counted(running: Fleet) -> int:
    eapply, tenants = story.databases(running.running)
    eapply.close()
    try:
        return sum(len(story._counted(tenants, town)) for town in story.TOWNS)
    finally:
        tenants.close()


def share(rounds: Sequence[Round]) -> float:
    """Three's throughput as a share of one's."""
    one, three = ([each.through for each in rounds if each.replicas == replicas] for replicas in (1, 3))
    return statistics.mean(three) / statistics.mean(one)


def text(rounds: Sequence[Round], problem: str, seconds: float, at_once: int) -> str:
    rows = [f"| {each.replicas} | {each.count} | {each.taken:.1f} | {each.through:.1f} |" for each in rounds]
    found = problem or "0件（台帳で数えたことまで確かめました。わざと入れた一件は見つかりました）"
    lines = [
        "`make bench BENCH=replicas` が測って書いたものです。",
        "",
        f"- いつ：{datetime.now(JST):%Y年%m月%d日 %H時%M分}（日本時間）、{os.cpu_count()}コア、1分の負荷 {os.getloadavg()[0]:.1f}"
        "（コアの数より大きければ取り合っています）",
        f"- 電子申請（{SERVICE}）の api、listen、work を一つずつと三つずつ。入口と台帳は一つずつ。"
        "PostgreSQL と RabbitMQ（ディスクに書きます）",
        f"- {at_once}人が{seconds:.0f}秒申請し続けます。一つ、三つ、三つ、一つの順です",
        f"- **失われた・二重になった申請：{found}**。申請は合わせて{sum(each.count for each in rounds)}件",
        f"- 三つのときの速さは、一つのときの **{share(rounds):.2f}倍**（台帳で数え終わるまで。目標 {GOAL}倍以上）。"
        "二つのコアは一つずつのときからいっぱいなので、三つにしても速くはなりません。待ち合わせで遅くならないことだけを見ています",
        "",
        "| それぞれの数 | 申請 | 受け付け 毎秒 | 台帳で数え終わるまで 毎秒 |",
        "|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
