"""The guard before publication: personal data that a table may hold. It finds; a named person decides, with a reason that is kept.

個人情報保護法 2条・60条 (personal information held by 行政機関等), 番号法 19条・20条 (個人番号: never, nobody may confirm it).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from services.opendata.domain.cells import HYPHENS
from services.opendata.domain.table import Table

K = 5
"""Rows of a table of persons must be at least this many alike in their quasi-identifiers (k-anonymity, Sweeney 2002). No Japanese rule
fixes k for open data; 5 is the house's floor, above the 3 that official statistics usually suppress below."""
SMALL = 3
"""Counts of persons from 1 to SMALL − 1 in a table of counts are small cells (秘匿処理 of official statistics)."""

_MY_NUMBER = re.compile(r"(?<![0-9.])[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9.])")
_MOBILE = re.compile(r"(?<!\d)0[789]0[-( ]?\d{4}[-) ]?\d{4}(?!\d)")
_MAIL = re.compile(r"[\w.+-]{1,64}@([\w-]+(?:\.[\w-]+)+)")
_OFFICIAL_MAIL = re.compile(r"(?:^|\.)(?:lg|go|ac|ed|or)\.jp$|(?:^|\.)(?:city|town|vill|pref)\.[\w.-]+\.jp$")
# Whatever can be one of the three, in any width; only cells with it are normalised and judged.
_DOUBTFUL = re.compile(r"[@＠]|\d{4}[^\x1f\d]?\d{4}[^\x1f\d]?\d{4}|[0０][7-9７-９][0０][^\x1f\d]?\d{4}[^\x1f\d]?\d{4}")
_PERSON_NAME = re.compile(
    r"氏名|姓名|^姓$|^名$|お名前|^名前$|(代表|申請|申込|届出|契約|受給|相談|患者|職員|担当|保護|世帯主|所有|管理|責任|被保険)者?名|世帯主$|生徒名|児童名|園児名"
)
_BIRTH = re.compile(r"生年月日|誕生日")
_ADDRESS = re.compile(r"住所|所在地|居所|番地")
_PHONE = re.compile(r"電話|TEL|連絡先|携帯", re.I)
_QUASI = re.compile(
    r"性別|年齢|年代|生年|国籍|職業|学年|町字|^町名|町丁|行政区|校区|地区|郵便番号|住所|続柄|世帯|障害|等級|要介護"
)
_PERSONAL_QUASI = re.compile(r"性別|年齢|年代|生年|国籍|続柄|学年|要介護度|障害")
_COUNTS = re.compile(r"人数|者数|人口|件数|世帯数|^男性?$|^女性?$|歳の(男|女)性|児童数|生徒数|員数")
_SENSITIVE = re.compile(r"生活保護|障害|疾患|病|がん|自殺|虐待|犯罪|受給|相談|死亡|検診|健診|要介護|外国人|国籍")


@dataclass(frozen=True)
class Risk:
    """One reason not to publish yet. `confirmable` is False for what may never be published. `examples` are places (row numbers of the
    file), never values: this is kept in records. `count` is in cells or rows."""

    code: str
    message: str
    column_names: tuple[str, ...]
    count: int
    rows: tuple[int, ...] = ()
    confirmable: bool = True


@dataclass
class _Seen:
    """Cells of one column by what they look like."""

    counts: Counter[str]
    rows: dict[str, list[int]]

    def note(self, code: str, row: int) -> None:
        self.counts[code] += 1
        kept = self.rows.setdefault(code, [])
        if len(kept) < 20:
            kept.append(row)


def inspect(table: Table, title: str = "") -> tuple[Risk, ...]:
    """Every risk found in all rows of `table`; empty when publication need not wait. `title` tells sensitive counts from others."""
    seen = [_Seen(Counter(), {}) for _ in table.columns]
    filled = [0] * len(table.columns)
    for block in table.blocks():
        for at, values in enumerate(zip(*(row.cells for row in block), strict=True)):
            filled[at] += len(values) - values.count("")
            if _DOUBTFUL.search("\x1f".join(values)):
                for row in block:
                    _look(seen[at], row.number, row.cells[at])
    risks = [risk for at, one in enumerate(seen) for risk in _by_values(table.columns[at], one)]
    named = [name for name, count in zip(table.columns, filled, strict=True) if count]
    return (*risks, *_by_names(named), *_alike(table, named), *_small_cells(table, title))


