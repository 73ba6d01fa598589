"""総合評価落札方式 (地方自治法施行令 167条の10の2): one exact number per bid, compared after the announced rounding.

除算方式: 技術評価点 ÷ 価格. 加算方式: 技術評価点 + 価格評価点, the latter by one of five published curves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from libs.common.errors import Invalid
from services.ebid.domain.money import EXACT, Rounding, ratio, rounding_of


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`kind` "price" (価格のみ), "division" (除算) or "addition" (加算).

    division: `standard` 標準点, `scale` what the quotient is multiplied by before rounding (10⁸ in many announcements).
    addition: `curve` a key of CURVES, `weight` 価格評価点の満点, `base` the curve's own ratio (FLOORED r, KINKED slope, TENT 0.8),
    both: `technical_full` and `technical_weight` compress the technical points A×(X/B) where both are given.
    """

    kind: str = "price"
    curve: str = "linear"
    weight: Fraction = Fraction(0)
    base: Fraction | None = None
    standard: Fraction = Fraction(100)
    scale: Fraction = Fraction(1)
    technical_weight: Fraction | None = None
    technical_full: Fraction | None = None
    rounding: Rounding = EXACT
    price_rounding: Rounding = EXACT


@dataclass(frozen=True, slots=True)
class PriceSpace:
    """What a curve may look at, all 税抜 yen: `reserve` Y, `investigation` S (調査基準価格) and `lowest` Pmin of the valid bids."""

    reserve: int
    investigation: int | None
    lowest: int


def evaluation_of(document: dict[str, Any] | None) -> Evaluation:
    """From the announcement's JSON. Ratios are strings ("0.75"); missing → price only. Raises Invalid for an unknown kind."""
    if not document:
        return Evaluation()
    kind, curve = str(document.get("kind", "price")), str(document.get("curve", "linear"))
    if kind not in {"price", "division", "addition"} or (kind == "addition" and curve not in CURVES):
        raise Invalid(
            "落札方式は、価格のみ・除算方式・加算方式（公表された価格評価点の式）から選んでください。",
            code="evaluation",
        )

    def given(name: str) -> Fraction | None:
        return ratio(document[name]) if name in document else None

    def roundings(name: str) -> Rounding:
        return rounding_of(document[name]) if name in document else EXACT

    return Evaluation(
        kind=kind,
        curve=curve,
        weight=given("weight") or Fraction(0),
        base=given("base"),
        standard=ratio(document.get("standard", 100)),
        scale=ratio(document.get("scale", 1)),
        technical_weight=given("technical_weight"),
        technical_full=given("technical_full"),
        rounding=roundings("rounding"),
        price_rounding=roundings("price_rounding"),
    )


def value(rule: Evaluation, amount: int, technical: Fraction, space: PriceSpace) -> Fraction:
    """評価値 of a bid of `amount` yen (税抜), higher is better, rounded as announced.

    `technical`: for "division" the 加算点 (標準点 is added here), for "addition" the 技術評価点 before compression.
    """
    if rule.kind == "division":
        return rule.rounding((rule.standard + technical_points(rule, technical)) * rule.scale / amount)
    return rule.rounding(technical_points(rule, technical) + rule.price_rounding(price_points(rule, amount, space)))


def technical_points(rule: Evaluation, technical: Fraction) -> Fraction:
    """A×(X/B) where the announcement compresses, else X."""
    if rule.technical_weight is None or not rule.technical_full:
        return technical
    return rule.technical_weight * technical / rule.technical_full


def price_points(rule: Evaluation, amount: int, space: PriceSpace) -> Fraction:
    """価格評価点 by the announced curve."""
    return CURVES[rule.curve](rule, amount, space)


def standard_value(rule: Evaluation, reserve: int) -> Fraction:
    """基準評価値 = 標準点 ÷ 予定価格 (国交省の除算方式の要件 [M]): a bid below it is not awarded."""
    return rule.rounding(rule.standard * rule.scale / reserve)


def shown(value: Fraction | str) -> str:
    """A value as people read it: all its decimals where it has an end, six and "…" where it has none."""
    exact = Fraction(value)
    places = next((places for places in range(10) if (exact * 10**places).denominator == 1), None)
    scaled = int(exact * 10 ** (6 if places is None else places))
    digits = f"{abs(scaled):0{(6 if places is None else places) + 1}d}"
    sign, cut = "-" if scaled < 0 else "", len(digits) - (6 if places is None else places)
    whole, rest = digits[:cut], digits[cut:]
    return f"{sign}{whole}{'.' if rest else ''}{rest}{'…' if places is None else ''}"


def linear(rule: Evaluation, amount: int, space: PriceSpace) -> Fraction:
    """W × (1 − P/Y)."""
    return rule.weight * (1 - Fraction(amount, space.reserve))


def kinked(rule: Evaluation, amount: int, space: PriceSpace) -> Fraction:
    """P ≥ S: W(1 − P/Y); below S the slope is `base` (½ as published): W{(1 − S/Y) + ½(S − P)/Y}."""
    threshold = space.investigation
    if threshold is None or amount >= threshold:
        return linear(rule, amount, space)
    slope = Fraction(1, 2) if rule.base is None else rule.base
    return rule.weight * (1 - Fraction(threshold, space.reserve) + slope * Fraction(threshold - amount, space.reserve))


def floored(rule: Evaluation, amount: int, space: PriceSpace) -> Fraction:
    """A price below r·Y counts as r·Y (r = 0.75 as published)."""
    least = (Fraction(3, 4) if rule.base is None else rule.base) * space.reserve
    return rule.weight * (1 - max(Fraction(amount), least) / space.reserve)


def proportional(rule: Evaluation, amount: int, space: PriceSpace) -> Fraction:
    """W × Pmin/P."""
    return rule.weight * Fraction(space.lowest, amount)


def tent(rule: Evaluation, amount: int, space: PriceSpace) -> Fraction:
    """(Y−P)/Y × 100 + 80 from 0.8 Y up, 120 − (Y−P)/Y × 100 below, scaled so that the published weight of 100 stays itself."""
    peak = Fraction(4, 5) if rule.base is None else rule.base
    discount = Fraction(space.reserve - amount, space.reserve) * 100
    points = discount + 100 * peak if amount >= peak * space.reserve else 100 * (2 - peak) - discount
    return points * (rule.weight or 100) / 100


CURVES: dict[str, Callable[[Evaluation, int, PriceSpace], Fraction]] = {
    "linear": linear,
    "kinked": kinked,
    "floored": floored,
    "ratio": proportional,
    "tent": tent,
}
