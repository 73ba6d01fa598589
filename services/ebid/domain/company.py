"""Who may bid: 法人番号, the shared register, 指名停止."""

import re
import unicodedata
from datetime import date

from libs.common.clock import fiscal_year
from libs.common.errors import Invalid, say
from services.ebid.domain import numbers

YEARS_VALID = 2
"""Fiscal years a registration lasts, the one it begins in included (the usual span of 競争入札参加資格)."""


ALERTS = (90, 30, -1)
"""Days before the end of a registration on which its company is told; -1: the day after the end."""
LATE = 30
"""Days after the end in which that is still told, where the worker did not run on the day."""


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


def number_of_municipality(code: str) -> str:
    """The 法人番号 of the municipality or prefecture whose 全国地方公共団体コード (6 digits) is `code`: the check digit, 000020, the code.

    The rule is not written in the law; it holds for every number tried (東京都, 福岡市, 栃木県那珂川町). A number once given does not
    change with the code [M]: of a municipality whose code changed it must be looked up.
    """
    base = f"000020{code}"
    return f"{check_digit(base)}{base}"


def sole_number(serial: int) -> str:
    """業者番号 of a sole proprietor, who has no 法人番号: K, eight digits, check digit (ISO/IEC 7064 MOD 11,10). 0 ≤ `serial` < 10⁸."""
    return f"K{serial:08d}{numbers.check_digit(f'{serial:08d}')}"


def identifier(number: str | None, id_: str) -> str:
    """How OCDS and the log name a company: `JP-JCN-<法人番号>`, or a local id where it has none."""
    return f"JP-JCN-{number}" if number else f"KYODO-{id_}"


def supplier_number(typed: str) -> str:
    """A 法人番号, or the 業者番号 of a sole proprietor, as typed in any width, or Invalid."""
    plain = re.sub(r"[\s\-‐－ー―−]", "", unicodedata.normalize("NFKC", typed)).upper()
    if not plain.startswith("K"):
        return corporate_number(typed)
    if not re.fullmatch("K[0-9]{9}", plain) or sole_number(int(plain[1:9])) != plain:
        raise Invalid(
            say("業者番号に打ちまちがいがあるようです。Kと9桁の数字を見くらべてください。"), code="bad-supplier-number"
        )
    return plain


def valid_until(day: date) -> date:
    """The last day of a registration made on `day`: the end of the next fiscal year."""
    return date(fiscal_year(day) + YEARS_VALID, 3, 31)


def alert(until: date, day: date) -> int | None:
    """Which of `ALERTS` is due on `day` for a registration that holds to `until` (included): the latest that was reached."""
    left = (until - day).days
    return min((days for days in ALERTS if left <= days), default=None) if left >= -LATE else None


CHECKS = {
    "identity": say("法人を証明するIDでのサインイン"),
    "site": say("国税庁の法人番号公表サイト"),
    "registry": say("履歴事項全部証明書"),
    "dataset": say("国税庁の全件データとの照合"),
    "papers": say("開業届の控え、身分証明書などの書類"),
    "earlier": say("この確認のしくみより前の登録"),
}
"""How it was established that a registration is of who stands in it."""
OFFICIAL = {"company": ("site", "registry"), "sole": ("papers",)}
"""Those that an official may state, by kind of supplier."""
WEAK = ("earlier", "dataset")
"""Those that say nothing of the person who registered: a surer one takes the number over."""


def suspended(spans: list[tuple[date, date]], day: date) -> bool:
    """Whether one of the 指名停止 from … until (both included) holds on `day`."""
    return any(first <= day <= last for first, last in spans)
