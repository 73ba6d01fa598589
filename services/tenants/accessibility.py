"""The published result of the accessibility tests: `data/accessibility.toml`, read once. `python -m services.tenants.accessibility`
writes the same as docs/accessibility.md, with the tests that show it.

Form: みんなの公共サイト運用ガイドライン (総務省) and the 対応度表記ガイドライン of ウェブアクセシビリティ基盤委員会.
They ask for target, scope, conformance, date, method and the result of each criterion.
"""

import tomllib
from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from libs.common.errors import say

SOURCE = Path(__file__).parent / "data" / "accessibility.toml"
PAGE = Path(__file__).parents[2] / "docs" / "accessibility.md"
RESULTS = {
    "tested": say("適合（検査）"),
    "read": say("適合（開発者が確認）"),
    "partly": say("一部を確認"),
    "none": say("該当なし"),
}
CRITERIA_AA = 38
"""Levels A (25) and AA (13) of JIS X 8341-3:2016, as of WCAG 2.0."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """`result` is a key of RESULTS; `tests` are `file::function`; notes may be empty."""

    number: str
    level: str
    name: str
    name_en: str
    result: str
    tests: tuple[str, ...]
    note: str = ""
    note_en: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    tested_on: date
    target: str
    criteria: tuple[Criterion, ...]

    @property
    def conformant(self) -> bool:
        """準拠 may be said only when every criterion was shown; else 一部準拠."""
        return all(each.result != "partly" for each in self.criteria)

    def count(self, result: str) -> int:
        return Counter(each.result for each in self.criteria)[result]


@cache
def record() -> Record:
    """Raises ValueError when the file names a result that there is not, lacks a criterion or claims one without its tests."""
    found = tomllib.loads(SOURCE.read_text("utf-8"))
    criteria = tuple(Criterion(**(each | {"tests": tuple(each["tests"])})) for each in found["criteria"])
    if len({each.number for each in criteria}) != CRITERIA_AA:
        raise ValueError(f"{len(criteria)} criteria; levels A and AA have {CRITERIA_AA}")
    for each in criteria:
        if each.result not in RESULTS or (each.result in ("tested", "partly") and not each.tests):
            raise ValueError(f"{each.number}: {each.result}, {len(each.tests)} tests")
    return Record(found["tested_on"], found["target"], criteria)


def document() -> str:
    """docs/accessibility.md."""
    found = record()
    conformance = "準拠" if found.conformant else "一部準拠"
    counts = "\n".join(f"| {name} | {found.count(result)} |" for result, name in RESULTS.items())
    rows = "\n".join(_row(each) for each in found.criteria)
    return f"""{_HEAD.format(conformance=conformance, day=found.tested_on.isoformat())}
| 結果 | 基準の数 |
|---|---|
{counts}

| 達成基準 | 等級 | 名前 | 結果 | 検査 | 注 |
|---|---|---|---|---|---|
{rows}

{_FOOT}"""


def _row(each: Criterion) -> str:
    tests = "、".join(f"`{test}`" for test in each.tests) or "—"
    return f"| {each.number} | {each.level} | {each.name} | {RESULTS[each.result]} | {tests} | {each.note} |"


_HEAD = """# アクセシビリティの試験(JIS X 8341-3:2016 AA)

`services/tenants/data/accessibility.toml` から `make accessibility-table` が作ります。手で直さないでください。同じ内容を、だれでも読める
ページ `/accessibility` に公表します(みんなの公共サイト運用ガイドラインの項目)。検査の名前が本当にあることは
`tests/house/test_named_tests_exist.py` が、この文書とデータが同じであることは
`tests/house/test_accessibility_is_published.py` が確かめます。

- 目標: JIS X 8341-3:2016 の適合レベル AA
- 状態: **{conformance}**(結果が「一部を確認」の基準が残る間は、準拠とは書きません)
- 日付: {day}
- 対象: 共同クラウドの全種類のページ。住民、管理者、職員、協議会、運用担当が、それぞれの入口からリンクをたどって着く、種類ごとの一枚
  (新しいページは、どこかからリンクされれば入ります)。市町村が載せる文とファイル、PDF は含みません
- 方法: Chromium。axe-core(wcag2a、wcag2aa、wcag21aa、wcag22aa、best-practice)を 320px と 1280px で。横の動き、押す所の大きさ、
  見出し、言語は自分の検査。キーボードだけで歩く検査。誤りを植えて、検査が見つけることも確かめています
  (`tests/browser/test_every_page.py::test_the_walk_finds_what_is_wrong`、`libs/common/web/tests/test_pages_in_a_browser.py::test_the_checks_see_what_is_planted`)
- 「適合(検査)」= 違反がないことを検査が示す。「適合(開発者が確認)」= 雛形と文から、手がかりになる言葉や部品を開発者が探して確かめた。
  「一部を確認」= 機械で分かる部分だけを検査が示し、人の判断が残る
- ページの種類ごとの、日付のある記録: [accessibility-pages.md](accessibility-pages.md)(`make accessibility` が書きます。数分から数十分)
"""
_FOOT = """## まだないもの

- 読み上げソフト(NVDA、VoiceOver)での確認、利用する方による試験、その記録
- PDF は別です(PDF/UA: `libs/common/tests/pdf/`)。市町村が載せるファイルは、ここでは確かめません
"""


if __name__ == "__main__":
    PAGE.write_text(document(), "utf-8")
