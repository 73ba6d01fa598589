"""Column names as towns write them → the standard's names."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from services.opendata.domain.places import is_latitude_name, is_longitude_name
from services.opendata.domain.standards import definitions

# What towns write for the standard's items, seen in published municipal CSVs; left = folded, right = names in order of preference.
ALIASES: dict[str, tuple[str, ...]] = {
    "施設名": ("名称",),
    "施設名称": ("名称",),
    "設置施設名": ("名称",),
    "設置場所名": ("名称",),
    "施設の名称": ("名称",),
    "aed設置施設名": ("名称",),
    "公園名": ("名称",),
    "トイレ名": ("名称",),
    "避難所名": ("名称",),
    "避難場所名": ("名称",),
    "医療機関名": ("名称",),
    "事業所名": ("介護サービス事業所名称", "名称"),
    "フリガナ": ("名称_カナ",),
    "ふりがな": ("名称_カナ",),
    "名称カナ": ("名称_カナ",),
    "名称かな": ("名称_カナ",),
    "名称フリガナ": ("名称_カナ",),
    "施設名カナ": ("名称_カナ",),
    "施設名フリガナ": ("名称_カナ",),
    "英語名": ("名称_英語", "名称_英字"),
    "名称英語": ("名称_英語", "名称_英字"),
    "名称英字": ("名称_英字", "名称_英語"),
    "所在地": ("住所", "所在地_連結表記"),
    "住所": ("住所", "所在地_連結表記"),
    "設置場所住所": ("住所", "所在地_連結表記"),
    "所在地住所": ("住所", "所在地_連結表記"),
    "設置場所": ("設置位置",),
    "設置箇所": ("設置位置",),
    "詳細設置場所": ("設置位置",),
    "設置場所詳細": ("設置位置",),
    "電話": ("電話番号",),
    "tel": ("電話番号",),
    "連絡先": ("電話番号",),
    "連絡先電話番号": ("電話番号", "連絡先電話番号"),
    "代表電話": ("電話番号",),
    "代表電話番号": ("電話番号",),
    "fax": ("FAX番号",),
    "ファックス": ("FAX番号",),
    "ファックス番号": ("FAX番号",),
    "lat": ("緯度",),
    "latitude": ("緯度",),
    "北緯": ("緯度",),
    "x": (),
    "lng": ("経度",),
    "lon": ("経度",),
    "longitude": ("経度",),
    "東経": ("経度",),
    "番号": ("NO", "ID"),
    "連番": ("NO", "ID"),
    "整理番号": ("NO", "ID"),
    "市町村名": ("市区町村名", "地方公共団体名"),
    "自治体名": ("地方公共団体名", "市区町村名"),
    "団体コード": ("全国地方公共団体コード", "都道府県コード又は市区町村コード"),
    "市町村コード": ("全国地方公共団体コード", "都道府県コード又は市区町村コード"),
    "市区町村コード": ("市区町村コード", "全国地方公共団体コード", "都道府県コード又は市区町村コード"),
    "自治体コード": ("全国地方公共団体コード", "都道府県コード又は市区町村コード"),
    "地方公共団体コード": ("全国地方公共団体コード", "都道府県コード又は市区町村コード"),
    "全国地方公共団体コード": ("全国地方公共団体コード", "都道府県コード又は市区町村コード"),
    "都道府県コード又は市区町村コード": ("都道府県コード又は市区町村コード", "全国地方公共団体コード"),
    "都道府県": ("都道府県名", "所在地_都道府県"),
    "市区町村": ("市区町村名", "所在地_市区町村"),
    "開館時間": ("開始時間",),
    "開始時刻": ("開始時間", "利用開始時間"),
    "終了時刻": ("終了時間", "利用終了時間"),
    "閉館時間": ("終了時間",),
    "利用可能曜日": ("利用可能曜日",),
    "利用可能日": ("利用可能曜日",),
    "利用時間備考": ("利用可能日時特記事項", "利用可能時間特記事項"),
    "小児対応": ("小児対応設備の有無",),
    "小児用パッド": ("小児対応設備の有無",),
    "小児用パッドの有無": ("小児対応設備の有無",),
    "小児対応パッド": ("小児対応設備の有無",),
    "ホームページ": ("URL",),
    "hp": ("URL",),
    "ウェブサイト": ("URL",),
    "備考欄": ("備考",),
    "摘要": ("備考",),
    "定員": ("収容定員", "定員"),
    "収容人数": ("想定収容人数", "収容定員"),
    "人口": ("総人口",),
    "人口総数": ("総人口",),
    "総数": ("総人口",),
    "男": ("男性",),
    "女": ("女性",),
    "世帯": ("世帯数",),
    "洪水": ("災害種別_洪水",),
    "高潮": ("災害種別_高潮",),
    "地震": ("災害種別_地震",),
    "津波": ("災害種別_津波",),
    "大規模な火事": ("災害種別_大規模な火事",),
    "内水氾濫": ("災害種別_内水氾濫",),
    "火山現象": ("災害種別_火山現象",),
    "土砂災害": ("災害種別_崖崩れ、土石流及び地滑り",),
    "多目的トイレ数": ("多機能トイレ数", "バリアフリートイレ数"),
    "多機能トイレ数": ("多機能トイレ数", "バリアフリートイレ数"),
    "品目": ("ゴミの品目",),
    "ごみの品目": ("ゴミの品目",),
    "分別": ("分別区分",),
}
_NUMBERED = re.compile(r"^[0-9]{1,2}[.:)、_-]\s*")


def fold(name: str) -> str:
    """Column names that mean the same give the same text: width, case, blanks, line breaks, brackets, marks and 「1.」 before them."""
    text = re.sub(r"[\s*※◎○●]+", "", unicodedata.normalize("NFKC", name)).lower()
    text = _NUMBERED.sub("", text)
    return re.sub(r"[._()\[\]「」・:、,／/-]", "", text)


@cache
def _standard_names() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for definition in definitions():
        for column in definition.columns:
            names = found.setdefault(fold(column.name), [])
            if column.name not in names:
                names.append(column.name)
    return {folded: tuple(names) for folded, names in found.items()}


@cache
def _aliases() -> dict[str, tuple[str, ...]]:
    return {fold(written): names for written, names in ALIASES.items()}


def candidates(name: str) -> tuple[str, ...]:
    """The standard names that a column called `name` may be, the likeliest first; empty when none is known."""
    folded = fold(name)
    exact = _standard_names().get(folded, ())
    return tuple(dict.fromkeys((*exact, *_aliases().get(folded, ())))) or _degrees(name)


def _degrees(name: str) -> tuple[str, ...]:
    """緯度 and 経度 are the same under whatever stands above them; other names (代表者 over 電話番号) are not."""
    if is_latitude_name(name):
        return ("緯度",)
    return ("経度",) if is_longitude_name(name) else ()


def standard_names(columns: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """`columns` renamed to names in `wanted` where one is known and not yet taken; other names stay, without their blanks.

    An exact name is kept before any alias is tried, so that 住所 stays 住所 in a definition that has it.
    """
    given, allowed = tuple(columns), tuple(wanted)
    taken = {name for name in given if name in allowed}
    renamed = []
    for name in given:
        new = name
        if name not in allowed:
            new = next((c for c in candidates(name) if c in allowed and c not in taken), tidy(name))
            taken.add(new)
        renamed.append(new)
    return tuple(renamed)


def tidy(name: str) -> str:
    """A name without line breaks and without the blanks that spread it out."""
    text = re.sub(r"[\r\n]+", "", name).strip(" 　")
    return re.sub(r"(?<=[^\x00-\x7f])[ 　]+(?=[^\x00-\x7f])", "", text)
