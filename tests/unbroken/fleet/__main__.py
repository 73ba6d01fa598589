"""`make rolling`: two processes of every role, each replaced one after another while everybody reads and writes through the door.

    python -m tests.unbroken.fleet [--services tenants eapply] [--in-turn] [--only eapply]

First a process more of a service and of the door is killed (SIGKILL) while people use it: that must be seen. Then every process is
replaced as infra/k8s does it. `--services`: only these beside the door; "tenants" is among them, since the door asks it for the
municipalities. `--in-turn`, on a machine too small for all: a fleet of tenants, the door and one of the services after another.
`--only`: of all that runs, the roles of this service are replaced. Prints the table, writes docs/rolling.md (a row stays until the same
role is replaced again), and ends with 1 when a request went wrong or something is lost or doubled.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from infra.local import cloud as clouds
from libs.common.clock import JST
from tests.unbroken.chaos.page import kept_rows
from tests.unbroken.fleet.load import Load
from tests.unbroken.fleet.running import AS_IN_THE_MANIFESTS, DOOR, HEARS_AFTER, WITHOUT_CARE, Fleet, fleet, roles_of

PAGE = Path(__file__).parents[3] / "docs" / "rolling.md"
WRITTEN = {
    "tenants": "問い合わせ",
    "eapply": "申請（台帳で数えられたことまで）",
    "backup": "預かったもの",
    "ebid": "発注見通し",
    "opendata": "データの要望",
}
"""What people write at each service, and is looked for afterwards."""
CALM = 2.0
"""Seconds of load between two replacements."""


@dataclass(frozen=True)
class Replaced:
    """What happened while all processes of one role were replaced."""

    service: str
    role: str
    count: int
    seconds: float
    requests: int
    errors: list[str]
    ready_after: float
    """Seconds from a new process's start until it was ready, the longest."""


def replace_all(running: Fleet, load: Load, service: str, role: str) -> Replaced:
    begun, good, bad = time.monotonic(), sum(load.tally.good.values()), len(load.tally.errors)
    old = running.of(service, role)
    for member in old:
        running.replace(member)
        time.sleep(CALM)
    done = sum(load.tally.good.values()) - good
    errors = load.tally.errors[bad:]
    ready = max(running.ready_after[service, role][-len(old) :])
    made = Replaced(service, role, len(old), time.monotonic() - begun, done + len(errors), errors, ready)
    print(
        f"  {service} {role}: {made.count} replaced in {made.seconds:.0f} s, {made.requests} requests, {len(errors)} errors"
    )
    return made


def planted(running: Fleet, load: Load) -> list[str]:
    """What people got when one more process of a service and of the door was killed while they used it."""
    before = len(load.tally.errors)
    running.leave = WITHOUT_CARE
    service = next(each.service for each in reversed(running.members) if each.service != "gateway")
    careless = [running.start(each, "api") for each in (service, "gateway")]
    running.leave = AS_IN_THE_MANIFESTS
    time.sleep(CALM)  # they are used
    for member in careless:
        running.let_go(member)
    settle(load)
    found = load.tally.errors[before:]
    del load.tally.errors[before:]
    if load.applicants:
        load.applicants.refused.clear()
    return found


def settle(load: Load) -> None:
    """Until nothing has gone wrong for a while: a breaker of the door may stay open after a process was killed."""
    seen, since, end = len(load.tally.errors), time.monotonic(), time.monotonic() + 90
    while time.monotonic() - since < 3 * CALM and time.monotonic() < end:
        time.sleep(0.2)
        if len(load.tally.errors) != seen:
            seen, since = len(load.tally.errors), time.monotonic()


@dataclass(frozen=True)
class Outcome:
    """`planted`: errors where there had to be some. `problems`: what was acknowledged and is not there once."""

    planted: list[str]
    rows: list[Replaced]
    errors: list[str]
    problems: list[str]
    good: Counter[str]

    def __add__(self, later: "Outcome") -> "Outcome":
        return Outcome(
            self.planted + later.planted,
            self.rows + later.rows,
            self.errors + later.errors,
            self.problems + later.problems,
            self.good + later.good,
        )


def rolling_update(
    folder: Path, services: Sequence[str] = clouds.SERVICES, replaced: Sequence[str] | None = None
) -> Outcome:
    """`replaced`: of these services, and of the door where it is among them; default: all, and the door.

    Raises AssertionError when a process does not become ready or does not end by itself, or when nobody notices what is planted.
    """
    roles = roles_of(services)
    wanted = [one for one in roles if replaced is None or one[0] in replaced]
    with fleet(folder, each=2, roles=roles) as running:
        load = Load(running)
        load.begin()
        try:
            seen = planted(running, load)
            assert seen, "two were let go without care, and nobody noticed: the load shows nothing"
            rows = [replace_all(running, load, service, role) for service, role in wanted]
        finally:
            load.end()
        return Outcome(seen, rows, load.tally.errors, load.problems(), load.tally.good)


