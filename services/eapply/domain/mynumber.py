"""個人番号 (My Number): recognised only to keep it out. No generic field, file name or draft may hold one.

番号法 19条・20条 forbid collecting it outside the listed tasks; the check digit is 総務省令（平成26年85号）5条.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import accumulate
from operator import mul

from libs.common.errors import Invalid, say

LENGTH = 12
REFUSAL = say(
    "マイナンバー（個人番号）と見られる12桁の番号が含まれているため、受け取っていません。"
    "法律で決められた手続きの専用の画面のほかでは、お預かりできません。番号を消して、もう一度入力してください。"
)
_JOINERS = r"[\s\-‐‑–—―−ー一・.]{0,2}"
"""The 漢数字 一 among them: typed for a dash (1234一5678一9018)."""
_KANJI = dict(zip("〇零○◯一二三四五六七八九壱弐参肆伍陸漆捌玖壹貳參", "0000123456789123456789123", strict=True))
"""漢数字 and 大字, as digits one after the other; the circles are typed for 〇."""
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""An id of ours in a hidden input or a list: its digits are no number of a person."""
_CHAIN = re.compile(rf"[0-9](?:{_JOINERS}[0-9])+")
_GROUP = re.compile(r"[0-9]+")
_FOURS = re.compile(r"(?<![0-9])[0-9]{4}([\W_の]{1,5})[0-9]{4}\1[0-9]{4}(?![0-9])")
"""As on the card, with a sign that would be no joiner elsewhere: 1234_5678_9018.pdf, 1234、5678、9018, 1234 - 5678 - 9018."""
_THREES = re.compile(r"(?<![0-9,])[0-9]{3}(?:,[0-9]{3}){3}(?![0-9,])")
_STRIPPED = re.compile(r"[-‐‑‒–—―−,、\s]+")
"""What is taken off where a field takes a number alone (forms/values.py)."""
_YEARS_OR_ROUND = re.compile(r"(?:(?:19|20)[0-9]{2}){3}|(?:[0-9]{2}00){3}")
"""Three years, or three round sums: nobody means one number by them."""
_WEIGHTS = tuple(n + 1 if n <= 6 else n - 5 for n in range(11, 0, -1))
"""From the left."""


def check_digit(first_eleven: str) -> int:
    """The twelfth digit: r = Σ P_n·Q_n mod 11 from the right, Q_n = n+1 (n ≤ 6) or n−5; 0 if r ≤ 1, else 11 − r."""
    return _check(map(int, first_eleven))


def _check(first_eleven: Iterable[int]) -> int:
    remainder = sum(map(mul, first_eleven, _WEIGHTS)) % 11
    return 0 if remainder <= 1 else 11 - remainder


def is_valid(digits: str) -> bool:
    return (
        len(digits) == LENGTH and digits.isascii() and digits.isdigit() and check_digit(digits[:-1]) == int(digits[-1])
    )


def contains(text: str) -> bool:
    """Whether `text` holds twelve digits with a right check digit, in any width or script (漢数字, too), with hyphens or blanks
    between."""
    folded = unicodedata.normalize("NFKC", text)
    if sum(map(str.isdecimal, folded)) >= LENGTH:
        plain = "".join(map(_plain, _ID.sub(" ", folded)))
        if _holds(plain) or _is_one(_STRIPPED.sub("", plain)):
            return True
    return sum(map(_KANJI.__contains__, folded)) >= LENGTH and _holds("".join(map(_from_kanji, folded)))


def _holds(folded: str) -> bool:
    chains = (found.group() for pattern in (_CHAIN, _THREES) for found in pattern.finditer(folded))
    fours = ("".join(_GROUP.findall(found.group())) for found in _FOURS.finditer(folded))
    return any(map(_is_in, chains)) or any(map(_is_one, fours))


def _is_one(digits: str) -> bool:
    return is_valid(digits) and not _YEARS_OR_ROUND.fullmatch(digits)


def _is_in(chain: str) -> bool:
    """Whether some of the groups of digits, one after the other, are a 個人番号: other numbers may stand before and behind."""
    groups = _GROUP.findall(chain)
    ends = list(accumulate(map(len, groups)))
    digits, bounds = list(map(int, "".join(groups))), {0, *ends}
    return any(
        start + LENGTH in bounds and _check(digits[start : start + LENGTH - 1]) == digits[start + LENGTH - 1]
        for start in (0, *ends)
    )


def _plain(character: str) -> str:
    """A digit of any script as ours; nothing for what is not seen (a zero-width space between two digits)."""
    if character.isascii():
        return character
    number = unicodedata.decimal(character, None)
    if number is not None:
        return str(number)
    return "" if unicodedata.category(character) == "Cf" else character


def _from_kanji(character: str) -> str:
    """A 漢数字 as a digit; other digits as a letter. Mixed they would make 健一 with a mobile number behind it twelve digits."""
    return _KANJI.get(character) or ("x" if character.isdecimal() else _plain(character))


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
