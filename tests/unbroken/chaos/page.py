"""docs/chaos.md: what was done, what was lost."""

import os
import platform
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[3] / "docs" / "chaos.md"

HEAD = """# 止められても失われないか

`make chaos`(既定は30分、`make chaos MINUTES=4 SEED=…`)が書くページです。手で直しません。

全サービスに負荷をかけながら、プロセス、メッセージ基盤、データベースを無作為の順に `kill -9` するか、答えないまま止めます。
終わったあと、**受け付けたと答えたもの**がすべて一度ずつあるかを数えます。電子申請の申請は `services/eapply` の保存先と、
出来事を受け取った台帳(`services/tenants`)の両方で、バックアップの対象は中身のバイトで確かめます。
電子入札とオープンデータは、この負荷では読むだけです。

数える仕組みが失われたものを見つけることは `tests/unbroken/test_chaos_counts.py::test_what_is_lost_or_doubled_is_counted` が、
同じ負荷の短い形は
`tests/integration/test_kill_anything.py::test_whatever_is_killed_nothing_acknowledged_is_lost_or_done_twice` が示します。
"""

LEGEND = """
「回復」は、故障のあと(答えない場合は再び答え始めたあと)、新しい申請が二つ受け付けられるまでの最も長い秒数です。
この間に届いた要求は、申請する側が同じキーで送り直しています。
"""

MISSING = """
## まだ測っていないこと

メッセージ基盤の60秒・300秒・3600秒の停止、ディスクの満杯、fsync の失敗、時計のずれ、分断、本人確認・メール・収納の相手先の停止は、
この表にありません。一部はサービスごとの検査にあります(`libs/common/tests/events/test_broker_and_store_fail.py`、
`services/backup/tests/test_disks_and_memory.py`、`services/backup/tests/test_nothing_acknowledged_is_lost.py`)。
"""


def written(
    chaos: Any, visitors: Any, lost: dict[str, set[str]], doubled: dict[str, int], problems: list[str], *,
    minutes: float, seed: int, begun: str,
) -> str:  # fmt: skip
    """The page. One line for each kind of fault."""
    lines = [HEAD, f"## {begun}、{minutes:g}分", "", _conditions(chaos, seed), ""]
    lines += ["| 故障 | 回数 | この間に受け付けた申請 | 失われた | 二重 | 回復(秒) |", "|---|---|---|---|---|---|"]
    for name in dict.fromkeys(sorted(fault.name for fault in chaos.done)):
        of_kind = [fault for fault in chaos.done if fault.name == name]
        keys = sum(len(fault.keys) for fault in of_kind)
        worst = max(fault.recovery for fault in of_kind)
        lines.append(f"| {name} | {len(of_kind)} | {keys} | {len(lost[name])} | {doubled[name]} | {worst:.1f} |")
    lines += [LEGEND, "| 読むだけの要求 | 答えた | 答えなかった、または誤り |", "|---|---|---|"]
    for service in sorted({service for service, _ in visitors.answers}):
        lines.append(f"| {service} | {visitors.answers[service, True]} | {visitors.answers[service, False]} |")
    lines += ["", *([f"- 見つかったこと: {problem}" for problem in problems] or ["ほかに見つかったことはありません。"])]
    return "\n".join(lines) + "\n" + MISSING


def _conditions(chaos: Any, seed: int) -> str:
    return (
        f"PostgreSQL と RabbitMQ、{platform.system()}、{os.cpu_count()}プロセッサー、SEED={seed}。"
        f"受け付けた申請 {len(chaos.people.acknowledged)}件、バックアップの対象 {len(chaos.backing_up.acknowledged)}個、"
        f"断られた申請 {len(chaos.people.refused)}件。終わりの負荷平均 {os.getloadavg()[2]:.1f}。"
    )
