"""Yen, tax, rounding, and the limits that decide an opening."""

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Invalid
from services.ebid.domain import limits, money
from services.ebid.domain.limits import MODELS, MeanOfLowest, by_model, limits_of, mean_of_lowest, model_of
from services.ebid.domain.money import MOST_YEN, Rounding, Tax, check_amount, check_lottery_number, parse_amount

COSTS = {"direct": 60_000_000, "temporary": 10_000_000, "site": 20_000_000, "general": 10_000_000}
"""直接工事費, 共通仮設費, 現場管理費, 一般管理費等: a design price of 100 million yen."""


@pytest.mark.parametrize(
    ("mode", "unit", "value", "rounded"),
    [("floor", 1000, 1999, 1000), ("ceiling", 1000, 1001, 2000), ("ceiling", 1000, 2000, 2000), ("half_up", 1000, 1500, 2000),
     ("half_up", 1000, 1499, 1000), ("half_up", "1/10000", "0.00005", "0.0001"), ("half_up", 1, "-1/2", -1),
     ("none", 1, "1/3", "1/3")],
)  # fmt: skip
def test_rounding_is_the_announced_one(mode: str, unit: object, value: object, rounded: object) -> None:
    assert Rounding(mode, Fraction(unit))(Fraction(value)) == Fraction(rounded)  # type: ignore[arg-type]


@given(st.integers(1, 10**12), st.sampled_from(["floor", "ceiling", "half_up"]), st.integers(1, 10**6))
def test_rounding_moves_by_less_than_its_unit(value: int, mode: str, unit: int) -> None:
    rounded = Rounding(mode, Fraction(unit))(Fraction(value, 7))
    assert rounded % unit == 0 and abs(rounded - Fraction(value, 7)) < unit
    assert Rounding(mode, Fraction(unit))(rounded) == rounded


def test_tax_is_added_and_its_fraction_cut_off() -> None:
    assert Tax().contract_amount(9_200_001) == 10_120_001
    assert Tax(8).contract_amount(101) == 109


@pytest.mark.parametrize(("mode", "price"), [("floor", 9_090_909), ("ceiling", 9_090_910)])
def test_the_comparison_price_is_rounded_as_the_tenant_does(mode: str, price: int) -> None:
    assert Tax(10, Rounding(mode)).comparison_price(10_000_000) == price


@given(st.integers(1, 10**11))
def test_a_bid_at_the_comparison_price_never_costs_more_than_the_reserve(reserve: int) -> None:
    bid = Tax().comparison_price(reserve)
    assert Tax().contract_amount(bid) <= reserve < Tax().contract_amount(bid + 1) + 1


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("9200000", 9_200_000),
        ("９２０００００", 9_200_000),
        ("9,200,000円", 9_200_000),
        (" ¥9,200,000 ", 9_200_000),
        ("1", 1),
    ],
)
def test_amounts_are_understood_as_people_type_them(typed: str, amount: int) -> None:
    assert parse_amount(typed) == amount


@pytest.mark.parametrize(
    "typed", ["", "0", "0000", "-5", "1.5", "1e9", "九百万", "1" + "0" * 12, "1" + "0" * 15, "9 200", "²"]
)
def test_what_is_no_amount_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_amount(typed)
    assert "amount" in refused.value.fields


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None, MOST_YEN + 1, 10**15])
def test_only_an_integer_of_yen_is_an_amount(value: object) -> None:
    with pytest.raises(Invalid):
        check_amount(value)
    assert check_amount(MOST_YEN) == MOST_YEN


def test_a_lottery_number_has_three_digits() -> None:
    assert check_lottery_number("００７") == "007"
    for wrong in ("7", "1000", "12a", "-12", None, 123, "²²²"):
        with pytest.raises(Invalid):
            check_lottery_number(wrong)


def test_ratios_are_never_floats() -> None:
    assert money.ratio("2/3") == Fraction(2, 3)
    for wrong in (0.97, True, "x", "1/0", None):
        with pytest.raises(Invalid):
            money.ratio(wrong)


# ---- tables of coefficients


def test_the_model_of_2022_as_computed_by_hand() -> None:
    # 58.2 + 9 + 18 + 6.8 = 92.0 % of the design price: at the ceiling of 9.2/10
    assert by_model(MODELS["chuo-koukeiren-2022"], COSTS, 100_000_000) == 92_000_000
    # 東大和市 counts 一般管理費等 with 0.55: 90.7 %
    assert by_model(MODELS["higashiyamato"], COSTS, 100_000_000) == 90_700_000
    # 神奈川県 rounds the rate up to a whole per cent: of a design with 91.3 % it takes 92 %
    costs = {**COSTS, "direct": 50_000_000, "general": 20_000_000}  # 48.5 + 9 + 18 + 13.6 = 89.1 %
    assert by_model(MODELS["chuo-koukeiren-2022"], costs, 100_000_000) == 89_100_000
    assert by_model(MODELS["kanagawa"], costs, 100_000_000) == 90_000_000


