"""Who may bid: 法人番号, the shared register, 指名停止."""

import re
import unicodedata
from datetime import date

from libs.common.clock import fiscal_year
from libs.common.errors import Invalid, say

YEARS_VALID = 2
"""Fiscal years a registration lasts, the one it begins in included (the usual span of 競争入札参加資格)."""


def corporate_number(typed: str) -> str:
    """The 13 digits of a 法人番号 as typed in any width, or Invalid.

    The first digit checks the other twelve: 9 − (Σ Pn·Qn mod 9), Pn the n-th digit from the right, Qn 1 for odd n and 2 for
    even n (法人番号の指定等に関する省令 2条).
    """
    digits = re.sub(r"[\s\-‐－ー―−]", "", unicodedata.normalize("NFKC", typed))
    if not re.fullmatch(r"[0-9]{13}", digits):
        raise Invalid(
            say("法人番号は13桁の数字です。国税庁の公表サイトで確かめられます。"), code="bad-corporate-number"
        )
    if int(digits[0]) != check_digit(digits[1:]):
        raise Invalid(
            say("法人番号に打ちまちがいがあるようです。13桁を1文字ずつ見くらべてください。"),
            code="bad-corporate-number",
        )
    return digits


def check_digit(base: str) -> int:
    """The check digit before the twelve digits `base`."""
    total = sum(int(digit) * (1 if place % 2 else 2) for place, digit in enumerate(reversed(base), start=1))
    return 9 - total % 9


def valid_until(day: date) -> date:
    """The last day of a registration made on `day`: the end of the next fiscal year."""
    return date(fiscal_year(day) + YEARS_VALID, 3, 31)


def suspended(spans: list[tuple[date, date]], day: date) -> bool:
    """Whether one of the 指名停止 from … until (both included) holds on `day`."""
    return any(first <= day <= last for first, last in spans)
