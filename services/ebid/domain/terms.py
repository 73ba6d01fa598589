"""What the announcement fixes about deciding: one document, the same in the database, in the log and in the public bundle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from typing import Any

from libs.common.errors import Invalid
from services.ebid.domain import lottery, scoring
from services.ebid.domain.evaluation import Evaluation, evaluation_of
from services.ebid.domain.limits import MeanOfLowest, Model, model_of
from services.ebid.domain.lottery import Profile
from services.ebid.domain.money import FLOOR_THOUSAND, Rounding, Tax, ratio, rounding_of

SETTLE = timedelta(seconds=30)
"""So long after a deadline what had come whole before it is still written down; then the round is closed. Shorter than the least time
between 入札締切 and 開札 (`procedure.OPENING_AT_LEAST`): nothing is opened meanwhile."""
LIMIT_RULES = ("none", "sealed", "mean_of_lowest", "random_factor", "drawn_reserve")


@dataclass(frozen=True, slots=True)
class LimitRule:
    """Where 最低制限価格 comes from. "none": there is none, nor a 調査基準価格. "sealed": the buyer's envelope; the others are
    determined at opening (開札時算定).

    `target` is which of `Limits` it is about: "minimum" (最低制限価格) or "investigation" (調査基準価格, with 失格基準価格 beside it);
    "drawn_reserve" always sets the reserve. `model`: the table by which the sealed amount was computed, where it was.
    """

    kind: str = "sealed"
    target: str = "minimum"
    mean: MeanOfLowest = field(default_factory=MeanOfLowest)
    low: Fraction = Fraction(1)
    high: Fraction = Fraction(1)
    step: Fraction = Fraction(1, 10000)
    rounding: Rounding = FLOOR_THOUSAND
    model: Model | None = None

    @property
    def excludes(self) -> bool:
        """Whether a bid may be too low."""
        return self.kind not in ("none", "drawn_reserve")


@dataclass(frozen=True, slots=True)
class Terms:
    """`tie_chain` what decides between equal values before くじ: "technical", "price";
    `rebids` how many 再度入札 may follow; `minimum_bids` fewer bidders are 不調; `review_after` 事後審査型;
    `standard_value` whether a 評価値 below 標準点÷予定価格 is out (除算方式); `hidden` whether 予定価格 and the limits beside it stay
    unpublished after the opening, too (非公表); `self_points` the most points of each criterion, in thousandths, where bidders seal
    their own (自己採点), empty where officials give them; `announced` what the announcement itself tells (事前公表 of 予定価格):
    "reserve_with_tax" and "reserve" in yen, empty where nothing is told before the opening; `ranks_stand` whether くじ is drawn once,
    at the opening: when the first is found unfit afterwards (失格), the next of that draw comes up. Announcements from before this was
    settled drew anew among those who were left. `bound_with_tax`: whether the contract, with tax, keeps within 予定価格 with tax, too
    (`ranking.is_beyond`); announcements from before that looked at 入札書比較価格 alone."""

    tender: str
    lottery: Profile = lottery.PROFILES["core"]
    evaluation: Evaluation = field(default_factory=Evaluation)
    tax: Tax = field(default_factory=Tax)
    limits: LimitRule = field(default_factory=LimitRule)
    tie_chain: tuple[str, ...] = field(default=())
    rebids: int = 1
    minimum_bids: int = 1
    review_after: bool = False
    standard_value: bool = False
    hidden: bool = False
    self_points: tuple[int, ...] = ()
    announced: Mapping[str, int] = field(default_factory=dict)
    ranks_stand: bool = False
    bound_with_tax: bool = False

    @property
    def sealed_amounts(self) -> tuple[str, ...]:
        """Which of `Limits` beside the reserve the buyer's envelope must hold. The mean of the lowest bids needs none; 総合評価 knows
        no 最低制限価格."""
        if self.limits.kind == "drawn_reserve":
            return ("preliminary",)
        counts = self.evaluation.kind == "price" or self.limits.target != "minimum"
        return (self.limits.target,) if self.limits.kind in ("sealed", "random_factor") and counts else ()

    @property
    def official_seals(self) -> bool:
        """Whether an official must seal amounts before the publication: those that decide and that the announcement does not tell."""
        return not self.announced or bool(self.sealed_amounts)


def terms_of(document: Mapping[str, Any]) -> Terms:
    """Read the announced terms.

    `{"tender": id, "lottery": "core", "evaluation": {…}, "tax": {"percent": 10, "comparison": {"mode", "unit"}},
    "limits": {"kind": "sealed"}, "tie_chain": ["technical"], "rebids": 2, "minimum_bids": 1,
    "review_after": false, "standard_value": false, "ranks": "stand", "bound": "with_tax", "disclosure": "after",
    "announced_limits": {"reserve_with_tax": yen, "reserve": yen}}`
    (the last with "disclosure": "before" only); all but `tender` may be missing. Raises Invalid for what
    contradicts the law or itself.
    """
    tax = document.get("tax", {})
    terms = Terms(
        tender=str(document["tender"]),
        lottery=lottery.profile_of(str(document.get("lottery", "core"))),
        evaluation=evaluation_of(document.get("evaluation")),
        tax=Tax(int(tax.get("percent", 10)), rounding_of(tax.get("comparison"))),
        limits=limit_rule_of(document.get("limits", {})),
        tie_chain=tuple(document.get("tie_chain", ())),
        rebids=int(document.get("rebids", 1)),
        minimum_bids=int(document.get("minimum_bids", 1)),
        review_after=bool(document.get("review_after", False)),
        standard_value=bool(document.get("standard_value", False)),
        hidden=document.get("disclosure") == "never",
        self_points=self_points_of(document),
        ranks_stand=document.get("ranks") == "stand",
        bound_with_tax=document.get("bound") == "with_tax",
        announced={str(name): int(amount) for name, amount in document.get("announced_limits", {}).items()},
    )
    check(terms)
    return terms


def self_points_of(document: Mapping[str, Any]) -> tuple[int, ...]:
    if document.get("points") != "self":
        return ()
    return tuple(int(each.full * 1000) for each in scoring.criteria_of(document["criteria"]))


def limit_rule_of(document: Mapping[str, Any]) -> LimitRule:
    kind = str(document.get("kind", "sealed"))
    if kind not in LIMIT_RULES or document.get("target", "minimum") not in {"minimum", "investigation"}:
        raise Invalid("最低制限価格の決め方を、一覧から選んでください。", code="limits")
    mean = MeanOfLowest(
        count=int(document.get("count", 10)),
        factor=ratio(document.get("factor", "0.9")),
        lower=ratio(document.get("lower", "0.87")),
        floor=ratio(document.get("floor", "0.87")),
        rounding=rounding_of(document.get("rounding", {"mode": "floor", "unit": 1000})),
    )
    return LimitRule(
        kind=kind,
        target=str(document.get("target", "minimum")),
        mean=mean,
        low=ratio(document.get("low", 1)),
        high=ratio(document.get("high", 1)),
        step=ratio(document.get("step", "0.0001")),
        rounding=mean.rounding,
        model=model_of(document["model"]) if "model" in document else None,
    )


def check(terms: Terms) -> None:
    """Refuse terms that the law or arithmetic does not allow."""
    scored = terms.evaluation.kind != "price"
    if scored and terms.limits.target == "minimum" and terms.limits.kind not in {"none", "sealed", "drawn_reserve"}:
        raise Invalid("総合評価落札方式には、最低制限価格を設けられません。", code="terms")
    if set(terms.tie_chain) - {"technical", "price"}:
        raise Invalid("同じ評価値のときの順序は、技術点・価格から選んでください。", code="terms")
    if not 0 <= terms.rebids <= 5 or terms.minimum_bids < 1:
        raise Invalid("再度入札の回数は0から5回、最少応札者数は1者以上にしてください。", code="terms")