def _look(seen: _Seen, row: int, value: str) -> None:
    if not _DOUBTFUL.search(value):
        return
    text = unicodedata.normalize("NFKC", value).translate(HYPHENS)
    for found in _MAIL.finditer(text):
        if not _OFFICIAL_MAIL.search(found[1].lower()):
            seen.note("mail", row)
    if any(is_my_number(re.sub(r"[ -]", "", run[0])) for run in _MY_NUMBER.finditer(text)):
        seen.note("my-number", row)
    if _MOBILE.search(text):
        seen.note("mobile", row)


def is_my_number(digits: str) -> bool:
    """Twelve digits with the check digit of 総務省令（平成26年85号）5条: 11 − (Σ P_n·Q_n mod 11), 0 when the remainder is 0 or 1."""
    if len(digits) != 12 or not digits.isdigit() or len(set(digits)) == 1:
        return False
    weights = (n + 1 if n <= 6 else n - 5 for n in range(1, 12))
    rest = sum(int(d) * w for d, w in zip(reversed(digits[:11]), weights, strict=True)) % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


_SENTENCES = {
    "my-number": "個人番号（マイナンバー）と見られる12桁の番号があります。公開できません。",
    "mobile": "携帯電話の番号があります。個人の番号でないか確かめてください。",
    "mail": "役所以外のメールアドレスがあります。個人のアドレスでないか確かめてください。",
}


def _by_values(column: str, seen: _Seen) -> list[Risk]:
    return [
        Risk(code, _SENTENCES[code], (column,), count, tuple(seen.rows[code]), confirmable=code != "my-number")
        for code, count in seen.counts.items()
        if code != "my-number" or not _is_another_number(column)
    ]


def _is_another_number(column: str) -> bool:
    """One in eleven twelve-digit numbers has a right check digit by chance; columns of other official numbers say so by name."""
    return bool(re.search(r"法人番号|医療機関コード|事業所番号|町字ID|JAN|ISBN|管理番号", column))


def _by_names(columns: Sequence[str]) -> list[Risk]:
    names = [name for name in columns if _PERSON_NAME.search(name)]
    addresses = [name for name in columns if _ADDRESS.search(name)]
    phones = [name for name in columns if _PHONE.search(name)]
    found = []
    if names and (addresses or phones):
        message = "個人の氏名と、住所または電話番号が同じ表にあります。公開してよい役職者などか確かめてください。"
        found.append(Risk("name-with-contact", message, (*names, *addresses, *phones), 0))
    elif names:
        found.append(
            Risk("name", "個人の氏名と見られる列があります。公開してよい人か確かめてください。", tuple(names), 0)
        )
    if births := [name for name in columns if _BIRTH.search(name)]:
        found.append(Risk("birth", "生年月日の列があります。年代などに丸めてください。", tuple(births), 0))
    return found


def quasi_identifiers(columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that together may tell who a row is about; empty unless each row seems to be a person (性別, 年齢 … and no counts)."""
    if not any(_PERSONAL_QUASI.search(name) for name in columns) or any(_COUNTS.search(name) for name in columns):
        return ()
    return tuple(name for name in columns if _QUASI.search(name))


def _alike(table: Table, columns: Sequence[str]) -> list[Risk]:
    quasi = quasi_identifiers(columns)
    if not quasi:
        return []
    at = [table.columns.index(name) for name in quasi]
    groups: Counter[tuple[str, ...]] = Counter()
    first: dict[tuple[str, ...], int] = {}
    for row in table.rows():
        key = tuple(row.cells[i] for i in at)
        groups[key] += 1
        first.setdefault(key, row.number)
    rare = [key for key, count in groups.items() if count < K]
    if not rare:
        return []
    persons = sum(groups[key] for key in rare)
    message = (
        f"{'・'.join(quasi)}の組み合わせが同じ人が{K}人に満たない行が{persons}行あり、本人が分かるおそれがあります。"
    )
    return [Risk("k-anonymity", message, quasi, persons, tuple(sorted(first[key] for key in rare)[:20]))]


def _small_cells(table: Table, title: str) -> list[Risk]:
    """Counts of 1…SMALL − 1 persons, where the subject is one that nobody should be recognised by."""
    about = [name for name in table.columns if _COUNTS.search(name) and _SENSITIVE.search(title + name)]
    at = [table.columns.index(name) for name in about]
    small = {str(count) for count in range(1, SMALL)}
    rows = [row.number for row in table.rows() if any(row.cells[i].strip() in small for i in at)] if at else []
    if not rows:
        return []
    message = f"人に関わる集計で{SMALL}未満の小さい数が{len(rows)}行にあります。本人が分からないよう秘匿するか、区分をまとめてください。"
    return [Risk("small-cell", message, tuple(about), len(rows), tuple(rows[:20]))]
