"""Indicators: exact values, progress, the traffic light's stated rule, the forecast; the plan's own table."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.errors import Invalid
from services.tenants import reference
from services.tenants.domain.indicators import (
    Goal,
    better_way,
    day_of,
    elapsed,
    forecast,
    is_met,
    last_day,
    light,
    number,
    progress,
    read_value,
    year_of,
)

PROCEDURES = Goal("71", "2018年度", "100", "2021年度", "more")
LEAKS = Goal("0", "2018年度", "0", "2021年度", "less")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("71", "71"), ("8,000", "8000"), ("92.1", "92.1"), ("５０％", "50"), ("-3", "-3"), ("0.10", "0.10")],
)
def test_numbers_are_read_exactly(text: str, expected: str) -> None:
    assert number(text) == Decimal(expected)


@pytest.mark.parametrize("text", ["", "全ての所属", "1e5", "NaN", "71件", "1.2.3"])
def test_words_are_no_numbers(text: str) -> None:
    assert number(text) is None


def test_a_typed_value_must_be_a_number() -> None:
    assert read_value("５０．８") == Decimal("50.8")
    for wrong in ("", "たくさん", "1" * 16):
        with pytest.raises(Invalid):
            read_value(wrong)


def test_days_as_the_plans_print_them() -> None:
    assert day_of("2018年度") == date(2019, 3, 31) and day_of("2020-03-01") == date(2020, 3, 1)
    assert day_of("平成30年度") == day_of("２０１８年度") == date(2019, 3, 31) and day_of("") is None
    assert day_of("2018") is None, "a year alone is no day"


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2018", 2018), ("２０１８ 年度", 2018), ("平成30年度", 2018), ("平成三十年度", None), ("平成31年度", 2019), ("令和元年度", 2019),
        ("令和 ８", 2026), ("平成32年度", None), ("令和0年度", None), ("0000", None), ("18年度", None), ("2018年度末", None), ("", None),
    ],
)  # fmt: skip
def test_a_fiscal_year_is_read_as_people_write_it(text: str, year: int | None) -> None:
    assert year_of(text) == year
    assert [last_day(2019, q) for q in range(5)] == [
        date(2020, 3, 31), date(2019, 6, 30), date(2019, 9, 30), date(2019, 12, 31), date(2020, 3, 31),
    ]  # fmt: skip


def test_the_light_by_its_rule() -> None:
    """71 → 100 in 1,096 days; after one year a third of the time is over: 9.68 of 29 are on track, 6.8 are seven tenths."""
    after = date(2020, 3, 31)
    assert elapsed(PROCEDURES, after) == Fraction(366, 1096)
    assert light(PROCEDURES, Decimal(81), after) == "on_track"
    assert light(PROCEDURES, Decimal(80), after) == "behind"
    assert light(PROCEDURES, Decimal(78), after) == "behind"
    assert light(PROCEDURES, Decimal("77.7"), after) == "late"
    assert light(PROCEDURES, Decimal(60), after) == "late"
    assert light(PROCEDURES, Decimal(100), after) == "met" == light(PROCEDURES, Decimal(120), after)
    assert light(PROCEDURES, None, after) == "unknown"


def test_what_must_stay_at_zero_is_met_or_late() -> None:
    assert better_way("0", "0") == "less" and better_way("71", "100") == "more" and better_way("30", "10") == "less"
    assert light(LEAKS, Decimal(0), date(2020, 3, 31)) == "met"
    assert light(LEAKS, Decimal(1), date(2020, 3, 31)) == "late"
    assert progress(LEAKS, Decimal(1)) is None


def test_a_target_in_words_is_never_calculated_with() -> None:
    words = Goal("", "2020-03-01", "全ての所属", "2022-03-31", "more")
    assert light(words, Decimal(10), date(2021, 3, 31)) == "unknown"
    assert progress(words, Decimal(10)) is None and forecast(words, [(date(2020, 1, 1), Decimal(1))] * 3) is None


def test_less_is_better_where_the_target_is_below() -> None:
    minutes = Goal("30", "2018年度", "10", "2021年度", "less")
    assert progress(minutes, Decimal(20)) == Fraction(1, 2)
    assert is_met(minutes, Decimal(9)) and not is_met(minutes, Decimal(11))


def test_the_forecast_is_the_straight_line_through_the_values() -> None:
    points = [(last_day(2018, 0), Decimal(71)), (last_day(2019, 0), Decimal(78))]
    found = forecast(PROCEDURES, points)
    assert found is not None
    assert found.at_target == 71 + Fraction(7, 366) * 1096
    assert found.reached == 2023, "29 of 7 a year after March 2019: in May 2023"
    assert forecast(PROCEDURES, points[:1]) is None
    falling = forecast(PROCEDURES, [(last_day(2018, 0), Decimal(71)), (last_day(2019, 0), Decimal(70))])
    assert falling is not None and falling.reached is None


@settings(max_examples=200, deadline=None)
@given(
    st.integers(-1000, 1000),
    st.integers(-1000, 1000),
    st.integers(-2000, 2000),
    st.dates(date(2015, 1, 1), date(2025, 1, 1)),
)
def test_the_light_agrees_with_progress_and_time(start: int, aim: int, value: int, day: date) -> None:
    goal = Goal(str(start), "2018年度", str(aim), "2021年度", better_way(str(start), str(aim)))
    shown, come, over = light(goal, Decimal(value), day), progress(goal, Decimal(value)), elapsed(goal, day)
    assert over is not None and 0 <= over <= 1
    if come is not None:
        assert (shown == "met") == (come >= 1)
        assert shown != "on_track" or come >= over
        assert shown != "late" or come < Fraction(7, 10) * over


def test_the_sample_plan_is_the_published_table() -> None:
    import csv
    import io

    printed = {
        (i.name, i.unit, i.baseline, i.baseline_date, i.target, i.target_date)
        for i in reference.indicators()
        if i.prefecture_code == reference.PUBLISHED_BY
    }
    rows = list(csv.DictReader(io.StringIO(reference.plan_table(40))))
    names = ("indicator", "unit", "baseline", "baseline_date", "target", "target_date")
    assert {tuple(row[name] for name in names) for row in rows} == printed and len(rows) == 11
