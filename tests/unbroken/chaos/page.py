"""docs/chaos.md: what was done, what was lost."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unbroken.chaos.load import Visitors, Writer
from tests.unbroken.chaos.verdict import Verdict

PAGE = Path(__file__).parents[3] / "docs" / "chaos.md"
WRITES = {
    "eapply": "申請(電子申請)", "ebid": "封をした入札(電子入札)", "opendata": "データの公開(オープンデータ)",
    "tenants": "運用担当への問い合わせ(台帳)", "backup": "写しの対象(バックアップ)",
}  # fmt: skip

HEAD = """# 止められても失われないか

`make chaos`(既定は30分、`make chaos MINUTES=3 SEED=…`)が書くページです。手で直しません。

五つのサービスすべてに書き込みながら、下の表の故障を無作為の順に、それぞれ一度以上起こします。終わったあと、**受け付けたと答えたもの**が
すべて一度ずつあるかを数えます。申請は `services/eapply` の保存先と、出来事を受け取った台帳(`services/tenants`)の両方で、入札は封の
ハッシュで、写しは中身のバイトで、申請のメールは相手のメールサーバーに届いた宛名で確かめます。

- 止まる長さは MINUTES に比例して縮みます。150分で元の長さ(メッセージ基盤の3600秒を含む)になります。縮めた秒数は表にあります。
- ディスクと時計の故障は、プロセスに先に読み込ませる小さな部品(`tests/unbroken/chaos/faulty.c`)が起こします。Cのコンパイラーが要ります。
- 数える仕組みが見落とさないことは、毎回、書き手ごとに「なかったもの」と「二度答えたもの」を一つずつ混ぜて確かめます(見落とせば失敗)。
  `tests/unbroken/test_chaos_counts.py::test_what_is_lost_or_doubled_is_counted` が、同じことを故障なしに示します。
- 同じ負荷の短い形:
  `tests/integration/test_kill_anything.py::test_whatever_is_killed_nothing_acknowledged_is_lost_or_done_twice`
- 本人確認と収納の相手先は、ここでは止めません:
  `gateway/tests/test_people_sign_in_with_providers.py::test_a_slow_provider_holds_up_only_itself`、
  `services/eapply/tests/test_fees.py::test_the_applicant_pays_and_every_callback_is_lost_and_the_comparison_finds_it`
- 一つのサービスの中の同じ故障: `libs/common/tests/events/test_broker_and_store_fail.py::test_events_pile_up_while_the_broker_is_away`、
  `services/backup/tests/test_disks_and_memory.py::test_a_full_disk_is_said_so_and_leaves_nothing_half`
"""

LEGEND = """
「また受け付けるまで」は、故障が終わってから新しい申請が二つ受け付けられるまで、「すべて反映」は、それまでに受け付けた申請がすべて台帳に
数えられるまでの、最も長い秒数です。この間に届いた要求は、送る側が同じキーで送り直しています。
"""


@dataclass(frozen=True)
class Run:
    begun: str
    minutes: float
    seed: int
    part: str


def keep(text: str, *, first: bool) -> None:
    """`first`: a page of its own; else the run is added to the page that is there."""
    before = HEAD if first else PAGE.read_text("utf-8")
    PAGE.write_text(f"{before.rstrip()}\n\n{text}", "utf-8")


def written(done: Sequence[Any], people: Sequence[Writer], visitors: Visitors, found: Verdict, run: Run) -> str:
    """The run's part of the page."""
    lost = {(int(name.split()[0]), key) for name, keys in found.lost.items() for key in keys}
    doubled = {(int(name.split()[0]), key) for name, keys in found.doubled.items() for key in keys}
    part = "" if run.part == "1/1" else f"、{run.part.replace('/', '組目/全')}組"
    lines = [f"## {run.begun}、{run.minutes:g}分{part}", "", _conditions(run.seed), ""]
    lines += _faults(done, lost, doubled)
    lines += [LEGEND, *_writers(people, lost, doubled), "", *_mails(people, found), "", *_visitors(visitors), ""]
    lines += [f"- 見つかったこと: {problem}" for problem in found.problems] or ["ほかに見つかったことはありません。"]
    return "\n".join(lines) + "\n"


def _faults(done: Sequence[Any], lost: set[tuple[int, str]], doubled: set[tuple[int, str]]) -> list[str]:
    """One line for each kind of fault."""
    head = "| 故障 | 回数 | 長さ(秒) | この間に受け付けた | 失われた | 二重 | また受け付けるまで(秒) | すべて反映(秒) |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for name in dict.fromkeys(sorted(each.name for each in done)):
        of_kind = [each for each in done if each.name == name]
        keys = set().union(*(each.keys for each in of_kind))
        longest, back, counted = (
            max(getattr(each, what) for each in of_kind) for what in ("seconds", "recovery", "arrival")
        )
        lines.append(
            f"| {name} | {len(of_kind)} | {longest:.0f} | {len(keys)} | {len(keys & lost)} | {len(keys & doubled)}"
            f" | {back:.1f} | {counted:.1f} |"
        )
    return lines


def _writers(people: Sequence[Writer], lost: set[tuple[int, str]], doubled: set[tuple[int, str]]) -> list[str]:
    lines = ["| 書いたもの | 受け付けた | 失われた | 二重 | 断られて送り直した |", "|---|---|---|---|---|"]
    for service, what in WRITES.items():
        own = {number for number, writer in enumerate(people) if writer.name == service}
        told = sum(len(people[number].acknowledged) for number in own)
        refused = sorted((status, count) for number in own for status, count in people[number].refused.items())
        said = "、".join(f"{status}: {count}回" for status, count in refused) or "0"
        gone, twice = (sum(number in own for number, _ in keys) for keys in (lost, doubled))
        lines.append(f"| {what} | {told} | {gone} | {twice} | {said} |")
    return lines


def _mails(people: Sequence[Writer], found: Verdict) -> list[str]:
    told = sum(len(writer.acknowledged) for writer in people if writer.name == "eapply")
    return [
        f"申請を受け付けたメール: 申請 {told}件のうち、届かなかった {len(found.mails_missing)}件。"
        f"同じ番号で二度渡った {found.mails_repeated}通(相手は番号で見分けられます)。"
    ]


def _visitors(visitors: Visitors) -> list[str]:
    lines = ["| 読むだけの要求 | 答えた | 答えなかった、または誤り |", "|---|---|---|"]
    for service in sorted({service for service, _ in visitors.answers}):
        lines.append(f"| {service} | {visitors.answers[service, True]} | {visitors.answers[service, False]} |")
    return lines


def _conditions(seed: int) -> str:
    return (
        f"PostgreSQL と RabbitMQ、{platform.system()}、{os.cpu_count()}プロセッサー、SEED={seed}。"
        f"終わりの負荷平均 {os.getloadavg()[1]:.1f}(ほかの仕事と機械を分け合うと、秒数は長くなります)。"
    )
