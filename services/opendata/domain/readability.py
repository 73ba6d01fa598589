"""Machine readability: the government's thirty rules of 2026-03-31 (機械判読性ルール), judged from what reading and repair found."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from services.opendata.domain.roles import Role
from services.opendata.domain.table import Findings, Table

Verdict = Literal["met", "broken", "not-judged", "not-applicable"]


@dataclass(frozen=True)
class Rule:
    """`severity` is FATAL, CRITICAL, MAJOR or MINOR; `points` is what breaking it costs (FATAL: all of its level)."""

    id: str
    level: int
    name: str
    severity: str
    points: int


@dataclass(frozen=True)
class Judgement:
    """`why` says, in Japanese, what broke the rule or why it was not judged; empty when it is met."""

    rule: Rule
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True)
class Readability:
    """`scores` are 0…100 for levels 1, 2 and 3. Rules that were not judged cost nothing: a page must show them as open."""

    judgements: tuple[Judgement, ...]
    scores: dict[int, int]


@dataclass(frozen=True)
class Evidence:
    """What the rules are judged by. `findings` are those of reading and of repair together, `mended` the counts of changes by code.

    `described` names what the data set's description holds: any of `codes`, `signs`, `units`, `definition`. `before` are the column
    names of the version before, None for the first.
    """

    format: str
    table: Table
    roles: tuple[Role, ...]
    findings: Findings
    mended: Counter[str]
    described: frozenset[str] = frozenset()
    before: Sequence[str] | None = None

    def any_of(self, *codes: str) -> int:
        return sum(self.findings.counts[code] + self.mended[code] for code in codes)

    def starting(self, start: str) -> int:
        counts = (*self.findings.counts.items(), *self.mended.items())
        return sum(count for code, count in counts if code.startswith(start))


@cache
def rules() -> tuple[Rule, ...]:
    """The thirty rules in their order."""
    text = (Path(__file__).parent / "readability_rules.json").read_text(encoding="utf-8")
    return tuple(Rule(**one) for one in json.loads(text)["rules"])


def judge(evidence: Evidence) -> Readability:
    """All rules over one table as it came (before repair). Reads its rows once."""
    seen = _look_at_cells(evidence.table)
    judgements = tuple(_judge(rule, evidence, seen) for rule in rules())
    scores = {level: _score([one for one in judgements if one.rule.level == level]) for level in (1, 2, 3)}
    return Readability(judgements, scores)


def _score(judgements: Sequence[Judgement]) -> int:
    broken = [one.rule for one in judgements if one.verdict == "broken"]
    if any(rule.severity == "FATAL" for rule in broken):
        return 0
    return max(0, 100 - sum(rule.points for rule in broken))


@dataclass
class _Seen:
    """Cells that only a look at all rows tells: 〃 for the cell above, その他（…）, several values in one cell."""

    ditto: int = 0
    other: int = 0


_DITTO = re.compile(r"(?:^|\x1f)(?:〃|″|同上|仝|々)(?=\x1f)")
_OTHER = re.compile(r"(?:^|\x1f)その他\s*[(（:：][^\x1f]+")


def _look_at_cells(table: Table) -> _Seen:
    seen = _Seen()
    for block in table.blocks():
        text = "\x1f".join(cell for row in block for cell in row.cells) + "\x1f"
        seen.ditto += len(_DITTO.findall(text))
        seen.other += len(_OTHER.findall(text))
    return seen


def _judge(rule: Rule, evidence: Evidence, seen: _Seen) -> Judgement:
    if "【Excel】" in rule.name and evidence.format != "xlsx":
        return Judgement(rule, "not-applicable")
    if "【CSV】" in rule.name and evidence.format == "xlsx":
        return Judgement(rule, "not-applicable")
    why = _BROKEN[rule.id](evidence, seen) if rule.id in _BROKEN else None
    if why is None:
        return Judgement(rule, "not-judged", "このルールは自動では判定していません。目で確かめてください。")
    return Judgement(rule, "broken", why) if why else Judgement(rule, "met")


Why = Callable[[Evidence, _Seen], str | None]
"""The sentence why a rule is broken, `""` when it is met, None when it cannot be judged."""


def _counted(sentence: str, *codes: str) -> Why:
    """Broken when any finding or change has one of `codes`; `{}` in the sentence is how many."""

    def why(evidence: Evidence, seen: _Seen) -> str:
        count = evidence.any_of(*codes)
        return sentence.format(count) if count else ""

    return why


def _unlike_before(evidence: Evidence, seen: _Seen) -> str | None:
    if evidence.before is None:
        return None
    gone = [name for name in evidence.before if name not in evidence.table.columns]
    if len(gone) * 3 <= len(evidence.before):
        return ""
    return f"前の版にあった項目のうち{len(gone)}個（{'、'.join(gone[:3])}など）がなくなっています。"


_PERIOD = re.compile(r"^(?:(?:令和|平成|昭和)(?:元|\d{1,2})|(?:19|20)\d\d)年?度?(?:_.*)?$|^\d{1,2}月(?:_.*)?$")
_AREA = re.compile(r"地方公共団体コード|市区町村コード|都道府県コード|地域コード|市区町村名|地方公共団体名|町字ID")
_WITH_UNIT = re.compile(r"[(（][^()（）]{1,8}[)）]|人口|数$|世帯|緯度|経度|率$|件|年齢|男性|女性|標高|定員|口径")


def _wide(evidence: Evidence, seen: _Seen) -> str:
    periods = [name for name in evidence.table.columns if _PERIOD.search(name)]
    if len(periods) < 3:
        return ""
    return f"年や月が列になっています（{'、'.join(periods[:3])}など）。1行に1つの時点を書く縦持ちにしてください。"


def _without_units(evidence: Evidence, seen: _Seen) -> str:
    numbers = [
        name for name, role in zip(evidence.table.columns, evidence.roles, strict=True) if role in ("number", "percent")
    ]
    bare = [name for name in numbers if not _WITH_UNIT.search(name)]
    if not bare or "units" in evidence.described:
        return ""
    return f"数値の項目（{'、'.join(bare[:3])}）の単位が分かりません。項目名か説明に単位を書いてください。"


def _not_from_the_top(evidence: Evidence, seen: _Seen) -> str:
    if evidence.table.header_row == 1 and not evidence.any_of("header-of-several-rows", "units-row"):
        return ""
    return "項目名が1行目の1行だけになっていません。表題などを除き、1行目を項目名にしてください。"


_BROKEN: dict[str, Why] = {
    "L1-01": lambda evidence, seen: "" if evidence.format in ("csv", "tsv", "xlsx") else "ExcelやCSVではありません。",
    "L1-02": _counted("1つのシートに表が2つ以上あります（{}か所）。", "second-table"),
    "L1-03": _counted("空の行や繰り返した項目名で表が{}か所で分かれています。", "blank-row", "header-again"),
    "L1-04": _counted("表の外に表題や注記が{}行あります。", "row-above-header", "note-below", "section-row"),
    "L1-05": _counted("項目名のない列が{}列あります。", "header-blank", "no-header"),
    "L1-06": _counted("空白や改行で体裁を整えたセルが{}個あります。", "blanks", "line-break"),
    "L1-07": _counted("1つのセルに2つ以上の値があるセルが{}個あります。", "phone-length", "line-break"),
    "L1-08": _counted("機種依存文字のあるセルが{}個あります。", "platform-character"),
    "L1-09": _counted("空白や0の代わりに「-」などの記号を書いたセルが{}個あります。", "number-sign"),
    "L1-10": _counted("図や画像などのオブジェクトがあります。", "drawings"),
    "L1-12": _counted("結合されたセルが{}か所あります。", "merged-cells"),
    "L1-13": _counted("非表示の行・列・シートがあります。", "hidden-rows", "hidden-columns", "sheet-hidden"),
    "L1-14": _counted(
        "列の数が項目名と合わない行が{}行あります。", "row-too-short", "row-too-long", "quote-not-closed"
    ),
    "L1-15": _counted('カンマを含む値が「"」で囲まれていない行が{}行あります。', "row-too-long"),
    "L2-01": lambda evidence, seen: (
        f"数値の列に数字でないものが{count}個あります。" if (count := evidence.starting("number-")) else ""
    ),
    "L2-02": lambda evidence, seen: (
        f"「〃」「同上」で省略したセルが{seen.ditto}個あります。"
        if seen.ditto
        else _counted("まとまりの最初の行にしか値のない列があります。", "group-blank")(evidence, seen)
    ),
    "L2-03": _counted("同じ名前の項目が{}個あります。", "header-twice", "header-blank", "no-header"),
    "L2-04": _counted("決められた選択肢の書き方でないセルが{}個あります。", "choice-written", "choice-unknown"),
    "L2-05": lambda evidence, seen: (
        f"「その他（…）」と書いたセルが{seen.other}個あります。詳細は別の列にしてください。" if seen.other else ""
    ),
    "L2-06": _counted("計算式のセルが{}個あります。", "formula-cell", "formula", "formula-without-value"),
    "L3-01": _not_from_the_top,
    "L3-02": lambda evidence, seen: (
        ""
        if "choice" not in evidence.roles or "codes" in evidence.described
        else "選択肢の意味の表（コード表）がありません。"
    ),
    "L3-03": lambda evidence, seen: (
        "「-」「x」などの記号の意味が説明にありません。"
        if evidence.any_of("number-sign") and "signs" not in evidence.described
        else ""
    ),
    "L3-04": _without_units,
    "L3-05": lambda evidence, seen: (
        f"日付や時刻の書き方がそろっていないセルが{count}個あります。"
        if (count := evidence.starting("date-") + evidence.starting("time-"))
        else ""
    ),
    "L3-06": lambda evidence, seen: (
        ""
        if any(_AREA.search(name) for name in evidence.table.columns)
        else "全国地方公共団体コードや市区町村名の列がありません。"
    ),
    "L3-07": _unlike_before,
    "L3-08": lambda evidence, seen: (
        "" if "definition" in evidence.described else "データの定義や更新の履歴が説明にありません。"
    ),
    "L3-09": _wide,
}


OPEN_LICENCES = frozenset(
    {"cc-by", "cc-by-4.0", "cc-zero", "cc0", "cc-by-sa", "pdl1.0", "odc-by", "odc-odbl", "odc-pddl"}
)
_STRUCTURED = frozenset(
    {
        "XLSX",
        "XLS",
        "CSV",
        "TSV",
        "JSON",
        "GEOJSON",
        "XML",
        "KML",
        "SHP",
        "ODS",
        "RDF",
        "TTL",
        "JSON-LD",
        "PARQUET",
        "GTFS",
        "GML",
        "KMZ",
        "FGB",
        "GPKG",
    }
)
_NOT_PROPRIETARY = _STRUCTURED - {"XLSX", "XLS", "SHP"}
_LINKABLE = frozenset({"RDF", "TTL", "JSON-LD", "N-TRIPLES"})


def stars(licence: str, formats: Sequence[str], linked: bool = False) -> int:
    """0…5 of Berners-Lee's five stars (5stardata.info): open licence · structured · open format · URIs (RDF) · linked to others.

    `licence` is a CKAN licence id; `formats` are file formats as catalogues write them; `linked` says that the RDF names other data.
    """
    have = {one.upper() for one in formats}
    if licence.lower() not in OPEN_LICENCES or not have:
        return 0
    for level, needed in enumerate((_STRUCTURED, _NOT_PROPRIETARY, _LINKABLE), start=1):
        if not have & needed:
            return level
    return 5 if linked else 4
