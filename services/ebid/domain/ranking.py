"""Ranking and award of one round of bids (地方自治法 234条3項; 施行令 167条の8から167条の10の2).

`decide` is a pure function of what was announced, what was opened and what was refused since: it gives the same answer after
every restart, in the city and at a loser's desk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction

from libs.common.errors import Invalid, say
from services.ebid.domain import evaluation, lottery
from services.ebid.domain import limits as limit_rules
from services.ebid.domain.evaluation import PriceSpace
from services.ebid.domain.limits import Limits
from services.ebid.domain.lottery import Draw, Ticket
from services.ebid.domain.terms import LimitRule, Terms

STANDINGS = {
    "eligible": say("有効"),
    "invalid": say("無効"),
    "over_reserve": say("予定価格超過"),
    "below_minimum": say("最低制限価格未満（失格）"),
    "below_disqualify": say("失格基準価格未満（失格）"),
    "below_standard": say("基準評価値未満"),
    "refused": say("失格"),
}
"""Why a bid is or is not in the ranking: program word → the word of the 入札結果."""
OUTCOMES = {
    "award": say("落札候補者あり"),
    "hold_investigation": say("保留（低入札価格調査）"),
    "hold_review": say("保留（事後審査・総合評価の審査）"),
    "rebid": say("再度入札"),
    "no_bids": say("不調（応札者なし）"),
    "no_award": say("不落"),
}


@dataclass(frozen=True, slots=True)
class Bid:
    """An opened 入札書. `amount` 税抜 yen; `lottery_number` "000"–"999"; `sequence` order of receipt (log index);
    `invalid` the reason why it is 無効, empty for a valid one; `technical` 加算点 or 技術評価点; `blind` of the sealed payload;
    `picks` the preliminary prices that the bidder drew (from 0), where the reserve is drawn (複数予備価格)."""

    bidder: str
    amount: int
    lottery_number: str
    arrived_at: datetime
    sequence: int
    assigned: int = 0
    invalid: str = ""
    technical: Fraction = Fraction(0)
    blind: bytes = b""
    picks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """One bid in the result. `standing` a key of STANDINGS; `rank` from 1, None when out; `value` 評価値 (総合評価 only);
    `drawn` whether くじ decided its rank; `investigate` whether it lies below 調査基準価格."""

    bid: Bid
    standing: str
    rank: int | None = None
    value: Fraction | None = None
    drawn: bool = False
    investigate: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """`outcome` a key of OUTCOMES; `candidate` 落札候補者's id; `places` in rank order, then those out in order of receipt;
    `draws` every くじ step; `lowest` what is told to bidders before a 再度入札, None when nothing is."""

    outcome: str
    candidate: str | None
    places: tuple[Place, ...]
    draws: tuple[Draw, ...] = ()
    lowest: int | None = None
    rebidders: tuple[str, ...] = field(default=())


def decide(
    terms: Terms,
    bids: Sequence[Bid],
    limits: Limits,
    *,
    round_: int = 1,
    last_lowest: int | None = None,
    refused: Mapping[str, str] | None = None,
    cleared: frozenset[str] = frozenset(),
    seed: bytes = b"",
    opened_at: datetime | None = None,
) -> Outcome:
    """Rank one round.

    `last_lowest` is the lowest amount told after the round before: a 再度入札 must be below it (above, for a sale).
    `refused`: bidder → reason, found after opening (低入札価格調査, 事後審査). `cleared`: bidders who passed 低入札価格調査 or review.
    `seed`: of the verifiable lottery (`lottery.seed`), only for that profile. `opened_at`: for profiles that use it.
    """
    refused = refused or {}
    judged = [judge(terms, bid, limits, last_lowest, refused) for bid in sorted(bids, key=lambda bid: bid.sequence)]
    ranked, draws = rank(terms, judged, limits, seed, opened_at)
    out = [place for place in judged if place.standing != "eligible"]
    ranked, below = apart_below_standard(terms, ranked, limits)
    places = (*ranked, *below, *out)
    if sum(place.standing != "invalid" for place in judged) < terms.minimum_bids:
        return Outcome("no_bids", None, tuple(replace(place, rank=None) for place in places))
    if ranked:
        return Outcome(held(terms, ranked[0], cleared), ranked[0].bid.bidder, places, draws)
    return without_award(terms, places, limits, round_)


def judge(terms: Terms, bid: Bid, limits: Limits, last_lowest: int | None, refused: Mapping[str, str]) -> Place:
    """The standing of one bid by itself: 無効, 予定価格超過, 失格 or eligible. Limits themselves are inside (以内, 以上)."""
    if bid.invalid:
        return Place(bid, "invalid")
    if last_lowest is not None and bid.amount >= last_lowest:
        return Place(replace(bid, invalid="前回の最低入札価格を下回っていません"), "invalid")
    if is_beyond(terms, bid.amount, limits):
        return Place(bid, "over_reserve")
    if limits.minimum is not None and bid.amount < limits.minimum:
        return Place(bid, "below_minimum")
    if limits.disqualify is not None and bid.amount < limits.disqualify:
        return Place(bid, "below_disqualify")
    if bid.bidder in refused:
        return Place(replace(bid, invalid=refused[bid.bidder]), "refused")
    return Place(bid, "eligible", investigate=limits.investigation is not None and bid.amount < limits.investigation)


def is_beyond(terms: Terms, amount: int, limits: Limits) -> bool:
    """予定価格超過: `amount` (税抜) is beyond 入札書比較価格, or the contract that it would become is beyond 予定価格 itself.

    The law bounds the contract (法234条3項), and a comparison price that was rounded up lets it pass by a yen:
    10,000,000 → 9,090,910 → 10,000,001.
    """
    with_tax = limits.reserve_with_tax if terms.bound_with_tax else None
    if with_tax is not None and terms.tax.contract_amount(amount) > with_tax:
        return True
    return limits.reserve is not None and amount > limits.reserve


def rank(
    terms: Terms, judged: Sequence[Place], limits: Limits, seed: bytes, opened_at: datetime | None
) -> tuple[list[Place], tuple[Draw, ...]]:
    """Eligible bids in order, equal ones by the announced chain and then by くじ (167条の9). Where ranks stand, who was refused after the
    opening still takes part in the draw: else an official, who then knows all numbers, could choose by refusing."""
    drawn = ("eligible", "refused") if terms.ranks_stand else ("eligible",)
    eligible = [
        replace(place, value=value_of(terms, place, judged, limits)) for place in judged if place.standing in drawn
    ]
    groups: dict[tuple[Fraction, ...], list[Place]] = {}
    for place in eligible:
        groups.setdefault(sort_key(terms, place), []).append(place)
    ranked: list[Place] = []
    draws: list[Draw] = []
    opened = [place.bid for place in judged]
    for key in sorted(groups):
        ordered, steps = order_ties(terms, groups[key], opened, seed, opened_at)
        draws += steps
        for place in (each for each in ordered if each.standing == "eligible"):
            ranked.append(replace(place, rank=len(ranked) + 1, drawn=len(ordered) > 1))
    return ranked, tuple(draws)


def value_of(terms: Terms, place: Place, judged: Sequence[Place], limits: Limits) -> Fraction | None:
    """評価値, or None where price alone decides."""
    if terms.evaluation.kind == "price":
        return None
    if limits.reserve is None and terms.evaluation.kind == "addition":
        raise Invalid("加算方式には、予定価格が必要です。", code="evaluation")
    lowest = min((other.bid.amount for other in judged if other.standing == "eligible"), default=place.bid.amount)
    space = PriceSpace(limits.reserve or 1, limits.investigation, lowest)
    return evaluation.value(terms.evaluation, place.bid.amount, place.bid.technical, space)


def sort_key(terms: Terms, place: Place) -> tuple[Fraction, ...]:
    """Smaller is better; equal keys are drawn."""
    price = Fraction(place.bid.amount)
    if place.value is None:
        return (price,)
    chain = {"technical": -place.bid.technical, "price": price}
    return (-place.value, *(chain[name] for name in terms.tie_chain))


def order_ties(
    terms: Terms, tied: Sequence[Place], opened: Sequence[Bid], seed: bytes, opened_at: datetime | None
) -> tuple[list[Place], list[Draw]]:
    """Equal bids in the order that くじ gives them."""
    if len(tied) == 1:
        return list(tied), []
    tickets = [ticket(place.bid) for place in tied]
    if terms.lottery.name == "verifiable":
        if not seed:
            raise Invalid("検証できるくじには、開札の種が必要です。", code="lottery")
        order, steps = lottery.draw_verifiably(seed, tickets, str(tied[0].bid.amount)), []
    else:
        order, steps = lottery.draw(terms.lottery, tickets, opened_at=opened_at)
    places = {place.bid.bidder: place for place in tied}
    return [places[bidder] for bidder in order], steps


def ticket(bid: Bid) -> Ticket:
    """The bid as it stands in the lottery."""
    return Ticket(bid.bidder, int(bid.lottery_number), bid.arrived_at, bid.sequence, bid.assigned, bid.blind)


def apart_below_standard(terms: Terms, ranked: list[Place], limits: Limits) -> tuple[list[Place], list[Place]]:
    """除算方式: bids whose 評価値 is below 標準点 ÷ 予定価格 leave the ranking."""
    if not terms.standard_value or terms.evaluation.kind != "division" or limits.reserve is None:
        return ranked, []
    least = evaluation.standard_value(terms.evaluation, limits.reserve)
    kept = [place for place in ranked if place.value is not None and place.value >= least]
    below = [replace(place, standing="below_standard", rank=None) for place in ranked if place not in kept]
    return [replace(place, rank=number) for number, place in enumerate(kept, 1)], below


def held(terms: Terms, first: Place, cleared: frozenset[str]) -> str:
    """Whether the first may be awarded, or an investigation or review comes before (保留)."""
    if first.bid.bidder in cleared:
        return "award"
    if first.investigate:
        return "hold_investigation"
    return "hold_review" if terms.review_after else "award"


def without_award(terms: Terms, places: tuple[Place, ...], limits: Limits, round_: int) -> Outcome:
    """不調, 再度入札 (167条の8第4項: nobody within the limits) or 不落. Who was 無効 or 失格 does not bid again."""
    valid = [place for place in places if place.standing != "invalid"]
    if not valid:
        return Outcome("no_bids", None, places)
    over = [place for place in places if place.standing == "over_reserve"]
    amounts = [place.bid.amount for place in over]
    lowest = min(amounts) if amounts else None
    if (
        over
        and len(over) == len([place for place in valid if place.standing != "below_minimum"])
        and round_ <= terms.rebids
    ):
        return Outcome("rebid", None, places, lowest=lowest, rebidders=tuple(place.bid.bidder for place in over))
    return Outcome("no_award", None, places, lowest=lowest)


def limits_at_opening(terms: Terms, bids: Sequence[Bid], limits: Limits, seed: bytes = b"") -> Limits:
    """The limits with what is determined only at opening (開札時算定) put in. `limits` are the sealed ones."""
    if terms.evaluation.kind != "price":  # 総合評価 knows no 最低制限価格: 167条の10の2 has none
        limits = replace(limits, minimum=None)
    rule = terms.limits
    if rule.kind == "none":  # announced as not set: whatever was sealed does not count
        return Limits(reserve=limits.reserve, reserve_with_tax=limits.reserve_with_tax)
    limits = announced(limits, rule)
    if rule.kind == "mean_of_lowest" and limits.reserve is not None:
        amounts = [bid.amount for bid in bids if not bid.invalid]
        return replace(limits, **{rule.target: limit_rules.mean_of_lowest(rule.mean, amounts, limits.reserve)})
    if rule.kind == "drawn_reserve":
        drawn = limit_rules.drawn_reserve(limits.preliminary, picks_of(bids))
        return replace(
            limits, reserve=drawn, reserve_with_tax=None
        )  # what was sealed is only where the prices came from
    base = getattr(limits, rule.target)
    if rule.kind == "random_factor" and base is not None:
        if not seed:
            raise Invalid("ランダム係数には、開札の種が必要です。", code="limits")
        drawn = limit_rules.random_factor(base, seed, rule.low, rule.high, rule.step, rule.rounding)
        return replace(limits, **{rule.target: drawn})
    return limits


def announced(limits: Limits, rule: LimitRule) -> Limits:
    """Only the kind of limit that was announced counts, whatever was sealed beside it."""
    if rule.target == "minimum":
        return replace(limits, investigation=None, disqualify=None)
    return replace(limits, minimum=None)


NOBODY_DREW: list[tuple[int, ...]] = [(0, 1), (2, 3)]


def picks_of(bids: Sequence[Bid]) -> list[tuple[int, ...]]:
    """The places that valid bidders drew; nobody drew any: the first four count, so that an opening never stands still."""
    return [bid.picks for bid in bids if bid.picks and not bid.invalid] or NOBODY_DREW
