"""最低制限価格 and 低入札調査基準価格: by a table of coefficients, or determined only when the bids are open.

最低制限価格 (地方自治法施行令 167条の10第2項) excludes; 調査基準価格 (167条の10第1項) only holds the award for an
investigation. All amounts are 税抜 yen unless a name says otherwise.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from libs.common.errors import Invalid
from services.ebid.domain.money import EXACT, FLOOR_THOUSAND, FLOOR_YEN, Rounding, ratio, rounding_of


@dataclass(frozen=True, slots=True)
class Model:
    """Σ coefficient × cost component, as a share of the design price, clamped, times 予定価格.

    `coefficients`: component → share. `floor`, `ceiling`: bounds as a share of 予定価格. `rate_rounding` rounds the share of the
    design price before it is applied (神奈川県 rounds it up to a whole per cent); "none" leaves it exact. `rounding`: the amount,
    `floor_rounding`: the amount where the floor decides (名古屋市上下水道局: the ceiling is cut off, the floor rounded up).
    """

    name: str
    coefficients: Mapping[str, Fraction]
    floor: Fraction
    ceiling: Fraction
    rate_rounding: Rounding = EXACT
    rounding: Rounding = FLOOR_YEN
    floor_rounding: Rounding | None = None
    source: str = ""

    def document(self) -> dict[str, Any]:
        """As `model_of` reads it, self-contained."""
        made: dict[str, Any] = {
            "name": self.name,
            "coefficients": {part: str(share) for part, share in self.coefficients.items()},
            "floor": str(self.floor),
            "ceiling": str(self.ceiling),
            "rate_rounding": self.rate_rounding.document(),
            "rounding": self.rounding.document(),
        }
        return made | ({"floor_rounding": self.floor_rounding.document()} if self.floor_rounding else {})


def _model(name: str, shares: dict[str, str], floor: str, ceiling: str, source: str, **more: Rounding) -> Model:
    return Model(
        name, {part: Fraction(share) for part, share in shares.items()}, Fraction(floor), Fraction(ceiling),
        source=source, **more,
    )  # fmt: skip


def _works(direct: str, temporary: str, site: str, general: str) -> dict[str, str]:
    return {"direct": direct, "temporary": temporary, "site": site, "general": general}


MODELS = {
    model.name: model
    for model in (
        _model("chuo-koukeiren-2022", _works("0.97", "0.90", "0.90", "0.68"), "0.75", "0.92",
               "中央公契連 令和4年モデル; 行方市 訓令19, 岡垣町"),
        _model("higashiyamato", _works("0.97", "0.90", "0.90", "0.55"), "0.70", "0.92", "東大和市"),
        _model("kanagawa", _works("0.97", "0.90", "0.90", "0.68"), "0.75", "0.92", "神奈川県: 率の1%未満切上げ",
               rate_rounding=Rounding("ceiling", Fraction(1, 100))),
        _model("sakata-survey", {"direct": "1", "survey": "1", "general": "0.48"}, "0.60", "0.82",
               "酒田市 告示258 測量: 6/10–8.2/10; 諸経費の率は[M]"),
        _model("sakata-geology", {"direct": "1", "indirect": "0.90", "analysis": "0.80", "general": "0.50"}, "2/3", "0.85",
               "酒田市 告示258 地質: 2/3–8.5/10; 諸経費の率は[M]"),
    )
}  # fmt: skip
"""Published models by name. `direct` 直接工事費, `temporary` 共通仮設費, `site` 現場管理費, `general` 一般管理費等 (諸経費)."""


def model_of(document: Mapping[str, Any] | str) -> Model:
    """A published model's name, or a tenant's own table: `{"name", "coefficients": {"direct": "0.97"}, "floor", "ceiling",
    "rate_rounding"?, "rounding"?}`. Raises Invalid for an unknown name or bounds that cross."""
    if isinstance(document, str):
        if document not in MODELS:
            raise Invalid("算定式を、一覧から選んでください。", code="limits", name=document)
        return MODELS[document]
    model = Model(
        str(document["name"]),
        {str(part): ratio(share) for part, share in document["coefficients"].items()},
        ratio(document["floor"]),
        ratio(document["ceiling"]),
        rounding_of(document["rate_rounding"]) if "rate_rounding" in document else EXACT,
        rounding_of(document.get("rounding")),
        rounding_of(document["floor_rounding"]) if "floor_rounding" in document else None,
    )
    if not 0 < model.floor <= model.ceiling <= 1:
        raise Invalid("算定式の下限と上限は、0より大きく1以下で、下限≦上限にしてください。", code="limits")
    return model


def by_model(model: Model, components: Mapping[str, int], reserve: int) -> int:
    """The limit for a reserve price of `reserve` yen. `components` are the design's costs in yen and add up to the design price;
    all of the model's must be there, others (e.g. 有価物) count in the design price with share 1.

    基準率 = Σ share×cost ÷ design price; limit = min(max(基準率, floor), ceiling) × 予定価格, rounded.
    """
    missing = sorted(set(model.coefficients) - set(components))
    design = sum(components.values())
    if missing or design <= 0 or reserve <= 0:
        raise Invalid("設計価格の内訳がそろっていません。", code="limits", missing=missing)
    shares = (model.coefficients.get(part, Fraction(1)) * cost for part, cost in components.items())
    weighed = sum(shares, Fraction(0))
    rate = model.rate_rounding(weighed / design)
    if rate < model.floor:
        return (model.floor_rounding or model.rounding).yen(model.floor * reserve)
    return model.rounding.yen(min(rate, model.ceiling) * reserve)


@dataclass(frozen=True, slots=True)
class MeanOfLowest:
    """下関市 (expydoc 8676419): mean of the `count` lowest bids between `lower`×予定価格 and 設計金額, × `factor`, rounded;
    never below `floor`×予定価格."""

    count: int = 10
    factor: Fraction = Fraction(9, 10)
    lower: Fraction = Fraction(87, 100)
    floor: Fraction = Fraction(87, 100)
    rounding: Rounding = FLOOR_THOUSAND


def mean_of_lowest(rule: MeanOfLowest, amounts: Sequence[int], reserve: int, design: int | None = None) -> int:
    """The limit from the valid bids. `design` is 設計金額 (default: the reserve price). No bid in the range → the floor."""
    top = reserve if design is None else design
    counted = sorted(amount for amount in amounts if rule.lower * reserve <= amount <= top)[: rule.count]
    floor = rule.rounding.yen(rule.floor * reserve) if not counted else 0
    if not counted:
        return floor
    value = rule.rounding.yen(Fraction(sum(counted), len(counted)) * rule.factor)
    return max(value, rule.rounding.yen(rule.floor * reserve))


def random_factor(base: int, seed: bytes, low: Fraction, high: Fraction, step: Fraction, rounding: Rounding) -> int:
    """ランダム係数 (大村市): `base` × a factor drawn from low, low+step, … high by the seed known first at opening.

    `seed` as made by `lottery.seed`: nobody knows it before all bids are open. The draw is uniform but for a bias below 2⁻²⁰⁰.
    """
    if step <= 0 or high < low:
        raise Invalid("ランダム係数の範囲を確かめてください。", code="limits")
    places = int((high - low) / step) + 1
    chosen = int.from_bytes(hashlib.sha256(seed + b"\0random-factor").digest(), "big") % places
    return rounding.yen((low + chosen * step) * base)


def drawn_reserve(prices: Sequence[int], picks: Sequence[Sequence[int]], *, take: int = 4) -> int:
    """複数予備価格: mean of the `take` preliminary prices that bidders picked most often, below one yen cut off.

    `prices` 15 yen amounts fixed and sealed beforehand, `picks` each bidder's chosen places (from 0). Equal counts: the lower
    place first. Raises Invalid when nobody picked or a place does not exist.
    """
    taken = [price for _, price, _, is_taken in drawn_table(prices, picks, take=take) if is_taken]
    return FLOOR_YEN.yen(Fraction(sum(taken), len(taken)))


def drawn_table(
    prices: Sequence[int], picks: Sequence[Sequence[int]], *, take: int = 4
) -> list[tuple[int, int, int, bool]]:
    """How the reserve was drawn, for people: place (from 1), price, how many picked it, whether it is one of the `take`."""
    counts = Counter(place for chosen in picks for place in set(chosen))
    if not counts or not all(0 <= place < len(prices) for place in counts):
        raise Invalid("予備価格の選択がありません。", code="limits")
    taken = sorted(range(len(prices)), key=lambda place: (-counts[place], place))[:take]
    return [(place + 1, price, counts[place], place in taken) for place, price in enumerate(prices)]


PRELIMINARY, PICKS = 15, 2
"""How many preliminary prices there are, and how many each bidder draws (KONEPS 複数予備価格)."""


AMOUNTS = ("reserve", "minimum", "investigation", "disqualify", "reserve_with_tax")


@dataclass(frozen=True, slots=True)
class Limits:
    """What decides an opening, all 税抜 yen but `reserve_with_tax`, which is 予定価格 itself (None: none is sealed beside the reserve):
    `reserve` 入札書比較価格 (None: no 予定価格 is set), `minimum` 最低制限価格,
    `investigation` 調査基準価格, `disqualify` 失格基準価格 below which no investigation is made, `preliminary` 予備価格 of which the
    reserve is drawn."""

    reserve: int | None = None
    minimum: int | None = None
    investigation: int | None = None
    disqualify: int | None = None
    reserve_with_tax: int | None = None
    preliminary: tuple[int, ...] = ()


def limits_of(document: Mapping[str, Any]) -> Limits:
    """From the JSON that the buyer sealed. Raises Invalid unless each is yen and disqualify ≤ investigation ≤ reserve,
    minimum ≤ reserve."""
    preliminary = document.get("preliminary", [])
    values = {name: document.get(name) for name in AMOUNTS}
    if not isinstance(preliminary, list) or len(preliminary) not in {0, PRELIMINARY}:
        raise Invalid(f"予備価格は、{PRELIMINARY}個にしてください。", code="limits")
    for value in (*values.values(), *preliminary):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise Invalid("予定価格などの金額は、1円以上の整数にしてください。", code="limits")
    limits = Limits(**values, preliminary=tuple(preliminary))
    for low, high in (
        (limits.disqualify, limits.investigation), (limits.investigation, limits.reserve), (limits.minimum, limits.reserve),
    ):  # fmt: skip
        if low is not None and high is not None and low > high:
            raise Invalid("最低制限価格・調査基準価格は、予定価格以下にしてください。", code="limits")
    return limits
