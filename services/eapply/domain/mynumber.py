"""個人番号 (My Number): recognised only to keep it out. No generic field, file name or draft may hold one.

番号法 19条・20条 forbid collecting it outside the listed tasks; the check digit is 総務省令（平成26年85号）5条.
"""

import re
import unicodedata
from collections.abc import Iterable

from libs.common.errors import Invalid, say

LENGTH = 12
REFUSAL = say(
    "マイナンバー（個人番号）と見られる12桁の番号が含まれています。"
    "この手続きではお預かりできないため、保存していません。番号を消して、もう一度入力してください。"
)
_JOINERS = r"[\s\-‐‑–—―−ー・.]{0,2}"
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""An id of ours in a hidden input or a list: its digits are no number of a person."""
_RUN = re.compile(rf"(?<![0-9])(?:[0-9]{_JOINERS}){{{LENGTH - 1}}}[0-9](?![0-9])")


def check_digit(first_eleven: str) -> int:
    """The twelfth digit: r = Σ P_n·Q_n mod 11 from the right, Q_n = n+1 (n ≤ 6) or n−5; 0 if r ≤ 1, else 11 − r."""
    weights = (n + 1 if n <= 6 else n - 5 for n in range(1, 12))
    remainder = sum(int(digit) * weight for digit, weight in zip(reversed(first_eleven), weights, strict=True)) % 11
    return 0 if remainder <= 1 else 11 - remainder


def is_valid(digits: str) -> bool:
    return (
        len(digits) == LENGTH and digits.isascii() and digits.isdigit() and check_digit(digits[:-1]) == int(digits[-1])
    )


def contains(text: str) -> bool:
    """Whether `text` holds twelve digits with a right check digit, in any width, with hyphens or blanks between."""
    folded = _ID.sub(" ", unicodedata.normalize("NFKC", text))
    return any(is_valid(re.sub(r"[^0-9]", "", run.group())) for run in _RUN.finditer(folded))


def refuse_in_line(number: int, cells: Iterable[str]) -> None:
    """Raises Invalid naming the line of a spreadsheet in which a cell holds a 個人番号."""
    if any(map(contains, cells)):
        sentence = say(
            "%(line)s行目にマイナンバー（個人番号）と見られる12桁の番号があるため、このファイルは受け取っていません。番号を消して、もう一度送ってください。",
            line=number,
        )
        raise Invalid(sentence, fields={"file": sentence}, code="my-number")


def refuse_in(text: str) -> None:
    """Raises Invalid with the reason when `text` holds a 個人番号."""
    if contains(text):
        raise Invalid(REFUSAL, code="my-number")
