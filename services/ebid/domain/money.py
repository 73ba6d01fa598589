"""Yen are integers, ratios are `Fraction`s, and nothing is rounded except as the announcement says.

Two domains of price never mix: 税抜 (what a 入札書 carries, what is compared) and 税込 (予定価格 as decided, the contract).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from libs.common.errors import Invalid

MOST_YEN = 999_999_999_999
"""The highest amount a bid may carry: below one trillion yen, twelve digits."""
_FULL_WIDTH = str.maketrans("０１２３４５６７８９，￥－", "0123456789,¥-")
"""Not NFKC: that would read 10² as 102."""
MODES = {"floor", "ceiling", "half_up", "none"}


@dataclass(frozen=True, slots=True)
class Rounding:
    """How an announcement rounds: `mode` is "floor" (切捨て), "ceiling" (切上げ), "half_up" (四捨五入) or "none";
    `unit` is what the result is a multiple of: 1 for yen, 1000 for 千円未満, 1/10000 for the fourth decimal place."""

    mode: str = "floor"
    unit: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        if self.mode not in MODES or self.unit <= 0:
            raise Invalid(
                "端数処理は、切捨て・切上げ・四捨五入のどれかと、正の単位で指定してください。", code="rounding"
            )

    def __call__(self, value: Fraction | int) -> Fraction:
        """`value` rounded to a multiple of `unit`. Half up means away from zero, as 四捨五入 is understood."""
        if self.mode == "none":
            return Fraction(value)
        quotient = Fraction(value) / self.unit
        whole = quotient.numerator // quotient.denominator
        rest = quotient - whole
        if self.mode == "floor" or rest == 0:
            return whole * self.unit
        if self.mode == "ceiling":
            return (whole + 1) * self.unit
        up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and quotient > 0)
        return (whole + up) * self.unit

    def document(self) -> dict[str, str]:
        """As `rounding_of` reads it."""
        return {"mode": self.mode, "unit": str(self.unit)}

    def yen(self, value: Fraction | int) -> int:
        """As `__call__`, for amounts: the unit must be whole yen."""
        rounded = self(value)
        if rounded.denominator != 1:
            raise Invalid("金額の端数処理の単位は、1円以上の整数にしてください。", code="rounding")
        return int(rounded)


FLOOR_YEN = Rounding("floor")
FLOOR_THOUSAND = Rounding("floor", Fraction(1000))
EXACT = Rounding("none")


def rounding_of(document: dict[str, Any] | None) -> Rounding:
    """`{"mode": "floor", "unit": "1000"}` → Rounding; None → whole yen, floor."""
    if document is None:
        return FLOOR_YEN
    return Rounding(str(document.get("mode", "floor")), ratio(document.get("unit", 1)))


def ratio(value: Any) -> Fraction:
    """A ratio from a document: "0.97", "3/4" or an integer. Never a float: it is not what was announced."""
    if isinstance(value, bool | float) or not isinstance(value, int | str | Fraction):
        raise Invalid('割合は、文字（例: "0.97"、"3/4"）か整数で指定してください。', code="ratio")
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError):
        raise Invalid('割合を読み取れません。"0.97" や "3/4" のように指定してください。', code="ratio") from None


def parse_amount(text: str) -> int:
    """Yen from what a person typed: full-width digits, commas and 円 are understood. Refuses anything else, 0 and > 12 digits."""
    plain = text.translate(_FULL_WIDTH).strip().removesuffix("円").replace(",", "").replace("¥", "").strip()
    if not plain.isascii() or not plain.isdigit():
        sentence = "金額を、数字だけで入力してください。例: 9200000"
        raise Invalid(sentence, fields={"amount": sentence}, code="amount")
    return check_amount(int(plain))


def check_amount(amount: Any) -> int:
    """A bid's amount, or `Invalid` when it is not an integer of 1 to MOST_YEN yen."""
    if isinstance(amount, bool) or not isinstance(amount, int) or not 1 <= amount <= MOST_YEN:
        sentence = "金額は、1円以上9,999億9,999万9,999円以下の整数で入力してください。"
        raise Invalid(sentence, fields={"amount": sentence}, code="amount")
    return amount


def check_lottery_number(number: Any) -> str:
    """A くじ番号 as three ASCII digits "000" to "999"; full-width digits are understood."""
    plain = number.translate(_FULL_WIDTH).strip() if isinstance(number, str) else ""
    if len(plain) != 3 or not plain.isascii() or not plain.isdigit():
        sentence = "くじ番号は、000から999までの3けたの数字で入力してください。"
        raise Invalid(sentence, fields={"lottery_number": sentence}, code="lottery-number")
    return plain


@dataclass(frozen=True, slots=True)
class Tax:
    """消費税及び地方消費税. `percent` is 10 for most contracts; the tenant's profile gives the roundings."""

    percent: int = 10
    comparison: Rounding = FLOOR_YEN

    def comparison_price(self, reserve_with_tax: int) -> int:
        """入札書比較価格 = 予定価格 × 100/(100 + percent), rounded as the tenant does. 税込 yen → 税抜 yen."""
        return self.comparison.yen(Fraction(reserve_with_tax * 100, 100 + self.percent))

    def contract_amount(self, bid: int) -> int:
        """落札額 = bid + the tax on it, below one yen cut off (岩手県 公告 wording). 税抜 yen → 税込 yen."""
        return bid + bid * self.percent // 100
