"""docs/chaos.md: what was done, what was lost. A row stands until the same fault is done again."""

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "chaos.md"

HEAD = """# 止められても失われないか

`make chaos`(既定は30分。`make chaos MINUTES=4 SEED=…`)と `make chaos FAULTS=all`(または `FAULTS=broker-60,clock-ahead` のように名前で)
が書くページです。手で直しません。
`FAULTS` を言わないと、プロセス・メッセージ基盤・データベースを無作為の順に `kill -9` するか、答えないまま止めます。言うと、その故障を
一度ずつ起こします。行は、同じ故障をもう一度起こすまで残ります。3600秒の停止は `all` に入りません(`FAULTS=broker-3600`)。

## 何をしながら、何を数えるか

全サービスに書き込みながら故障を起こします。二つの町の申請(メールアドレスつき)、職員が入れる紙の件数、バックアップの対象、
入札公告(下書き、予定価格の封、二人目の承認)と二社の入札、CKAN の口からのデータの公開とセンサーの観測値、市町村の利用の停止と再開、
合い言葉と外部アカウントでのサインインです。答えのなかった要求は、同じキーで送り直します。
故障が終わり、どの書き手もまた受け付けられたら書くのをやめ、
**受け付けたと答えたものがすべて、あるべき場所すべてに一度ずつあるか**を数えます。

| 受け付けたもの | あるべき場所 | 合うべき合計 |
|---|---|---|
| 申請 | 電子申請、台帳(協議会の数)、オープンデータの元、届いたメール | 協議会の合計 = 台帳の件数 |
| 紙の件数 | 電子申請 | 協議会の合計(出来事ごとに「増えた数」を足すので、二度働けばここに出る) |
| 対象 | バックアップ(中身のバイト) | |
| 入札公告 | 電子入札、台帳、オープンデータの元 | |
| 入札書 | 電子入札(封のままの指紋)、公開の記録 | 記録の件数 = 入札書の件数 |
| データ | オープンデータ、目録 | 協議会に知らせた数 = 目録の数 |
| 観測値 | オープンデータ | 1時間ごとの件数 = 観測値の件数 |
| 停止・再開 | 台帳の完了(または、理由つきの取りやめ)、経過の最後の行 | 台帳の思う状態 = 部屋の状態 |

この数え方が、失われたもの・二重のものを見つけることは `tests/unbroken/test_chaos_counts.py` が、製品に誤りを植えて示します
(確認の前に「送った」と記すリレー: `tests/unbroken/test_chaos_counts.py::test_a_relay_that_marks_before_the_bus_has_it_is_found`、
二度届いたものを二度働かせる受け箱: `tests/unbroken/test_chaos_counts.py::test_a_reader_that_forgets_what_it_has_applied_is_found`、
書き込む前の受付: `tests/unbroken/test_chaos_counts.py::test_an_answer_before_the_commit_is_found`)。同じ負荷の短い形は
`tests/integration/test_kill_anything.py::test_whatever_is_killed_nothing_acknowledged_is_lost_or_done_twice` です。

アプリと作業役を2台ずつ、入口と受け取り役を1台、PostgreSQL と RabbitMQ を1台ずつ動かします。アプリの前に、Kubernetes の Service と同じ
振り分け(5秒ごとに `/health/ready` を尋ね、3回答えなければ外す。つながっている線は切らない)を置きます。ディスクはメモリーの上に分けて
載せたものなので、この機械の電源を切ったときのことは測れません。
"""
COLUMNS = (
    "| 故障 | 測った日時(UTC) | 回数 | この間に受け付けた数 | 失われた | 二重 | 受け付けの回復(秒) | 届き終わるまで(秒) "
    "| この間の失敗と、見つかったこと |\n|---|---|---|---|---|---|---|---|---|"
)
LEGEND = """
「受け付けの回復」は、故障が終わってから最後に失敗した要求まで、「届き終わるまで」は、故障が終わってから、書くのをやめてすべてがあるべき
場所に届くまでの秒数です(どの書き手も一度は受け付けられるのを待ち、いちばん遅い書き手は何秒もおいて書くので、上限です。どちらも、回数が2以上なら最も長いもの)。「失敗」は書き手ごとの、受け付けられなかった試みの数です。
書き手はどれも送り直しています。

## まだ測っていないこと

- 収納の相手先の停止: いまの相手先は製品の中の模擬だけで、止められる相手がありません。届かない・遅れる・二度来る知らせは
  `services/eapply/tests/test_fees.py::test_the_applicant_pays_and_every_callback_is_lost_and_the_comparison_finds_it`
  と、同じファイルの検査が示します。
- 機械の電源断(ディスクはメモリーの上)、RabbitMQ の群れの分断(1台だけ)、PostgreSQL の控えへの切り替え(1台だけ)。"""


@dataclass
class Row:
    """What one fault did. Seconds; `inf` where it did not come back."""

    title: str
    at: str
    acknowledged: int
    lost: int
    doubled: int
    recovery: float
    arrival: float
    note: str = ""
    times: int = 1

    def and_again(self, other: "Row") -> "Row":
        notes = dict.fromkeys(note for note in (self.note, other.note) if note)
        return Row(
            self.title, other.at, self.acknowledged + other.acknowledged, self.lost + other.lost,
            self.doubled + other.doubled, max(self.recovery, other.recovery), max(self.arrival, other.arrival),
            " / ".join(notes), self.times + other.times,
        )  # fmt: skip

    def line(self) -> str:
        took = f"{_seconds(self.recovery)} | {_seconds(self.arrival)}"
        return f"| {self.title} | {self.at} | {self.times} | {self.acknowledged} | {self.lost} | {self.doubled} | {took} | {self.note} |"


def _seconds(value: float) -> str:
    return "戻らない" if value == float("inf") else f"{value:.1f}"


def write(rows: Sequence[Row], command: str, order: Sequence[str]) -> None:
    """Rows of this run beside those of earlier ones, in the given order of titles; under the table what was run how."""
    kept = kept_rows(PAGE)
    together: dict[str, Row] = {}
    for row in rows:
        together[row.title] = together[row.title].and_again(row) if row.title in together else row
    lines = kept | {title: row.line() for title, row in together.items()}
    ordered = sorted(lines, key=lambda title: order.index(title) if title in order else len(order))
    where = f"{platform.system()}、{os.cpu_count()}プロセッサー、負荷平均(15分) {os.getloadavg()[2]:.0f}"
    latest = f"最後に書いた命令は `{command}`。{where}。ほかの仕事と機械を分け合っての値です。\n"
    unmeasured = "、".join(title for title in order if title not in lines)
    missing = [f"- 表にまだない故障: {unmeasured}。\n"] if unmeasured else []
    parts = [HEAD, "## 表\n", latest, COLUMNS, *(lines[title] for title in ordered), LEGEND, *missing]
    PAGE.write_text("\n".join(parts), "utf-8")


def kept_rows(page: Path) -> dict[str, str]:
    """The rows that stand on a page: title → line. A row has its date in the second place."""
    lines = page.read_text("utf-8").splitlines() if page.exists() else []
    found = (re.match(r"\| (.+?) \| \d{4}-\d\d-\d\d ", line) for line in lines)
    return {match[1]: match.string for match in found if match}
