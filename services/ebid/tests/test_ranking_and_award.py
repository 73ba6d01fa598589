"""Who is ranked, who is out, who is awarded: by price, by 総合評価, over several rounds."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Invalid
from services.ebid.domain import evaluation
from services.ebid.domain.evaluation import PriceSpace, evaluation_of
from services.ebid.domain.limits import Limits, limits_of
from services.ebid.domain.opened import bid_payload, read_bid
from services.ebid.domain.ranking import STANDINGS, Bid, Outcome, decide, limits_at_opening
from services.ebid.domain.terms import Terms, terms_of

NOON = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
LIMITS = Limits(reserve=10_000_000, minimum=8_000_000)


def terms(**words: Any) -> Terms:
    return terms_of({"tender": "t", **words})


def bids(*amounts: int, technical: Iterable[int] = ()) -> list[Bid]:
    points = [*technical, *[0] * len(amounts)]
    return [
        Bid(
            "abcdefghij"[place],
            amount,
            f"{place:03d}",
            NOON + timedelta(seconds=place),
            place,
            technical=Fraction(points[place]),
        )
        for place, amount in enumerate(amounts)
    ]


def order(outcome: Outcome) -> str:
    return "".join(place.bid.bidder for place in outcome.places if place.rank)


def standing(outcome: Outcome) -> dict[str, str]:
    return {place.bid.bidder: place.standing for place in outcome.places}


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(10_000_000, "eligible"), (10_000_001, "over_reserve"), (8_000_000, "eligible"), (7_999_999, "below_minimum")],
)
def test_limits_themselves_are_inside(amount: int, expected: str) -> None:
    assert standing(decide(terms(), bids(amount), LIMITS)) == {"a": expected}


def test_the_lowest_within_the_limits_is_awarded() -> None:
    outcome = decide(terms(), bids(9_500_000, 7_000_000, 9_000_000, 11_000_000), LIMITS)
    assert (outcome.outcome, outcome.candidate, order(outcome)) == ("award", "c", "ca")
    assert standing(outcome) == {"a": "eligible", "b": "below_minimum", "c": "eligible", "d": "over_reserve"}


def test_equal_bids_are_drawn_and_the_draw_is_shown() -> None:
    outcome = decide(terms(), bids(9_000_000, 9_000_000, 9_000_000, 9_500_000), LIMITS)
    assert [place.drawn for place in outcome.places] == [True, True, True, False]
    assert outcome.draws[0].winner == outcome.candidate and len(outcome.draws[0].among) == 3
    assert outcome.places[3].bid.bidder == "d"


def test_the_result_does_not_depend_on_the_order_in_which_bids_are_read() -> None:
    given_bids = bids(9_000_000, 9_000_000, 9_100_000)
    assert decide(terms(), given_bids, LIMITS) == decide(terms(), given_bids[::-1], LIMITS)


def test_below_the_investigation_price_the_award_is_held_until_cleared_or_refused() -> None:
    limits = Limits(reserve=10_000_000, investigation=9_000_000, disqualify=8_000_000)
    given_bids = bids(8_500_000, 9_000_000, 7_999_999)
    assert decide(terms(), given_bids, limits).outcome == "hold_investigation"
    cleared = decide(terms(), given_bids, limits, cleared=frozenset("a"))
    assert (cleared.outcome, cleared.candidate) == ("award", "a")
    refused = decide(terms(), given_bids, limits, refused={"a": "積算内訳に不備"})
    assert (refused.outcome, refused.candidate, standing(refused)["a"]) == ("award", "b", "refused")
    assert standing(refused)["c"] == "below_disqualify"


def test_with_review_after_opening_candidates_are_examined_one_after_another() -> None:
    given_bids = bids(9_000_000, 9_100_000)
    assert decide(terms(review_after=True), given_bids, LIMITS).outcome == "hold_review"
    second = decide(terms(review_after=True), given_bids, LIMITS, refused={"a": "資格なし"})
    assert (second.outcome, second.candidate) == ("hold_review", "b")
    assert (
        decide(terms(review_after=True), given_bids, LIMITS, refused={"a": "x"}, cleared=frozenset("b")).outcome
        == "award"
    )


# ---- 再度入札, 不調, 不落


def test_all_above_the_reserve_are_asked_again_and_told_the_lowest() -> None:
    outcome = decide(terms(rebids=1), bids(10_500_000, 10_200_000, 7_000_000), LIMITS)
    assert (outcome.outcome, outcome.lowest, outcome.rebidders) == ("rebid", 10_200_000, ("a", "b"))
    again = decide(terms(rebids=1), bids(10_200_000, 10_199_999), LIMITS, round_=2, last_lowest=outcome.lowest)
    assert (again.outcome, standing(again)) == ("no_award", {"a": "invalid", "b": "over_reserve"})
    assert decide(terms(rebids=2), bids(10_100_000), LIMITS, round_=2, last_lowest=10_200_000).outcome == "rebid"


def test_no_rebid_when_somebody_was_within_the_reserve_but_refused() -> None:
    outcome = decide(terms(rebids=2), bids(9_000_000, 10_500_000), LIMITS, refused={"a": "資格なし"})
    assert outcome.outcome == "no_award"


def test_all_below_the_minimum_is_no_award_and_no_bid_at_all_is_futyo() -> None:
    assert decide(terms(), bids(7_000_000), LIMITS).outcome == "no_award"
    assert decide(terms(), [], LIMITS).outcome == "no_bids"
    broken = read_bid(None, "復号できません", bidder="a", arrived_at=NOON, sequence=0)
    assert decide(terms(), [broken], LIMITS).outcome == "no_bids"


def test_fewer_bidders_than_announced_is_futyo() -> None:
    assert decide(terms(minimum_bids=2), bids(9_000_000), LIMITS).outcome == "no_bids"
    assert decide(terms(minimum_bids=2), bids(9_000_000, 9_100_000), LIMITS).outcome == "award"


def test_without_a_reserve_price_the_lowest_is_awarded() -> None:
    assert decide(terms(), bids(2, 1), Limits()).candidate == "b"


# ---- what an envelope may hold


@pytest.mark.parametrize(
    "changed",
    [{"amount": 0}, {"amount": 10**15}, {"amount": "9200000"}, {"amount": "９２０００００"}, {"amount": True}, {"amount": -1},
     {"amount": 1.5}, {"lottery_number": "1000"}, {"lottery_number": "４１８"}, {"lottery_number": 418}, {"breakdown": ""},
     {"more": 1}, {"picks": [1, 1]}, {"picks": [0, 15]}, {"picks": [True, 2]}, {"picks": "12"}, {"picks": [1]}],
)  # fmt: skip
def test_a_payload_that_breaks_the_rules_is_an_invalid_bid_not_an_error(changed: dict[str, Any]) -> None:
    payload = {**bid_payload(9_000_000, "418"), "blind": "0" * 64, **changed}
    bid = read_bid(payload, "", bidder="a", arrived_at=NOON, sequence=0)
    assert bid.invalid
    assert standing(decide(terms(), [bid], LIMITS)) == {"a": "invalid"}


# ---- 総合評価


def test_the_published_example_of_the_addition_method() -> None:
    """基本情報技術者 平成27年秋 午前 問66: A 80, B 85, C 90, D above the reserve; C wins."""
    scored = terms(evaluation={"kind": "addition", "curve": "linear", "weight": 100})
    outcome = decide(scored, bids(700, 800, 900, 1100, technical=(50, 65, 80, 100)), Limits(reserve=1000))
    assert [(place.bid.bidder, place.value) for place in outcome.places if place.rank] == [
        ("c", 90),
        ("b", 85),
        ("a", 80),
    ]
    assert standing(outcome)["d"] == "over_reserve"


def test_the_division_method_with_its_standard_value() -> None:
    scored = terms(evaluation={"kind": "division", "standard": 100, "scale": 10**8, "rounding": {"mode": "half_up", "unit": "1/10000"}},
                   standard_value=True)  # fmt: skip
    given_bids = bids(95_000_000, 90_000_000, 88_000_000, 101_000_000, technical=(20, 10, 5, 50))
    outcome = decide(scored, given_bids, Limits(reserve=100_000_000))
    assert {place.bid.bidder: place.value for place in outcome.places if place.rank} == {
        "a": Fraction("126.3158"), "b": Fraction("122.2222"), "c": Fraction("119.3182"),
    }  # fmt: skip
    assert outcome.candidate == "a"
    below = decide(scored, bids(100_000_000, 99_000_000, technical=(-1, 0)), Limits(reserve=100_000_000))
    assert (standing(below), below.candidate) == ({"a": "below_standard", "b": "eligible"}, "b")


SPACE = PriceSpace(reserve=1000, investigation=800, lowest=700)


@pytest.mark.parametrize(
    ("rule", "amount", "points"),
    [({"curve": "linear", "weight": 50}, 900, "5"),
     ({"curve": "kinked", "weight": 50}, 800, "10"), ({"curve": "kinked", "weight": 50}, 700, "12.5"),
     ({"curve": "floored", "weight": 40, "base": "0.75"}, 700, "10"), ({"curve": "floored", "weight": 40}, 751, "9.96"),
     ({"curve": "ratio", "weight": 30}, 900, "70/3"),
     ({"curve": "tent", "weight": 100}, 800, "100"), ({"curve": "tent", "weight": 100}, 900, "90"),
     ({"curve": "tent", "weight": 100}, 700, "90")],
)  # fmt: skip
def test_the_five_price_curves(rule: dict[str, Any], amount: int, points: str) -> None:
    assert evaluation.price_points(evaluation_of({"kind": "addition", **rule}), amount, SPACE) == Fraction(points)


def test_technical_points_are_compressed_as_published() -> None:
    rule = evaluation_of({"kind": "addition", "curve": "linear", "technical_weight": 19, "technical_full": 24})
    assert evaluation.technical_points(rule, Fraction(20)) == Fraction("95/6")  # 15.8333 as published


def test_equal_values_are_parted_by_the_announced_chain_before_lots_are_drawn() -> None:
    words = {"evaluation": {"kind": "addition", "curve": "linear", "weight": 100}}
    given_bids = bids(900, 800, 900, technical=(20, 10, 20))  # all 30 points
    chained = decide(terms(tie_chain=["technical"], **words), given_bids, Limits(reserve=1000))
    assert chained.places[2].bid.bidder == "b" and not chained.places[2].drawn
    assert chained.places[0].drawn and chained.places[1].drawn
    assert all(place.drawn for place in decide(terms(**words), given_bids, Limits(reserve=1000)).places)


def test_rounded_values_are_what_is_compared() -> None:
    words = {"kind": "division", "scale": 10**4, "rounding": {"mode": "floor", "unit": 1}}
    outcome = decide(terms(evaluation=words), bids(9_999, 10_000, technical=(0, 0)), Limits(reserve=10_000))
    assert [place.value for place in outcome.places] == [100, 100] and outcome.places[0].drawn


@pytest.mark.parametrize(
    "wrong",
    [{"tie_chain": ["name"]}, {"rebids": 9}, {"minimum_bids": 0},
     {"lottery": "mine"}, {"evaluation": {"kind": "addition", "curve": "secret"}}, {"limits": {"kind": "later"}},
     {"evaluation": {"kind": "addition", "weight": 0.5}}, {"evaluation": {"kind": "division"}, "limits": {"kind": "mean_of_lowest"}}],
)  # fmt: skip
def test_terms_that_nobody_could_apply_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        terms(**wrong)


def test_a_limit_that_was_not_announced_does_not_exclude() -> None:
    used = limits_at_opening(terms(limits={"kind": "none"}), bids(1), LIMITS)
    assert used == Limits(reserve=10_000_000) and decide(terms(), bids(1), used).candidate == "a"
    scored = terms(evaluation={"kind": "division"})
    assert limits_at_opening(scored, bids(1), LIMITS).minimum is None  # 総合評価


def test_a_limit_determined_at_opening_excludes() -> None:
    words = {"limits": {"kind": "mean_of_lowest"}}
    given_bids = bids(9_900_000, 9_800_000, 9_700_000, 8_700_000)
    used = limits_at_opening(terms(**words), given_bids, Limits(reserve=10_000_000))
    assert used.minimum == 8_700_000  # the mean × 0.9 = 8 572 500 lies below the floor
    assert decide(terms(**words), given_bids, used).candidate == "d"


def test_a_reserve_price_that_nobody_knew_is_drawn_by_the_bidders() -> None:
    drawn = terms(limits={"kind": "drawn_reserve"})
    sealed = limits_of({"preliminary": [1_000_000 + 10_000 * place for place in range(15)]})
    payloads = [
        bid_payload(amount, "000", picks=picks) for amount, picks in ((1_080_000, (0, 14)), (1_050_001, (0, 7)))
    ]
    read = [
        read_bid({**payload, "blind": "0" * 64}, "", bidder=name, arrived_at=NOON, sequence=at)
        for at, (name, payload) in enumerate(zip("ab", payloads, strict=True))
    ]
    used = limits_at_opening(drawn, read, sealed)
    assert (
        used.reserve == (1_000_000 + 1_070_000 + 1_140_000 + 1_010_000) // 4
    )  # 0 twice, 7 and 14 once, then the lowest place
    assert decide(drawn, read, used).candidate == "b" and standing(decide(drawn, read, used))["a"] == "over_reserve"
    assert limits_at_opening(drawn, [], sealed).reserve == 1_015_000
    with pytest.raises(Invalid):
        limits_of({"preliminary": [1] * 14})


# ---- properties

AMOUNTS = st.lists(st.integers(1, 30), min_size=0, max_size=9)


@given(AMOUNTS, st.integers(1, 30), st.integers(1, 30))
def test_every_bid_has_one_place_and_ranks_follow_prices(amounts: list[int], one: int, other: int) -> None:
    limits = Limits(reserve=max(one, other), minimum=min(one, other))
    outcome = decide(terms(), bids(*amounts), limits)
    assert sorted(place.bid.sequence for place in outcome.places) == list(range(len(amounts)))
    ranked = [place for place in outcome.places if place.rank]
    assert [place.rank for place in ranked] == list(range(1, len(ranked) + 1))
    assert [place.bid.amount for place in ranked] == sorted(
        a for a in amounts if min(one, other) <= a <= max(one, other)
    )
    assert all(place.standing in STANDINGS for place in outcome.places)
    assert (outcome.candidate is None) == (not ranked)
