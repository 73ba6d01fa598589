"""At every border of yen, per cent and points the code agrees with a second reckoning in whole numbers, which knows nothing of it.

The oracle never divides and never rounds: it asks between which two multiples a value lies, by multiplying both sides.
"""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from libs.common.errors import Invalid
from services.ebid.domain.limits import Limits, limits_of
from services.ebid.domain.money import MOST_YEN, Rounding, Tax, check_amount, parse_amount
from services.ebid.domain.ranking import decide, limits_at_opening
from services.ebid.tests.test_ranking_and_award import bids, order, standing, terms

QUADRILLION = 10**15
yen = st.one_of(st.integers(1, MOST_YEN), st.integers(1, MOST_YEN // 10).map(lambda tens: tens * 10 + 5))
modes = st.sampled_from(["floor", "ceiling", "half_up"])


def is_rounded(whole: int, mode: str, top: int, bottom: int) -> bool:
    """Whether `whole` is top/bottom rounded so: 切捨て, 切上げ, 四捨五入 (the half itself goes up). All numbers above zero."""
    if mode == "floor":
        return whole * bottom <= top < (whole + 1) * bottom
    if mode == "ceiling":
        return (whole - 1) * bottom < top <= whole * bottom
    return (2 * whole - 1) * bottom <= 2 * top < (2 * whole + 1) * bottom


@given(yen, st.sampled_from([0, 8, 10]), modes)
@example(11, 10, "half_up")
@example(QUADRILLION, 10, "ceiling")
@example(QUADRILLION, 10, "half_up")
def test_tax_is_taken_off_the_reserve_and_put_on_the_bid_to_the_yen(with_tax: int, percent: int, mode: str) -> None:
    tax = Tax(percent, Rounding(mode))
    assert is_rounded(tax.comparison_price(with_tax), mode, with_tax * 100, 100 + percent)
    assert is_rounded(tax.contract_amount(with_tax), "floor", with_tax * (100 + percent), 100)


@given(yen)
def test_a_contract_stays_within_the_reserve_where_the_comparison_price_is_cut_off(with_tax: int) -> None:
    """法234条3項: 予定価格の制限の範囲内. With 切上げ or 四捨五入 the comparison price lets it pass by a yen, and never more: that yen is
    what the next test is about."""
    assert Tax(10, Rounding("floor")).contract_amount(Tax().comparison_price(with_tax)) <= with_tax
    for mode in ("ceiling", "half_up"):
        tax = Tax(10, Rounding(mode))
        assert tax.contract_amount(tax.comparison_price(with_tax)) <= with_tax + 1


def test_a_yen_above_the_reserve_is_found_where_there_is_one() -> None:
    tax = Tax(10, Rounding("ceiling"))
    assert tax.contract_amount(tax.comparison_price(10_000_000)) == 10_000_001


@given(yen, st.sampled_from([8, 10]), modes, st.integers(-2, 2))
@example(10_000_000, 10, "ceiling", 0)
@example(10_000_000, 10, "half_up", 0)
@example(10_000_000, 10, "floor", 0)
def test_no_contract_leaves_the_reserve_with_tax_by_a_yen(with_tax: int, percent: int, mode: str, off: int) -> None:
    """法234条3項 bounds the contract, whatever the comparison price was rounded to."""
    rule = terms(bound="with_tax", tax={"percent": percent, "comparison": {"mode": mode}})
    reserve = rule.tax.comparison_price(with_tax)
    amount = max(1, min(MOST_YEN, reserve + off))
    contract_in_hundredths = amount * (100 + percent)  # the contract's yen are what is whole of it
    inside = contract_in_hundredths < (with_tax + 1) * 100
    outcome = decide(rule, bids(amount), Limits(reserve=reserve, reserve_with_tax=with_tax))
    assert standing(outcome) == {"a": "eligible" if inside and amount <= reserve else "over_reserve"}


def test_who_was_a_yen_above_bids_again_and_what_was_announced_before_is_decided_as_it_was() -> None:
    limits = limits_of({"reserve": 9_090_910, "reserve_with_tax": 10_000_000})
    known = limits_at_opening(terms(bound="with_tax", limits={"kind": "none"}), bids(9_090_910), limits)
    again = decide(terms(bound="with_tax"), bids(9_090_910), known)
    assert (again.outcome, again.rebidders, again.lowest) == ("rebid", ("a",), 9_090_910)
    assert decide(terms(bound="with_tax"), bids(9_090_909), known).outcome == "award"
    assert decide(terms(), bids(9_090_910), known).outcome == "award"


def test_a_drawn_reserve_has_no_tax_of_its_own() -> None:
    """複数予備価格: 予定価格 is the drawn price; the one that was sealed is only where the fifteen came from."""
    rule = terms(bound="with_tax", limits={"kind": "drawn_reserve"})
    limits = limits_of({"reserve": 100, "reserve_with_tax": 110, "preliminary": [*range(90, 105)]})
    assert limits_at_opening(rule, bids(99), limits).reserve_with_tax is None


@given(st.integers(0, 10**9), st.integers(1, 10**6), st.integers(0, 6), modes)
@example(5, 10, 0, "half_up")
@example(15, 10**4, 3, "half_up")
def test_points_are_rounded_at_the_announced_place(top: int, bottom: int, places: int, mode: str) -> None:
    rounded = Rounding(mode, Fraction(1, 10**places))(Fraction(top, bottom)) * 10**places
    assert rounded.denominator == 1 and is_rounded(int(rounded), mode, top * 10**places, bottom)


@given(
    st.integers(2, MOST_YEN - 1), st.integers(1, MOST_YEN), st.integers(1, MOST_YEN), st.sampled_from([-1, 0, 1]), st.data()
)  # fmt: skip
def test_each_limit_itself_is_inside_and_a_yen_beyond_is_out(
    reserve: int, one: int, two: int, off: int, data: st.DataObject
) -> None:
    disqualify, investigation = sorted((1 + one % reserve, 1 + two % reserve))
    limits = Limits(reserve=reserve, investigation=investigation, disqualify=disqualify)
    amount = max(1, data.draw(st.sampled_from([reserve, investigation, disqualify])) + off)
    outcome = decide(terms(limits={"kind": "sealed", "target": "investigation"}), bids(amount), limits)
    expected = "over_reserve" if amount > reserve else "below_disqualify" if amount < disqualify else "eligible"
    assert standing(outcome) == {"a": expected}
    assert (outcome.outcome == "hold_investigation") == (expected == "eligible" and amount < investigation)
    minimum = Limits(reserve=reserve, minimum=investigation)
    low = decide(terms(), bids(amount), minimum)
    assert (standing(low)["a"] == "below_minimum") == (amount < investigation and amount <= reserve)


def score_is(whole: int, mode: str, points: int, amount: int, places: int) -> bool:
    """Of 除算方式 with 標準点 100 and the unit 10⁸."""
    return is_rounded(whole, mode, (100 + points) * 10**8 * 10**places, amount)


@given(
    st.lists(st.tuples(st.integers(8_000_000, 10_000_000), st.integers(0, 50)), min_size=2, max_size=6), st.integers(0, 3),
    modes,
)  # fmt: skip
@example([(9_000_000, 10), (9_000_001, 10)], 0, "half_up")
def test_division_ranks_by_rounded_scores_and_draws_where_only_they_are_equal(
    given_bids: list[tuple[int, int]], places: int, mode: str
) -> None:
    rule = {"kind": "division", "scale": str(10**8), "rounding": {"mode": mode, "unit": f"1/{10**places}"}}
    amounts, points = [amount for amount, _ in given_bids], [most for _, most in given_bids]
    outcome = decide(terms(evaluation=rule), bids(*amounts, technical=points), Limits(reserve=10_000_000))
    ranked = [place for place in outcome.places if place.rank]
    scores = [place.value * 10**places for place in ranked if place.value is not None]
    for place, score in zip(ranked, scores, strict=True):
        assert score.denominator == 1
        assert score_is(int(score), mode, int(place.bid.technical), place.bid.amount, places)
    assert all(better >= worse for better, worse in pairwise(scores))
    assert [place.drawn for place in ranked] == [scores.count(score) > 1 for score in scores]


@pytest.mark.parametrize(("places", "first"), [(0, None), (4, "a")])
def test_scores_that_differ_before_rounding_alone_are_drawn(places: int, first: str | None) -> None:
    """110×10⁸/9 000 000 = 1222.2222…, a yen more = 1222.2220…: equal at whole points, not at four places."""
    rule = {"kind": "division", "scale": str(10**8), "rounding": {"mode": "half_up", "unit": f"1/{10**places}"}}
    outcome = decide(terms(evaluation=rule), bids(9_000_000, 9_000_001, technical=[10, 10]), Limits(reserve=10_000_000))
    assert bool(outcome.draws and len(outcome.draws[0].among) > 1) == (first is None)
    assert first is None or order(outcome)[0] == first


@given(st.integers(8_000_000, 10_000_000), st.integers(0, 100), st.integers(0, 4), modes)
@example(9_999_995, 0, 0, "half_up")
def test_addition_rounds_price_points_and_score_each_as_announced(
    amount: int, points: int, places: int, mode: str
) -> None:
    """LINEAR: W(1 − P/Y), W = 100, Y = 10 000 000: rounded by itself, before the sum is."""
    at, finer = ({"mode": mode, "unit": f"1/{10**each}"} for each in (places, places + 3))
    rule = {"kind": "addition", "curve": "linear", "weight": "100", "price_rounding": at, "rounding": finer}
    outcome = decide(terms(evaluation=rule), bids(amount, technical=[points]), Limits(reserve=10_000_000))
    value = outcome.places[0].value
    assert value is not None
    price_points = (value - points) * 10**places
    top = 100 * (10_000_000 - amount) * 10**places
    assert price_points.denominator == 1
    assert is_rounded(int(price_points), mode, top, 10_000_000) or (mode == "half_up" and top == 0 == price_points)


@pytest.mark.parametrize("amount", [MOST_YEN + 1, QUADRILLION, -QUADRILLION, 0])
def test_no_bid_of_ten_to_the_fifteenth_yen(amount: int) -> None:
    for attempt in (
        lambda: check_amount(amount),
        lambda: parse_amount(str(amount)),
        lambda: parse_amount(f"{amount:,}円"),
    ):
        with pytest.raises(Invalid):
            attempt()
    assert check_amount(MOST_YEN) == parse_amount("９９９，９９９，９９９，９９９円") == MOST_YEN


def test_the_highest_amounts_are_told_apart_by_a_yen() -> None:
    outcome = decide(terms(), bids(MOST_YEN, MOST_YEN - 1), Limits(reserve=MOST_YEN))
    assert order(outcome) == "ba"