@pytest.mark.parametrize(
    ("name", "costs", "limit"),
    [("sakata-survey", {"direct": 4_000_000, "survey": 1_000_000, "general": 5_000_000}, 7_400_000),  # 4 + 1 + 2.4
     ("sakata-survey", {"direct": 9_000_000, "survey": 0, "general": 1_000_000}, 8_200_000),
     ("sakata-survey", {"direct": 1_000_000, "survey": 500_000, "general": 8_500_000}, 6_000_000),
     ("sakata-geology", {"direct": 3_000_000, "indirect": 1_000_000, "analysis": 1_000_000, "general": 5_000_000}, 7_200_000),
     ("sakata-geology", {"direct": 9_000_000, "indirect": 1_000_000, "analysis": 0, "general": 0}, 8_500_000),
     ("sakata-geology", {"direct": 1_000_000, "indirect": 0, "analysis": 0, "general": 9_000_000}, 6_666_666)],
)  # fmt: skip
def test_surveys_and_borings_have_their_own_shares_and_bounds(name: str, costs: dict[str, int], limit: int) -> None:
    """By hand, of a design and a reserve of 10,000,000 yen; two thirds of it are cut off to the yen."""
    assert by_model(MODELS[name], costs, 10_000_000) == limit


def test_the_limit_follows_the_reserve_price_when_that_is_below_the_design_price() -> None:
    assert by_model(MODELS["higashiyamato"], COSTS, 98_765_432) == 90_700_000 * 98_765_432 // 100_000_000


@pytest.mark.parametrize(("general", "share"), [(0, "0.92"), (900_000_000, "0.75")])
def test_the_limit_stays_between_its_bounds(general: int, share: str) -> None:
    costs = {**COSTS, "general": general}
    assert by_model(MODELS["chuo-koukeiren-2022"], costs, 10_000_000) == Fraction(share) * 10_000_000


def test_a_floor_that_is_rounded_up_as_in_nagoya() -> None:
    table = {"name": "nagoya", "coefficients": {"direct": "0.5"}, "floor": "0.75", "ceiling": "0.92",
             "floor_rounding": {"mode": "ceiling", "unit": 1}}  # fmt: skip
    assert by_model(model_of(table), {"direct": 100}, 1_000_001) == 750_001
    assert by_model(model_of({**table, "coefficients": {"direct": "1"}}), {"direct": 100}, 1_000_001) == 920_000


def test_a_tenant_announces_its_own_table() -> None:
    model = model_of({"name": "own", "coefficients": {"direct": "1", "general": "0.5"}, "floor": "2/3", "ceiling": "0.85",
                      "rounding": {"mode": "floor", "unit": 1000}})  # fmt: skip
    assert by_model(model, {"direct": 1_000_001, "general": 999_999}, 2_000_000) == 1_500_000
    with pytest.raises(Invalid):
        model_of({"name": "x", "coefficients": {}, "floor": "0.9", "ceiling": "0.8"})
    with pytest.raises(Invalid):
        model_of("nobody's")
    with pytest.raises(Invalid):
        by_model(model, {"direct": 1}, 2_000_000)


# ---- determined at opening


def test_the_mean_of_the_ten_lowest_as_in_shimonoseki() -> None:
    reserve = 10_000_000
    amounts = [9_900_000 - 1_000 * number for number in range(12)] + [8_699_999, 10_000_001]
    # the ten lowest within 0.87·reserve … design: mean 9 893 500, × 0.9 = 8 904 150, below 1000 yen cut off
    assert mean_of_lowest(MeanOfLowest(), amounts, reserve) == 8_904_000


@pytest.mark.parametrize("amounts", [[], [8_699_999], [8_700_000, 8_800_000]])
def test_the_mean_is_never_below_its_floor(amounts: Sequence[int]) -> None:
    assert mean_of_lowest(MeanOfLowest(), amounts, 10_000_000) == 8_700_000


def test_a_random_factor_stays_in_its_range_and_reaches_all_of_it() -> None:
    low, high, step = Fraction("0.995"), Fraction("1.005"), Fraction("0.001")
    drawn = {limits.random_factor(1_000_000, bytes([n]), low, high, step, Rounding("floor")) for n in range(256)}
    assert drawn == {995_000 + 1_000 * n for n in range(11)}


def test_the_drawn_reserve_is_the_mean_of_the_four_most_picked() -> None:
    prices = [1_000_000 + 10_000 * place for place in range(15)]
    picks = [(0, 14), (0, 14), (0, 7), (7, 3), (7, 2)]  # 0 and 7 thrice, 14 twice, then 2 before 3
    assert limits.drawn_reserve(prices, picks) == (1_000_000 + 1_070_000 + 1_140_000 + 1_020_000) // 4
    for wrong in ([], [(0, 15)], [(-1,)]):
        with pytest.raises(Invalid):
            limits.drawn_reserve(prices, wrong)


@pytest.mark.parametrize(
    "document",
    [{"reserve": 0}, {"reserve": "1"}, {"reserve": True}, {"reserve": 100, "minimum": 101},
     {"reserve": 100, "investigation": 101}, {"reserve": 100, "investigation": 80, "disqualify": 81}],
)  # fmt: skip
def test_limits_that_contradict_each_other_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        limits_of(document)
