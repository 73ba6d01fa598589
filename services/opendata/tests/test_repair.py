"""A clerk's cells become what machines read; nothing changes unseen, and what only a person can know is named, not guessed."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.opendata.domain.cleaning import cleaner
from services.opendata.domain.dates import clean_date, clean_time
from services.opendata.domain.glance import glance
from services.opendata.domain.numbers import clean_number
from services.opendata.domain.phones import clean_phone
from services.opendata.domain.places import check_digit, clean_code, clean_degrees, clean_postal, is_code, prefecture_of
from services.opendata.domain.recognising import recognise
from services.opendata.domain.repair import plan, repair
from services.opendata.domain.roles import Role
from services.opendata.domain.standards import StandardColumn
from services.opendata.domain.table import Table
from services.opendata.domain.texts import clean_choice, clean_kana, clean_text, clean_uri


def mended(cleaned) -> str | None:
    """The value that replaces the cell; None when the cell stays for a person."""
    return cleaned.value if cleaned.sure else None


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("令和元年5月1日", "2019-05-01"),
        ("平成31年4月30日", "2019-04-30"),
        ("R7.4.1", "2025-04-01"),
        ("Ｈ１．１．８", "1989-01-08"),
        ("昭和64年1月7日", "1989-01-07"),
        ("昭和元年12月25日", "1926-12-25"),
        ("大正元年7月30日", "1912-07-30"),
        ("㋿7年4月1日", "2025-04-01"),
        ("令7.4.1", "2025-04-01"),
        ("昭和四十五年四月一日", "1970-04-01"),
        ("令和五年十月三十一日", "2023-10-31"),
        ("二〇二五年四月一日", "2025-04-01"),
        ("2025/4/1", "2025-04-01"),
        ("2025年4月1日（火）", "2025-04-01"),
        ("20250401", "2025-04-01"),
        ("2025-04-01 00:00:00", "2025-04-01"),
        ("2024-02-29", "2024-02-29"),
    ],
)
def test_dates_become_iso(written, iso):
    assert mended(clean_date(written)) == iso


@pytest.mark.parametrize(
    ("written", "code", "proposal"),
    [
        ("令和7年2月30日", "date-impossible", "令和7年2月30日"),
        ("2025-02-29", "date-impossible", "2025-02-29"),
        ("2025/13/1", "date-impossible", "2025/13/1"),
        ("平成31年5月1日", "date-outside-era", "2019-05-01"),
        ("昭和64年1月8日", "date-outside-era", "1989-01-08"),
        ("令和0年5月1日", "date-outside-era", "2018-05-01"),
        ("4/1", "date-no-year", "4/1"),
        ("1/2/25", "date-no-year", "1/2/25"),
        ("令和7年度", "date-partial", "令和7年度"),
        ("2025年4月", "date-partial", "2025年4月"),
        ("45748", "date-serial", "2025-04-01"),
        ("不明", "date-unreadable", "不明"),
    ],
)
def test_dates_that_only_a_person_can_know_are_named(written, code, proposal):
    found = clean_date(written)
    assert (found.sure, found.code, found.value) == (False, code, proposal)


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("9:00", "09:00"),
        ("９時", "09:00"),
        ("午後5時半", "17:30"),
        ("17:30:00", "17:30"),
        ("正午", "12:00"),
        ("PM 1:05", "13:05"),
        ("24:00", "24:00"),
    ],
)
def test_times_become_hours_and_minutes(written, time):
    assert mended(clean_time(written)) == time


@pytest.mark.parametrize("written", ["25:00", "9:75", "午前12時", "日没まで", "0930"])
def test_times_in_doubt_are_named(written):
    assert mended(clean_time(written)) is None


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("１，２３４", "1234"),
        ("1,234.50", "1234.50"),
        ("▲5", "-5"),
        ("△1,000", "-1000"),
        ("12人", "12"),
        ("3箇所", "3"),
        ("＋3", "3"),
        ("-0.5", "-0.5"),
    ],
)
def test_numbers_become_digits(written, number):
    assert mended(clean_number(written)) == number


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("-", "number-sign"),
        ("ｘ", "number-sign"),
        ("#REF!", "excel-error"),
        ("約50", "number-unreadable"),
        ("4.02E+05", "number-scientific"),
        ("1,23", "number-unreadable"),
    ],
)
def test_zero_blank_and_secret_are_never_mixed_up(written, code):
    found = clean_number(written)
    assert (found.sure, found.code) == (False, code)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("（０９４２）３０－９０００", "0942-30-9000"),
        ("+81-942-30-9000", "0942-30-9000"),
        ("0942309000", "0942-30-9000"),
        ("942309000", "0942-30-9000"),
        ("092(711)4111", "092-711-4111"),
        ("0930251111", "0930-25-1111"),
        ("09012345678", "090-1234-5678"),
        ("0120444444", "0120-444-444"),
    ],
)
def test_telephone_numbers_get_their_hyphens_and_zero_back(written, number):
    assert mended(clean_phone(written)) == number


@pytest.mark.parametrize("written", ["30-9000", "代表 092-711-4111", "0942-30-9000、9001", "0123456789"])
def test_telephone_numbers_in_doubt_are_named(written):
    assert mended(clean_phone(written)) is None


@pytest.mark.parametrize("code", ["402036", "401307", "011002", "131016", "472018"])
def test_check_digits_of_real_codes_hold(code):
    assert is_code(code)
    assert check_digit(code[:5]) == int(code[5])


def test_codes_are_completed_only_when_one_reading_is_possible():
    assert mended(clean_code("４０２０３６")) == "402036"
    assert mended(clean_code("40203")) == "402036"
    assert mended(clean_code("1100")) == "011002"
    assert mended(clean_code("402037")) is None
    assert mended(clean_code("11002")) is None
    assert mended(clean_code("11002", "北海道")) == "011002"
    assert prefecture_of("402036") == "福岡県"


@pytest.mark.parametrize(
    ("written", "degrees"),
    [
        ("33度35分24.1秒", "33.59002778"),
        ("33°35′24″", "33.59"),
        ("N33.35.24.1", "33.59002778"),
        ("３３．５９", "33.59"),
        ("130.4", "130.4"),
    ],
)
def test_degrees_minutes_seconds_become_decimal(written, degrees):
    assert mended(clean_degrees(written)) == degrees


def test_texts_are_tidied_without_changing_what_they_say():
    assert mended(clean_text("　久留米市　")) == "久留米市"
    assert mended(clean_text("文化\nセンター")) == "文化 センター"
    assert mended(clean_text("ｺﾐｭﾆﾃｨｾﾝﾀｰ")) == "コミュニティセンター"
    assert mended(clean_text("１丁目２－３")) == "１丁目２－３"
    assert mended(clean_text('="0942"')) == "0942"
    assert mended(clean_text("=SUM(A1:A3)")) is None
    assert (mended(clean_text("㈱青木")), clean_text("㈱青木").value) == (None, "(株)青木")


def test_readings_choices_addresses_and_postal_codes():
    assert mended(clean_kana("ｼﾔｸｼｮ")) == "シヤクショ"
    assert mended(clean_kana("しやくしょ")) == "シヤクショ"
    assert mended(clean_kana("市役所")) is None
    assert mended(clean_choice("○", ("有", "無"))) == "有"
    assert mended(clean_choice("なし", ("有", "無"))) == "無"
    assert mended(clean_choice("不明", ("有", "無"))) is None
    assert mended(clean_choice("〇", ("1",))) == "1"
    assert mended(clean_uri(" https://www.city.ookawa.lg.jp/ ")) == "https://www.city.ookawa.lg.jp/"
    assert (mended(clean_uri("www.city.ookawa.lg.jp")), clean_uri("javascript:alert(1)").sure) == (None, False)
    assert mended(clean_postal("〒８３０８５２０")) == "830-8520"
    assert mended(clean_postal("830 8520")) == "830-8520"


AED = Table.of(
    ("No.", "施設名", "ﾌﾘｶﾞﾅ", "所在地", "設置場所", "緯度", "経度", "電話", "小児対応", "更新日"),
    [
        (
            "１",
            "市役所",
            "ｼﾔｸｼｮ",
            "酒見256-1",
            "１階",
            "130.3839",
            "33.2066",
            "（０９４４）８７－２１０１",
            "○",
            "令和元年5月1日",
        ),
        ("2", "図書館", "トショカン", "酒見221", "受付", "33.2", "130.38", "0944-87-1234", "×", "R7.2.30"),
        ("3", "公民館", "", "榎津", "受付", "35.0", "10.0", "", "", ""),
    ],
)


def aed_plan():
    return plan(AED, recognise(AED.columns, "AED設置箇所一覧")[0].definition)


def test_a_messy_aed_list_becomes_the_standard_one_and_every_change_is_listed():
    result = repair(aed_plan())
    assert result.table.columns[:9] == (
        "NO",
        "名称",
        "名称_カナ",
        "住所",
        "設置位置",
        "緯度",
        "経度",
        "電話番号",
        "小児対応設備の有無",
    )
    first = next(result.table.rows()).cells
    assert first == (
        "1",
        "市役所",
        "シヤクショ",
        "酒見256-1",
        "１階",
        "33.2066",
        "130.3839",
        "0944-87-2101",
        "有",
        "2019-05-01",
    )
    before = {(row.number, at): cell for row in AED.rows() for at, cell in enumerate(row.cells, 1)}
    after = {(row.number, at): cell for row in result.table.rows() for at, cell in enumerate(row.cells, 1)}
    different = {place for place in before if before[place] != after[place]}
    listed = {(change.row, change.column) for change in result.changes if change.code != "header"}
    assert listed == different
    assert all(change.after == after[change.row, change.column] for change in result.changes if change.code != "header")


def test_what_cannot_be_decided_stays_and_is_named_at_its_cell():
    result = repair(aed_plan())
    assert {(finding.place, finding.code) for finding in result.findings} == {
        ("J3", "date-impossible"),
        ("F4", "degrees-outside"),
    }
    assert list(result.table.rows())[1].cells[9] == "R7.2.30"


def test_a_clerk_may_decline_a_kind_of_change():
    result = repair(aed_plan(), without=frozenset({"header", "phone-format"}))
    assert result.table.columns == AED.columns
    assert next(result.table.rows()).cells[7] == "（０９４４）８７－２１０１"
    assert "phone-format" in result.findings.counts


def test_repairing_twice_changes_nothing_more():
    once = repair(aed_plan())
    again = repair(plan(once.table, aed_plan().definition))
    assert again.changes == []
    assert list(again.table.rows()) == list(once.table.rows())


def test_columns_of_no_standard_are_understood_by_their_values():
    rows = [(f"{n},000", f"令和{n}年4月1日", f"0{n}", "約１０") for n in range(2, 9)]
    result = repair(plan(Table.of(("金額", "いつ", "整理", "説明"), rows)))
    assert next(result.table.rows()).cells == ("2000", "2020-04-01", "02", "約１０")


def test_a_few_cells_of_another_kind_in_a_column_of_numbers_are_named():
    rows = [*[(str(n),) for n in range(30)], ("不明",)]
    result = repair(plan(Table.of(("金額",), rows)))
    assert [(finding.place, finding.code) for finding in result.findings] == [("A32", "number-sign")]


def test_a_column_named_twice_for_one_standard_item_is_renamed_once():
    table = Table.of(("施設名", "名称", "施設名称"), [("a", "b", "c")])
    definition = recognise(AED.columns)[0].definition
    assert plan(table, definition).columns == ("施設名", "名称", "施設名称")


@pytest.mark.parametrize("role", get_args(Role))
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_glance_never_calls_a_cell_right_that_a_close_look_does_not(role, data):
    standard = StandardColumn("x", "text", choices=("有", "無")) if role == "choice" else None
    written = st.one_of(
        st.text("0123456789０２-－.:/ 　ァｱあ漢=#\n\x1f①有無@", max_size=6),
        st.sampled_from(
            ["402036", "33.5", "130.5", "2025-04-30", "2025-02-30", "09:00", "0942-30-9000", "-5", "1,000", "830-8520"]
        ),
    )
    values = data.draw(st.lists(written, min_size=1, max_size=5))
    if glance(role, standard)(values):
        judge = cleaner(role, standard)
        assert [value for value in values if value and judge(value).code] == []


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("12,345※1", "12345"),
        ("12,300(注2)", "12300"),
        ("78*", "78"),
        ("75 注）", "75"),
        ("75 2)", "75"),
        ("▲5 ※", "-5"),
        ("￥3,000", "3000"),
        ("￥12,345,000－", "12345000"),
        ("金１，０００円也", "1000"),
        ("120便", "120"),
    ],
)
def test_marks_of_notes_and_of_money_leave_the_number(written, number):
    assert mended(clean_number(written)) == number


@pytest.mark.parametrize(
    ("written", "proposal"), [("r4,520", "4520"), ("p12150", "12150"), ("(123)", "(123)"), ("12)", "12)")]
)
def test_what_a_letter_or_brackets_mean_a_person_says(written, proposal):
    found = clean_number(written)
    assert (found.sure, found.value) == (False, proposal)


def test_columns_of_percentages_become_numbers_and_a_percentage_among_counts_stays():
    rows = [(f"２{n}．５％", str(100 + n)) for n in range(9)] + [("30", "1.2%")]
    result = repair(plan(Table.of(("高齢化率", "世帯数"), rows)))
    assert [row.cells[0] for row in result.table.rows()][::9] == ["20.5", "30"]
    assert [(finding.place, finding.value) for finding in result.findings] == [("B11", "1.2%")]


def test_days_that_excel_gave_back_as_numbers_are_named_among_days():
    rows = [("2024/4/1",), ("2024/5/1",), ("45444",), ("2024.6.1",)]
    result = repair(plan(Table.of(("点検",), rows)))
    assert [(finding.place, finding.proposal) for finding in result.findings] == [("A4", "2024-06-01")]


def test_names_of_columns_in_half_width_katakana_are_mended_and_said():
    result = repair(plan(Table.of(("施設ｺｰﾄﾞ", "ｼｭﾍﾞﾂ"), [("001", "公民館")])))
    assert result.table.columns == ("施設コード", "シュベツ")
    assert [change.before for change in result.changes] == ["施設ｺｰﾄﾞ", "ｼｭﾍﾞﾂ"]


@pytest.mark.parametrize(("north", "east"), [("200.5", "130.4"), ("0.0", "0.0"), ("33.2", "13.04"), ("-33.2", "130.4")])
def test_a_place_that_is_not_in_japan_is_named_once(north, east):
    table = Table.of(["名称", "緯度", "経度"], [["役場", north, east]])
    assert [found.place for found in repair(plan(table)).findings.of("degrees-outside")] == ["B2"]


@pytest.mark.parametrize("absent", ["***", "///", "--", "欠測", "不詳", "N/A"])
def test_signs_of_absence_do_not_make_a_column_of_numbers_one_of_words(absent):
    result = repair(plan(Table.of(("観測所", "雨量"), [("久留米", "１．５"), ("黒木", absent)])))
    assert [row.cells[1] for row in result.table.rows()] == ["1.5", absent]
    assert [(finding.code, finding.place) for finding in result.findings] == [("number-sign", "B3")]


def test_a_range_that_excel_took_for_a_day_is_named():
    rows = [("0-4", "1"), ("5-9", "2"), ("10月14日", "3"), ("15～19歳", "4"), ("2024-05-09", "5"), ("総数", "6")]
    result = repair(plan(Table.of(("年齢", "人口"), rows)))
    found = [(finding.code, finding.place, finding.proposal) for finding in result.findings]
    assert found == [("range-as-date", "A4", "10-14"), ("range-as-date", "A6", "5-9")]
    days = repair(plan(Table.of(("日", "人"), [("10月14日", "1"), ("10月15日", "2"), ("1-2", "3")])))
    assert not days.findings.counts["range-as-date"], "days are days"
