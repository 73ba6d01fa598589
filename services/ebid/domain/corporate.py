"""The National Tax Agency's published file of 法人番号 (全件データ and 差分データ), and whether a registration agrees with a line of it.

One line a number, 30 columns without a header, as the agency's リソース定義書 for CSV names them (read in public programs that use
it, not at the agency): 1 一連番号, 2 法人番号, 3 処理区分, 5 更新年月日, 7 商号又は名称, 10–12 国内所在地 (都道府県, 市区町村, 丁目番地等),
17 国外所在地, 19 登記記録の閉鎖等年月日, 24 最新履歴 (1: the latest).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from libs.common.errors import Invalid
from services.ebid.domain.company import corporate_number

COLUMNS = 30
DELETED = "99"
"""処理区分 of a number that was taken back."""
_LATEST = "1"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc"
_KINDS = {"(株)": "株式会社", "(有)": "有限会社", "(資)": "合資会社", "(名)": "合名会社", "(同)": "合同会社"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One 法人番号 as published. `address` without spaces between its parts; `closed_on` 登記記録の閉鎖等; `deleted`: it exists no more."""

    number: str
    name: str
    prefecture: str
    address: str
    closed_on: date | None
    updated_on: date
    deleted: bool = False


def read(cells: Sequence[str]) -> Entry | None:
    """A line of the file; None for an earlier state of a number (最新履歴 0). Raises Invalid, saying what is wrong with it."""
    if len(cells) != COLUMNS:
        raise Invalid(f"項目が{COLUMNS}個ではなく{len(cells)}個あります。", code="columns")
    number, name = corporate_number(cells[1]), cells[6].strip()
    if cells[23].strip() != _LATEST:
        return None
    if not name:
        raise Invalid("商号又は名称がありません。", code="name")
    inside = "".join(each.strip() for each in cells[9:12])
    return Entry(
        number, name[:150], cells[9].strip(), (inside or cells[16].strip())[:600], _day(cells[18]), _needed(cells[4]),
        cells[2].strip() == DELETED,
    )  # fmt: skip


def _day(text: str) -> date | None:
    return _needed(text) if text.strip() else None


def _needed(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Invalid(f"「{text[:20]}」は年月日ではありません。", code="date") from None


def agrees(entry: Entry, name: str, address: str) -> bool:
    """Whether a registration's 商号 and 所在地 are those published. The prefecture may be missing, a building may follow."""
    there, here = plain_address(entry.address), plain_address(address)
    prefecture = plain_address(entry.prefecture)
    places = [there, there.removeprefix(prefecture)] if prefecture else [there]
    return plain_name(entry.name) == plain_name(name) and any(_begins(here, place) for place in places if place)


def _begins(address: str, place: str) -> bool:
    """「1-2」 is neither where 「1-23」 is nor where 「1-2-3」 is."""
    return address.startswith(place) and not (place[-1].isdigit() and re.match("-?[0-9]", address[len(place) :]))


def plain_name(text: str) -> str:
    """Without widths, spaces and short forms of 会社の種類."""
    plain = _plain(text)
    for short, full in _KINDS.items():
        plain = plain.replace(short, full)
    return plain


def plain_address(text: str) -> str:
    """Without widths, spaces and the ways in which 丁目・番地・番・号 are written: 「３丁目１番１号」 and 「3-1-1」 are one."""
    plain = re.sub(f"[{_DASHES}]", "-", _plain(text))
    plain = re.sub(r"(?<=[0-9])(?:丁目|番地の|番地|番|号)", "-", plain)
    return re.sub(r"-+", "-", plain).rstrip("-").replace("大字", "")


def _plain(text: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).casefold()
