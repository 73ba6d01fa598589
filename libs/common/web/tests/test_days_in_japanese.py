"""Writing and reading days by era: every boundary from both sides."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Invalid
from libs.common.web import dates


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (date(1872, 12, 31), "1872年12月31日"),
        (date(1873, 1, 1), "明治6年1月1日"),
        (date(1912, 7, 29), "明治45年7月29日"),
        (date(1912, 7, 30), "大正元年7月30日"),
        (date(1926, 12, 24), "大正15年12月24日"),
        (date(1926, 12, 25), "昭和元年12月25日"),
        (date(1989, 1, 7), "昭和64年1月7日"),
        (date(1989, 1, 8), "平成元年1月8日"),
        (date(2019, 4, 30), "平成31年4月30日"),
        (date(2019, 5, 1), "令和元年5月1日"),
        (date(2026, 11, 20), "令和8年11月20日"),
    ],
)
def test_a_day_is_written_in_its_era(value: date, written: str) -> None:
    assert dates.wareki(value) == written


def test_a_moment_is_written_on_japans_clocks() -> None:
    at = datetime(2026, 11, 20, 15, 5, 7, tzinfo=UTC)
    assert dates.moment(at) == "令和8年11月21日（土）0時05分"
    assert dates.moment(at, seconds=True) == "令和8年11月21日（土）0時05分07秒"
    assert dates.moment(at, lang="en") == "Sat 21 November 2026, 00:05"
    assert dates.day(at, lang="ja-easy") == "2026年11月21日（土）"
    assert dates.moment_short(at) == "11月21日（土）0時05分"


def test_a_moment_without_time_zone_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="time zone"):
        dates.moment(datetime(2026, 11, 20, 10, 52))  # noqa: DTZ001


@pytest.mark.parametrize(("year", "written"), [(2018, "平成30年度"), (2019, "令和元年度"), (2026, "令和8年度")])
def test_a_fiscal_year_is_named(year: int, written: str) -> None:
    assert dates.fiscal(year) == written


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        (("heisei", "4", "8", "17"), date(1992, 8, 17)),
        (("平成", "４", "８", "１７"), date(1992, 8, 17)),
        (("reiwa", "元", "5", "1"), date(2019, 5, 1)),
        (("reiwa", "1年", "5月", "1日"), date(2019, 5, 1)),
        (("showa", "64", "1", "7"), date(1989, 1, 7)),
        (("seireki", "2000", "2", "29"), date(2000, 2, 29)),
        (("meiji", "45", "7", "30"), date(1912, 7, 30)),
        (("taisho", "1", "7", "30"), date(1912, 7, 30)),
        (("taisho", "15", "12", "25"), date(1926, 12, 25)),
        (("showa", "1", "12", "25"), date(1926, 12, 25)),
    ],
)
def test_a_day_typed_in_four_fields_is_read(typed: tuple[str, str, str, str], value: date) -> None:
    assert dates.read_date(*typed) == value


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (("showa", "64", "1", "8"), "昭和は64年1月7日までです。平成元年1月8日ではないか、確かめてください。"),
        (("heisei", "31", "5", "1"), "平成は31年4月30日までです。令和元年5月1日ではないか、確かめてください。"),
        (("reiwa", "1", "4", "30"), "令和は元年5月1日からです。平成31年4月30日ではないか、確かめてください。"),
        (("heisei", "1", "1", "7"), "平成は元年1月8日からです。昭和64年1月7日ではないか、確かめてください。"),
        (("meiji", "5", "1", "1"), "明治5年までは暦が違うため、西暦で入力してください。"),
        (("heisei", "4", "13", "1"), "月が13です。1から12までで入力してください。"),
        (("seireki", "2023", "2", "29"), "日が29です。2023年（令和5年）の2月は1日から28日までです。"),
        (("seireki", "64", "1", "1"), "西暦の年が64です。4桁で入力するか、元号を選び直してください。"),
        (("heisei", "", "8", ""), "年・日がまだ入力されていません。年と日を数字で入力してください。"),
        (("heisei", "四", "8", "1"), "年が数字ではありません。年を数字で入力してください。"),
        (("heisei", "0", "8", "1"), "平成の年は1（元年）からです。年を確かめてください。"),
        (("慶応", "1", "8", "1"), "元号を選んでください。令和、平成、昭和、大正、明治、西暦から選べます。"),
        (("reiwa", "9999", "1", "1"), "令和9999年は扱えません。年を確かめてください。"),
    ],
)
def test_a_day_that_cannot_be_is_refused_with_what_to_do(typed: tuple[str, str, str, str], sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        dates.read_date(*typed)
    assert refused.value.message == sentence


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("昭和64年1月7日", date(1989, 1, 7)),
        ("S64.1.7", date(1989, 1, 7)),
        ("令和元年5月1日", date(2019, 5, 1)),
        ("R元.5.1", date(2019, 5, 1)),
        ("１９８９－０１－０７".replace("－", "-"), date(1989, 1, 7)),
        ("2026/11/20", date(2026, 11, 20)),
    ],
)
def test_a_day_written_in_one_piece_is_read(text: str, value: date) -> None:
    assert dates.parse_date(text) == value


@pytest.mark.parametrize("text", ["", "きのう", "2026-11", "11/20/2026", "20261120", "H4.8"])
def test_other_writings_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        dates.parse_date(text)


@given(st.dates(min_value=date(1800, 1, 1), max_value=date(2200, 12, 31)))
def test_what_the_form_shows_again_is_the_same_day(value: date) -> None:
    parts = dates.era_parts(value)
    assert dates.read_date(parts["era"], parts["year"], parts["month"], parts["day"]) == value


@given(st.tuples(*[st.text(max_size=6)] * 4))
def test_whatever_is_typed_is_a_day_or_a_sentence(typed: tuple[str, str, str, str]) -> None:
    try:
        assert isinstance(dates.read_date(*typed), date)
    except Invalid as refused:
        assert refused.message.endswith("。")
