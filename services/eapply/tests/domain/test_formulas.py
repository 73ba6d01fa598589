"""Computed values: exact, lawful about ages, and nothing but arithmetic."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eapply.forms.formula import FormulaError, age, compute, parse
from services.eapply.forms.read import read_procedure
from services.eapply.tests.domain.definitions import field, procedure

TODAY = date(2026, 11, 20)


def result(text, **answers):
    return compute(parse(text), answers.get, TODAY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(a + 1) * 500", 2000),
        ("a / 3 * 3", 3),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("-a", -3),
        ("min(a, 10)", 3),
        ("max(a, 10)", 10),
        ("floor(1299, 100)", 1200),
        ("ceil(1201, 100)", 1300),
        ("floor(7 / 2)", 3),
        ("zero(b) + 1", 1),
        ("b + 1", None),
        ("a / (a - 3)", None),
    ],
)
def test_arithmetic_is_exact_and_a_missing_answer_gives_no_result(text, expected):
    assert result(text, a=Fraction(3)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "a +", "a ** 9999", "__import__('os')", "a.b.c", "[1]", "a if b else c", "lambda: 1", "f(1)", "age()", "min()",
     "'text'", "True", "a and b", "(" * 200 + ")" * 200, "1" * 400, "a < b"],
)  # fmt: skip
def test_nothing_but_arithmetic_is_read(text):
    with pytest.raises(FormulaError) as refusal:
        parse(text)
    assert str(refusal.value).endswith("。")


@pytest.mark.parametrize(
    ("birth", "on", "years"),
    [
        (date(2008, 4, 1), date(2026, 3, 30), 17),
        (date(2008, 4, 1), date(2026, 3, 31), 18),  # a year older on the eve: April 1 belongs to the older school year
        (date(2008, 4, 2), date(2026, 3, 31), 17),
        (date(2008, 2, 29), date(2026, 2, 28), 18),
        (date(2008, 2, 29), date(2026, 2, 27), 17),
        (date(2026, 11, 20), date(2026, 11, 20), 0),
        (date(2025, 12, 31), date(2026, 12, 30), 1),
    ],
)
def test_a_person_is_a_year_older_on_the_eve_of_the_birthday(birth, on, years):
    assert age(birth, on) == years


@given(st.dates(date(1900, 1, 1), date(2020, 1, 1)), st.dates(date(2020, 1, 2), date(2100, 1, 1)))
def test_ages_agree_with_counting_the_eves(birth, on):
    eves = [date.fromordinal(_birthday(birth, year).toordinal() - 1) for year in range(birth.year + 1, on.year + 2)]
    assert age(birth, on) == sum(1 for eve in eves if eve <= on)


def _birthday(birth, year):
    try:
        return birth.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def test_a_fee_is_computed_from_choices_and_items():
    amounts = [{"value": "full", "label": "全部", "amount": 300}, {"value": "part", "label": "一部", "amount": 200}]
    kind = field("kind", "choice", options=amounts)
    rows = field("rows", "group", fields=[field("copies", "number"), field("sum", "computed", formula="copies * kind")])
    form = procedure(kind, rows, field("total", "computed", formula="total(rows.sum) + 50 * count(rows)"))
    raw = {"kind": ["full"], "rows.items": ["1", "2"], "rows.1.copies": ["2"], "rows.2.copies": ["3"]}
    assert read_procedure(form, raw, {}, TODAY).answers["total"] == 2 * 300 + 3 * 300 + 100


def test_what_the_browser_says_about_a_computed_field_is_not_believed():
    form = procedure(field("n", "number"), field("fee", "computed", formula="n * 500"))
    assert read_procedure(form, {"n": ["2"], "fee": ["1"]}, {}, TODAY).answers == {"n": 2, "fee": 1000}


def test_a_fraction_is_kept_as_written():
    form = procedure(field("n", "number"), field("part", "computed", formula="n / 8"))
    assert read_procedure(form, {"n": ["1"]}, {}, TODAY).answers["part"] == "0.125"


@pytest.mark.parametrize(
    ("text", "n", "kept"),
    [("n / 3", 999_999_999_999_998, "333333333333332.666667"), ("n / 1000000000", 1, 0), ("n / 1000000000", -1, 0),
     ("-n / 8", 9, "-1.125"), ("n + 1 / 1000000000", 2, 2), ("n * 1e308 * 1e308", 1, None), ("1e308 * n / 7", 1, None)],
)  # fmt: skip
def test_a_result_is_exact_to_six_places_and_one_that_nobody_can_write_is_none(text, n, kept):
    """As a float the first would end in 6875, and the next in a point with nothing behind it."""
    form = procedure(field("n", "number"), field("part", "computed", formula=text))
    assert read_procedure(form, {"n": [str(n)]}, {}, TODAY).answers.get("part") == kept


def test_the_youngest_child_is_the_smallest_of_the_items_that_have_an_answer():
    rows = field("rows", "group", fields=[field("years", "number", need=False)])
    form = procedure(
        rows,
        field("least", "computed", formula="min(rows.years)"),
        field("most", "computed", formula="max(rows.years, 9)"),
    )
    raw = {"rows.items": ["1", "2", "3"], "rows.1.years": ["7"], "rows.3.years": ["4"]}
    answers = read_procedure(form, raw, {}, TODAY).answers
    assert (answers["least"], answers["most"]) == (4, 9)
    assert "least" not in read_procedure(form, {"rows.items": ["1"]}, {}, TODAY).answers
