"""全国地方公共団体コード: five digits and a check digit (JIS X 0401, JIS X 0402, 昭和43年自治省通知)."""

import re
import unicodedata

from libs.common.errors import Invalid, say

_WEIGHTS = (6, 5, 4, 3, 2)


def check_digit(digits: str) -> str:
    """The sixth digit for five: 11 minus the weighted sum modulo 11, its last digit (JIS X 0402 annex)."""
    if not re.fullmatch(r"[0-9]{5}", digits):
        raise ValueError("five digits are needed")
    total = sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True))
    return str((11 - total % 11) % 10)


def is_code(text: str) -> bool:
    """Whether `text` is exactly six ASCII digits with the right check digit."""
    return re.fullmatch(r"[0-9]{6}", text) is not None and check_digit(text[:5]) == text[5]


def read_code(text: str) -> str:
    """The six-digit code a person typed with five or six digits, in any width. Raises Invalid with what to mend."""
    digits = re.sub(r"[\s\-‐‑–—―ー－]", "", unicodedata.normalize("NFKC", text or ""))
    if not re.fullmatch(r"[0-9]{5,6}", digits):
        raise _refused(say("団体コードは5桁か6桁の数字です。数字だけで入力してください。"))
    if len(digits) == 5:
        return digits + check_digit(digits)
    if not is_code(digits):
        raise _refused(
            say(
                "団体コード「%(digits)s」は、最後の1桁（検査数字）が合いません。桁の並びを確かめるか、最初の5桁だけを入力してください。",
                digits=digits,
            )
        )
    return digits


def prefecture_code(number: int) -> str:
    """The six-digit code of a prefecture by its JIS X 0401 number: 40 → 400009."""
    if not 1 <= number <= 47:
        raise ValueError("a prefecture's number is 1 to 47 (JIS X 0401)")
    digits = f"{number:02}000"
    return digits + check_digit(digits)


def _refused(sentence: str) -> Invalid:
    return Invalid(sentence, code="bad-municipality-code", fields={"code": sentence})
