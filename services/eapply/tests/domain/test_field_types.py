"""The kinds of questions that came after the first ones: read, refused with a reason, shown again, typed again."""

import pytest

from services.eapply.forms.definition import FormField
from services.eapply.forms.kinds import NAMES, ops
from services.eapply.forms.readers import READERS
from services.eapply.forms.retype import type_in
from services.eapply.forms.show import text_of
from services.eapply.tests.domain.test_reading_answers import field, read, sentence, value

DATE = ("era", "year", "month", "day")


def day(*parts, unknown=""):
    pairs = [(f"x_{name}", text) for name, text in zip(DATE, parts, strict=False)]
    return [*pairs, ("x_unknown", unknown)]


def test_there_are_more_than_twenty_kinds_and_each_has_a_name():
    assert len(NAMES) >= 25
    assert set(READERS) | {"group", "file", "info", "computed"} == set(NAMES)


@pytest.mark.parametrize(
    ("parts", "kept", "shown"),
    [
        (("showa", "25", "3", ""), "1950-03", "昭和25年3月（日は不詳）"),
        (("showa", "25", "", ""), "1950", "昭和25年（月日は不詳）"),
        (("showa", "64", "", ""), "1989", "昭和64年・平成元年（月日は不詳）"),
        (("reiwa", "1", "", ""), "2019", "平成31年・令和元年（月日は不詳）"),
        (("taisho", "15", "12", ""), "1926-12", "大正15年・昭和元年12月（日は不詳）"),
        (("seireki", "1950", "3", "10"), "1950-03-10", "昭和25年3月10日"),
        (("showa", "", "", ""), "unknown", "不詳"),
    ],
)
def test_a_birthday_of_which_a_part_is_unknown_is_kept_as_far_as_it_is_known(parts, kept, shown):
    each = field("date", partial=True, when="past")
    assert value(each, *day(*parts, unknown="yes")) == kept
    assert text_of(each, kept) == shown
    raw: dict[str, list[str]] = {}
    type_in(each, "x", kept, raw)
    assert value(each, *((name, texts[0]) for name, texts in raw.items())) == kept, "typed again it is the same"


def test_a_day_cannot_be_known_without_its_month():
    assert "年から順に" in sentence(field("date", partial=True), *day("showa", "25", "", "3", unknown="yes"))
    assert "令和" in sentence(field("date", partial=True), *day("reiwa", "0", "", "", unknown="yes"))


def test_unknown_is_taken_only_where_the_procedure_allows_it():
    assert "日がまだ" in sentence(field("date"), *day("showa", "25", "3", "", unknown="yes"))


def test_a_year_to_come_is_no_past_day():
    assert "今日より先" in sentence(
        field("date", partial=True, when="past"), *day("seireki", "2027", "", "", unknown="yes")
    )
    assert value(field("date", partial=True, when="past"), *day("seireki", "2026", "", "", unknown="yes")) == "2026"


@pytest.mark.parametrize("typed", ["令和8年4月", "2026-04", "2026年4月", "２０２６／４", "R8.4"])
def test_months(typed):
    assert value(field("month"), ("x", typed)) == "2026-04"
    assert text_of(field("month"), "2026-04") == "令和8年4月"


@pytest.mark.parametrize("typed", ["2026-13", "4月", "令和0年4月", "昭和64年4月"])
def test_wrong_months_are_explained(typed):
    assert sentence(field("month"), ("x", typed))


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("9:30", "09:30"),
        ("0930", "09:30"),
        ("９時３０分", "09:30"),
        ("午後1時", "13:00"),
        ("13時", "13:00"),
        ("午後12:05", "12:05"),
    ],
)
def test_times(typed, kept):
    assert value(field("time"), ("x", typed)) == kept


@pytest.mark.parametrize("typed", ["25:00", "9:60", "朝", "930000"])
def test_wrong_times_are_explained(typed):
    assert "時刻として読めません" in sentence(field("time"), ("x", typed))


def test_decimals_are_exact_and_bounded():
    each = field("decimal", places=2, min=0, max=100, unit="㎡")
    assert value(each, ("x", "１２.５０㎡")) == "12.50"
    assert text_of(each, "12.50") == "12.50㎡"
    assert "小数点以下2桁" in sentence(each, ("x", "1.234"))
    assert "以下" in sentence(each, ("x", "100.01"))


def test_corporate_numbers_are_checked_by_their_first_digit():
    each = field("corporate_number")
    assert value(each, ("x", "７０００-０１２０５０００２")) == "7000012050002"
    assert "誤りがあります" in sentence(each, ("x", "8000012050002"))
    assert "13桁" in sentence(each, ("x", "123"))


def test_yes_and_no_are_both_answers():
    assert value(field("yesno"), ("x", "no")) is False
    assert text_of(field("yesno"), False) == "いいえ"
    assert "もう一度" in sentence(field("yesno"), ("x", "perhaps"))
    assert "選んでください" in sentence(field("yesno"))


def test_an_oath_is_sworn_by_name():
    assert value(field("oath"), ("x", "筑後 陽子")) == "筑後 陽子"
    assert text_of(field("oath"), "筑後 陽子") == "宣誓しました（筑後 陽子）"
    assert "宣誓する方の氏名" in sentence(field("oath"))


def test_postal_codes_and_addresses_of_pages():
    assert value(field("postal"), ("x", "〒830-0022")) == "8300022"
    assert text_of(field("postal"), "8300022") == "〒830-0022"
    assert value(field("url"), ("x", "www.example.jp/a?b=1")) == "https://www.example.jp/a?b=1"
    for typed in ("javascript:alert(1)", "ftp://x.jp", "https://", 'https://a.jp/"><b>'):
        assert sentence(field("url"), ("x", typed))


def test_the_fewest_choices_are_said():
    each = FormField.model_validate(
        {"key": "x", "type": "choices", "label": "曜日", "min": 2, "options": [{"value": v, "label": v} for v in "abc"]}
    )
    assert "2つ以上" in sentence(each, ("x", "a"))
    assert read(each, ("x", "a"), ("x", "b")).answers == {"x": ["a", "b"]}


def test_every_kind_says_what_may_be_asked_of_it():
    assert ops("info") == ()
    assert all("answered" in ops(kind) for kind in NAMES if kind != "info")
