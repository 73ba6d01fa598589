"""What a column holds: by the standard's definition, by its name, or by its values. The role chooses the cleaner of its cells."""

import re
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Literal

from services.opendata.domain.cells import Cleaned, half_width
from services.opendata.domain.dates import EXCEL_DAYS, RANGE, clean_date, day_for_range
from services.opendata.domain.numbers import clean_number, clean_percent
from services.opendata.domain.places import is_latitude_name, is_longitude_name
from services.opendata.domain.standards import Definition, StandardColumn
from services.opendata.domain.table import Table

Role = Literal[
    "text",
    "identifier",
    "number",
    "percent",
    "date",
    "time",
    "code",
    "phone",
    "latitude",
    "longitude",
    "postal",
    "kana",
    "uri",
    "choice",
    "range",
]
SAMPLE = 2_000
"""Rows looked at to learn what a column without a known name holds."""
LONG = 100
"""Characters: a column with a longer value holds texts."""
ENOUGH = 0.8
"""Share of the filled cells that must read as numbers (or dates) before the rest are called wrong."""

_NAMES: tuple[tuple[str, Role], ...] = (
    (
        r"^(.*_)?(全国地方公共団体コード|市区町村コード|都道府県コード又は市区町村コード|市町村コード|団体コード)$",
        "code",
    ),
    (r"(電話|FAX|ファックス)番号$|^(電話|TEL|FAX)$", "phone"),
    (r"^郵便番号$|_郵便番号$", "postal"),
    (
        r"(年月日|(指定|登録|更新|開始|終了|設置|許可|認可|認定|公開|開設|設立|契約|制定|施行|発生|検査|竣工|完成)日)$",
        "date",
    ),
    (r"(開始|終了|開館|閉館|受付)(時間|時刻)$", "time"),
    (r"^(NO|ID|番号|連番|法人番号|内線番号|医療機関コード|事業所番号|POIコード|町字ID)\.?$", "identifier"),
    (r"_カナ$|フリガナ|^名称カナ$", "kana"),
    (r"^URL$|URL$", "uri"),
)
_BY_NAME: tuple[tuple[re.Pattern[str], Role], ...] = tuple((re.compile(pattern), role) for pattern, role in _NAMES)
_NAMES_OF_NUMBERS_THAT_ARE_NAMES = re.compile(r"番号|コード|^NO\.?$|^No\.?$|^ID$|電話|ID$|法人番号|内線|郵便|地番|番地")


def role_of(name: str, standard: StandardColumn | None = None) -> Role | None:
    """The role by name and definition alone; None when only the values can tell. A known name is stronger than the type `text`."""
    if standard and standard.choices:
        return "choice"
    if is_latitude_name(name):
        return "latitude"
    if is_longitude_name(name):
        return "longitude"
    for pattern, role in _BY_NAME:
        if pattern.search(name):
            return role
    if standard:
        return standard.type
    return None


def roles_of(table: Table, names: Sequence[str], definition: Definition | None) -> tuple[Role, ...]:
    """One role for each column of `table`, whose standard names are `names`."""
    known: list[Role | None] = [role_of(name, definition.column(name) if definition else None) for name in names]
    unknown = [at for at, role in enumerate(known) if role is None]
    if unknown:
        rows = [row.cells for row in islice(table.rows(), SAMPLE)]
        for at in unknown:
            known[at] = _role_by_values(names[at], [cells[at] for cells in rows])
    roles: list[Role] = [role or "text" for role in known]
    return tuple(roles)


def _role_by_values(name: str, values: list[str]) -> Role:
    filled = [value for value in values if value.strip()]
    if not filled or _NAMES_OF_NUMBERS_THAT_ARE_NAMES.search(name):
        return "text"
    if any(len(value) > LONG or re.match(r"\s*0\d", value) for value in filled):
        return "text"
    if _are_numbers(filled, clean_number):
        return "number"
    if _are_numbers(filled, clean_percent):
        return "percent"
    if _are_ranges(filled):
        return "range"
    dates = sum(map(_is_date, filled))
    if dates * 2 >= len(filled) and dates + sum(map(_is_serial, filled)) >= ENOUGH * len(filled):
        return "date"
    return "text"


def _are_numbers(values: list[str], clean: Callable[[str], Cleaned]) -> bool:
    """Signs of absence and secrecy say nothing about what the column holds."""
    found = [cleaned for cleaned in map(clean, values) if cleaned.code not in ("number-sign", "excel-error")]
    return bool(found) and sum(cleaned.sure for cleaned in found) >= ENOUGH * len(found)


def _are_ranges(values: list[str]) -> bool:
    """Classes such as 15-19, of which Excel made days: 10-14 became 10月14日."""
    ranges = sum(bool(RANGE.fullmatch(half_width(value))) for value in values)
    return ranges > 1 and ranges >= sum(day_for_range(value) is not None for value in values) > 0


def _is_serial(value: str) -> bool:
    """A day that Excel gave back as its number, among days."""
    return bool(EXCEL_DAYS.fullmatch(value))


def _is_date(value: str) -> bool:
    return bool(re.search(r"\D", value)) and clean_date(value).sure
