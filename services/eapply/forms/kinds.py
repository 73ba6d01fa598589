"""The kinds of questions there are, what clerks call them, and what may be asked of their answers."""

from typing import Literal

FieldType = Literal[
    "text", "textarea", "name", "kana", "date", "month", "time", "address", "postal", "phone", "email", "url",
    "number", "decimal", "yen", "digits", "corporate_number", "yesno", "choice", "select", "choices", "file", "group",
    "consent", "oath", "info", "computed",
]  # fmt: skip

NAMES: dict[str, str] = {
    "text": "1行の文字",
    "textarea": "長い文章",
    "name": "氏名",
    "kana": "フリガナ",
    "date": "日付（和暦）",
    "month": "年月",
    "time": "時刻",
    "address": "住所（郵便番号から入力）",
    "postal": "郵便番号だけ",
    "phone": "電話番号",
    "email": "メールアドレス",
    "url": "ホームページのアドレス",
    "number": "数（整数）",
    "decimal": "数（小数）",
    "yen": "金額（円）",
    "digits": "番号（先頭の0を残す）",
    "corporate_number": "法人番号（13桁）",
    "yesno": "はい・いいえ",
    "choice": "1つ選ぶ（並べて見せる）",
    "select": "1つ選ぶ（一覧から）",
    "choices": "いくつでも選ぶ",
    "file": "ファイル・写真",
    "group": "くり返し（人数分など）",
    "consent": "同意の確認",
    "oath": "宣誓（署名の代わりに氏名を入力）",
    "info": "説明の文",
    "computed": "自動計算",
}

SINGLE = frozenset({"choice", "select"})
"""One of the options."""
OPTIONED = SINGLE | {"choices"}
NUMERIC = frozenset({"number", "decimal", "yen", "computed"})
TEMPORAL = frozenset({"date", "month", "time"})
COUNTED = frozenset({"choices", "file", "group"})
"""Compared by how many there are."""
TICKED = frozenset({"yesno", "consent"})
SILENT = frozenset({"info"})
"""Nothing is typed into these, so nothing can depend on them."""

Op = Literal[
    "is", "is_not", "has", "has_not", "at_least", "at_most", "above", "below", "answered", "unanswered"
]  # fmt: skip

OP_NAMES: dict[str, str] = {
    "is": "が次と同じ",
    "is_not": "が次と違う（未入力も含む）",
    "has": "に次が選ばれている",
    "has_not": "に次が選ばれていない",
    "at_least": "が次以上・以後",
    "at_most": "が次以下・以前",
    "above": "が次より大きい・後",
    "below": "が次より小さい・前",
    "answered": "が入力されている",
    "unanswered": "が入力されていない",
}
WITHOUT_VALUE = frozenset({"answered", "unanswered"})


def ops(type_: str) -> tuple[str, ...]:
    """What may be asked of an answer of this type; empty where nothing can."""
    if type_ in SILENT:
        return ()
    order = ("at_least", "at_most", "above", "below")
    there = ("answered", "unanswered")
    if type_ == "choices":
        return ("has", "has_not", *order, *there)
    if type_ in COUNTED:
        return (*order, *there)
    if type_ in NUMERIC | TEMPORAL:
        return ("is", "is_not", *order, *there)
    if type_ in {"address", "consent", "oath"}:
        return there
    return ("is", "is_not", *there)
