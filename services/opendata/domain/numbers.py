"""Numbers as clerks write them → digits a machine adds up (機械判読性ルール L2-01: 数値データは数値属性とし、文字列を含まない)."""

import re

from services.opendata.domain.cells import Cleaned, half_width, mended, right, unsure

_PLAIN = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", re.ASCII)
_NUMBER = re.compile(r"[-+▲△]?\s*(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
UNIT = re.compile(
    r"人|名|件|世帯|戸|校|園|[箇か所ヶケ]*所|棟|台|基|本|個|枚|冊|回|歳|円|便|票|食|頭|匹|羽|隻|床|室|席|区画|㎡|m2|m²|m3|km|km2|ha|m|cm|mm|kg|g|t|L",
    re.I,
)
_WITH_UNIT = re.compile(rf"({_NUMBER.pattern})\s*({UNIT.pattern})", re.I)
_YEN = re.compile(rf"(?:¥|金(?=.*円))\s*+({_NUMBER.pattern})\s*+(?:-|円[也-]?)?")
_PERCENT = re.compile(rf"({_NUMBER.pattern})\s*+%")
# Marks of notes behind a number, and the letters before it for revised and preliminary figures (同「統計表における符号」 r, p).
_NOTED = re.compile(
    rf"({_NUMBER.pattern})(\s*+(?:[※*†]{{1,3}}\d{{0,2}}\)?|\(?(?:※|注)\d{{0,2}}\)?|(?<!\d)\(?\d{{1,2}}\)))"
)
_REVISED = re.compile(rf"([rp])\s*+({_NUMBER.pattern})")
_REVISIONS = {"r": "改定値", "p": "速報値"}
_ERRORS = re.compile(r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!)|#{3,}")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?E\+?\d+", re.I)
# Signs of suppression and absence in official statistics (総務省統計局 「統計表における符号」).
SIGNS = {
    "-": "該当なし",
    "x": "秘匿",
    "…": "不詳",
    "...": "不詳",
    "*": "秘匿",
    "--": "該当なし",
    "---": "該当なし",
    "**": "秘匿",
    "***": "秘匿",
    "///": "該当なし",
    "・・・": "不詳",
    "不明": "不明",
    "不詳": "不詳",
    "欠測": "欠測",
    "欠": "欠測",
    "調査中": "調査中",
    "非公表": "非公表",
    "n/a": "該当なし",
    "なし": "なし",
    "未定": "未定",
}


def clean_number(value: str) -> Cleaned:
    """「１，２３４」「1,234」「▲5」「12人」→ `1234` `-5` `12`. Signs (－ x …) and words stay: zero and blank differ (L1-09)."""
    if _PLAIN.fullmatch(value):
        return right(value)
    if _ERRORS.fullmatch(value.strip()):
        return excel_error(value)
    text = half_width(value)
    if text.lower() in SIGNS:
        return unsure(
            "",
            "number-sign",
            f"「{value}」（{SIGNS[text.lower()]}）は数値ではありません。空欄にし、意味を備考に書いてください。",
        )
    if _SCIENTIFIC.fullmatch(text):
        return unsure(value, "number-scientific", f"「{value}」はExcelが桁を省いた数です。元の値を入れ直してください。")
    if _NUMBER.fullmatch(text):
        return _mended(value, text)
    if found := _WITH_UNIT.fullmatch(text):
        number = _plain(found[1])
        return mended(
            number, "number-unit", f"単位「{found[2]}」を除き、数値にしました。単位は項目名に書いてください：{value}"
        )
    if found := _YEN.fullmatch(text):
        return mended(
            _plain(found[1]),
            "number-unit",
            f"金額の書き方（¥や円）を除き、数値にしました。単位は項目名に書いてください：{value}",
        )
    if found := _NOTED.fullmatch(text):
        message = f"注の印「{found[2].strip()}」を除き、数値にしました。注は備考に書いてください：{value}"
        return mended(_plain(found[1]), "number-note", message)
    if found := _REVISED.fullmatch(text):
        message = f"「{found[1]}」（{_REVISIONS[found[1]]}）が数値に付いています。数値だけにし、意味を備考に書いてください：{value}"
        return unsure(_plain(found[2]), "number-revised", message)
    return unsure(
        value, "number-unreadable", f"「{value}」は数値として読めません。数字だけにし、説明は備考に書いてください。"
    )


def clean_percent(value: str) -> Cleaned:
    """A cell of a column of percentages: 「２８．１％」→ `28.1`, never a hundredth of it."""
    if found := _PERCENT.fullmatch(half_width(value)):
        return mended(
            _plain(found[1]), "number-percent", f"「％」を除き、数値にしました。単位は項目名に書いてください：{value}"
        )
    return clean_number(value)


def _mended(value: str, text: str) -> Cleaned:
    number = _plain(text)
    if number == value:
        return right(value)
    if text[0] in "▲△":
        return mended(number, "number-negative", f"▲を負の符号に直しました：{value}")
    if "," in text:
        return mended(number, "number-separator", f"桁区切りのカンマを除きました：{value}")
    if value.isascii():
        return mended(number, "number-plain", f"数字だけの形に直しました：{value}")
    return mended(number, "number-width", f"数字を半角に直しました：{value}")


def _plain(text: str) -> str:
    text = text.replace(",", "").replace(" ", "").lstrip("+")
    sign = "-" if text[0] in "-▲△" else ""
    whole, dot, part = text.lstrip("-▲△").partition(".")
    return sign + (whole.lstrip("0") or "0") + dot + part


def excel_error(value: str) -> Cleaned:
    return unsure(
        "", "excel-error", f"Excelの計算エラー「{value}」が残っています。値を入れ直すか、空欄にしてください。"
    )


def is_excel_error(value: str) -> bool:
    return bool(_ERRORS.fullmatch(value.strip()))