def groups(services: Sequence[str], *, in_turn: bool) -> list[tuple[list[str], list[str]]]:
    """(what runs beside the door, what is replaced) of each fleet. `tenants` and the door are replaced in the first."""
    if not in_turn:
        return [(list(services), [*services, DOOR[0]])]
    others = [service for service in services if service != "tenants"]
    first = ["tenants", DOOR[0]]
    return [(["tenants", service], [*(first if number == 0 else []), service]) for number, service in enumerate(others)]


def page(outcome: Outcome, begun: datetime, services: Sequence[str], command: str, *, in_turn: bool = False) -> str:
    """The page that stands in docs: this run, and the rows of it and of earlier ones."""
    at, load = f"{begun:%Y-%m-%d %H:%M}", os.getloadavg()[0]
    rows = kept_rows(PAGE) | {
        f"{row.service} {row.role}": f"| {row.service} {row.role} | {at} | {row.count} | {row.seconds:.0f} | {row.ready_after:.1f} |"
        f" {row.requests} | {len(row.errors)} | {load:.1f} |"
        for row in outcome.rows
    }
    good = "、".join(f"{name} {count}" for name, count in sorted(outcome.good.items()))
    lines = [
        "# 動かしたまま入れ替える",
        "",
        "`make rolling` が測って書いたものです。手で直さないでください。行は、同じ役割をもう一度入れ替えるまで残ります。",
        "",
        f"- 最後に書いた命令は `{command}`（{at} 日本時間）、{os.cpu_count()}コア。PostgreSQL と RabbitMQ、"
        f"{_which(services, in_turn=in_turn)}を二つずつ",
        "- 入れ替え方は infra/k8s と同じ順です。新しいものが準備できてから、古いものが行き先から外れるまで答え続け、"
        "SIGTERM のあと「この接続は終わり」と答えてから終わります。行き先が外れるのは、終わると決まってから"
        f"{HEARS_AFTER:.0f}秒あとです",
        "- 「負荷」は1分の負荷平均です。コアの数より大きければ、ほかの仕事と取り合っていて、準備までの秒は長く出ます",
        "- クラスターの Service の代わりに、接続ごとに振り分けるだけの中継を置いています。本物のクラスターでは測っていません",
        f"- そのあいだの利用者（一度だけ送り、失敗したら数えます。最後の回にうまくいった数）：{good}",
        f"- **わざと壊したとき**（行き先から外れる{WITHOUT_CARE.hears:.0f}秒前に、いきなり止める：SIGKILL）："
        f"最後の回は {len(outcome.planted)}件の失敗が見つかりました。調べ方が失敗を見つけられることの確かめです",
        f"- **最後の回の失敗：{len(outcome.errors)}件。受け付けたのに、ない・二つあるもの：{len(outcome.problems)}件**"
        f"（調べたもの：{'、'.join(WRITTEN[service] for service in services)}）",
        "",
        "| 役割 | 測った日時(日本時間) | 入れ替えた数 | 秒 | 準備まで 秒 | そのあいだの要求 | 失敗 | 負荷 |",
        "|---|---|---|---|---|---|---|---|",
        *rows.values(),
    ]
    return "\n".join(lines) + "\n"


def _command(services: Sequence[str], only: str, *, in_turn: bool) -> str:
    named = f' SERVICES="{" ".join(services)}"' if tuple(services) != clouds.SERVICES else ""
    return f"make rolling{named}{' IN_TURN=1' if in_turn else ''}{f' ONLY={only}' if only else ''}"


def _which(services: Sequence[str], *, in_turn: bool) -> str:
    if in_turn:
        others = "・".join(service for service in services if service != "tenants")
        return f"入口（gateway）と tenants、それに {others} を一つずつ順に組にした役割（二つのコアには、すべては同時に載りません）"
    if tuple(services) == clouds.SERVICES:
        return "すべての役割"
    return (
        f"入口（gateway）と {'・'.join(services)} の役割（二つのコアにはすべてが載らないので、これだけを動かしました）"
    )


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--services", nargs="+", choices=clouds.SERVICES, default=list(clouds.SERVICES))
    options.add_argument("--in-turn", action="store_true")
    options.add_argument("--only", choices=[*clouds.SERVICES, DOOR[0]], default="")
    chosen = options.parse_args(arguments)
    begun, outcome = datetime.now(JST), Outcome([], [], [], [], Counter())
    for together, replaced in groups(chosen.services, in_turn=chosen.in_turn):
        wanted = [each for each in replaced if chosen.only in ("", each)]
        if not wanted:
            continue
        with tempfile.TemporaryDirectory(prefix="kyodo-rolling-", ignore_cleanup_errors=True) as folder:
            Path(folder).chmod(0o755)
            outcome += rolling_update(Path(folder), together, wanted)
    command = _command(chosen.services, chosen.only, in_turn=chosen.in_turn)
    text = page(outcome, begun, chosen.services, command, in_turn=chosen.in_turn)
    print(text, *outcome.errors[:20], *outcome.problems[:20], sep="\n")
    PAGE.write_text(text, "utf-8")
    return 1 if outcome.errors or outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
