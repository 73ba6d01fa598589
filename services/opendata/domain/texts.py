"""Texts, readings and choices: what may be mended in words without changing what they say."""

import re
import unicodedata
from collections.abc import Sequence

from services.opendata.domain.cells import Cleaned, mended, right, unsure
from services.opendata.domain.numbers import excel_error, is_excel_error

# Half-width katakana and its marks, and nothing else.
_HALF_KANA = re.compile(r"[｡-ﾟ]+")
# 機種依存文字 of JIS C 6226's successors in Windows (NEC 特殊文字, IBM 拡張の単位と元号): 機械判読性ルール L1-08.
PLATFORM = re.compile(
    r"[①-⑳㉑-㉟㊱-㊿Ⅰ-Ⅹⅰ-ⅹ㈱㈲㈳㈵㈶㈷㈹㊤-㊨㍉㌔㌢㍍㌘㌧㌃㌶㍑㍗㌍㌦㌣㌫㍊㌻㎜㎝㎞㎎㎏㏄㎡㍻㍼㍽㍾㋿№㏍℡]"
)
_FORMULA_TEXT = re.compile(r'="([^"]*)"')
_FORMULA = re.compile(r"=\s*[A-Za-z(+\-'\"]")
YES = frozenset(["有", "あり", "有り", "○", "〇", "◯", "●", "はい", "yes", "y", "true", "1"])
NO = frozenset(["無", "なし", "無し", "×", "✕", "✖", "いいえ", "no", "n", "false", "0"])


def clean_text(value: str) -> Cleaned:
    """Blanks around and line breaks inside go, half-width katakana becomes full; characters of one platform are named with a proposal."""
    if found := _FORMULA_TEXT.fullmatch(value):
        return mended(found[1], "formula-text", f"Excelの数式の書き方をやめ、値だけにしました：{value}")
    if _FORMULA.match(value):
        return unsure(value, "formula", f"計算式「{value}」が値の代わりに入っています。計算した結果を入れてください。")
    if is_excel_error(value):
        return excel_error(value)
    text = value.strip(" 　\t\r\n")
    if "\n" in text or "\r" in text:
        joined = " ".join(part for line in re.split(r"[\r\n]+", text) if (part := line.strip(" 　")))
        return mended(joined, "line-break", "セルの中の改行を空白に直しました。")
    if text != value:
        return mended(text, "blanks", "前後の余分な空白を除きました。" if text else "空白だけのセルを空欄にしました。")
    if _HALF_KANA.search(text):
        return mended(full_kana(text), "half-kana", f"半角カタカナを全角に直しました：{value}")
    if found := PLATFORM.search(text):
        proposal = PLATFORM.sub(lambda mark: unicodedata.normalize("NFKC", mark[0]), text)
        return unsure(
            proposal,
            "platform-character",
            f"「{found[0]}」は機種によって読めない文字です。「{proposal}」のように書いてください。",
        )
    return right(value)


def full_kana(text: str) -> str:
    """Half-width katakana → full-width; every other character stays as it is."""
    return _HALF_KANA.sub(lambda run: unicodedata.normalize("NFKC", run[0]), text)


def clean_kana(value: str) -> Cleaned:
    """Readings in full-width katakana: half-width and hiragana are mended, other characters are named."""
    text = full_kana(value.strip(" 　")).translate(_TO_KATAKANA)
    if re.search(r"[一-龠々]", text):
        return unsure(value, "kana-not-kana", f"「{value}」に漢字が入っています。読みを全角カタカナで書いてください。")
    if text == value:
        return right(value)
    return mended(text, "kana-format", f"読みを全角カタカナに直しました：{value}")


def clean_identifier(value: str) -> Cleaned:
    """Numbers and codes that name things: half-width, zeros in front kept."""
    text = unicodedata.normalize("NFKC", value).strip()
    if text == value or not re.fullmatch(r"[\w.-]+", text, re.ASCII):
        return right(value)
    return mended(text, "identifier-width", f"番号を半角に直しました：{value}")


_TO_KATAKANA = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}


def clean_uri(value: str) -> Cleaned:
    """An address with http(s); one without its scheme gets a proposal, never a change."""
    text = unicodedata.normalize("NFKC", value).strip()
    if re.fullmatch(r"https?://[^\s/.]+(\.[^\s/.]+)+(:\d+)?(/\S*)?", text):
        return (
            right(value)
            if text == value
            else mended(text, "uri-format", f"URLの前後の空白と全角文字を直しました：{value}")
        )
    if re.fullmatch(r"(www\.)?[\w-]+(\.[\w-]+)+(/\S*)?", text):
        return unsure(f"https://{text}", "uri-no-scheme", f"URLが http:// や https:// から始まっていません：{value}")
    return unsure(value, "uri-unreadable", f"「{value}」はURLではありません。")


def clean_choice(value: str, choices: Sequence[str]) -> Cleaned:
    """One of `choices`; ○× and the like become 有/無 or 1 where those are the choices. Other words are named with all choices."""
    if value in choices:
        return right(value)
    text = unicodedata.normalize("NFKC", value).strip()
    same = [choice for choice in choices if unicodedata.normalize("NFKC", choice) == text]
    answer = _yes_or_no(text, choices)
    if same or answer is not None:
        found = same[0] if same else str(answer)
        return mended(found, "choice-written", f"決められた書き方（{'・'.join(choices)}）に直しました：{value}")
    return unsure(
        value,
        "choice-unknown",
        f"「{value}」は決められた値ではありません。{'・'.join(choices)}のどれかにしてください。",
    )


def _yes_or_no(text: str, choices: Sequence[str]) -> str | None:
    yes, no = text.lower() in YES, text.lower() in NO
    if set(choices) == {"有", "無"} and (yes or no):
        return "有" if yes else "無"
    if tuple(choices) == ("1",) and (yes or no):
        return "1" if yes else ""
    return None
