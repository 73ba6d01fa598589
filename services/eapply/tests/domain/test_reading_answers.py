"""What applicants type: mended where a machine can, explained where it cannot, kept as typed where it is a name."""

from datetime import date

import pytest

from services.eapply.forms.definition import FormField
from services.eapply.forms.raw import add_item, from_json, items, remove_item, take_in
from services.eapply.forms.read import read_fields

TODAY = date(2026, 11, 20)


def field(type_, **more):
    return FormField.model_validate({"key": "x", "type": type_, "label": "項目", **more})


def read(each, *pairs, files=None):
    raw, _ = take_in(pairs)
    return read_fields([each], raw, files or {}, TODAY)


def value(each, *pairs):
    reading = read(each, *pairs)
    assert reading.errors == {}
    return reading.answers["x"]


def sentence(each, *pairs):
    reading = read(each, *pairs)
    assert "x" not in reading.answers
    return next(iter(reading.errors.values()))


@pytest.mark.parametrize("typed", ["髙橋 𠮷郎", "山﨑", "辻󠄀", "渡邉󠄀", "神(U+FA19) 隆", "O'Neill", "マリア"])
def test_names_keep_their_code_points(typed):
    assert value(field("name"), ("x", typed)) == typed


def test_compatibility_ideographs_are_not_normalised():
    assert value(field("name"), ("x", "\ufa19谷\uf9dc")) == "\ufa19谷\uf9dc"


def test_name_length_counts_what_a_reader_sees():
    assert value(field("name", max=2), ("x", "辻󠄀󠄀"[:2] + "子"))
    assert value(field("name"), ("x", "髙" * 200))
    assert "201文字" in sentence(field("name"), ("x", "髙" * 201))
    assert value(field("name"), ("x", "菅"))


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ちくご ようこ", "チクゴ　ヨウコ"),
        ("ﾁｸｺﾞ ﾖｳｺ", "チクゴ　ヨウコ"),
        ("か\u3099っきゅう", "ガッキュウ"),
        ("さとー", "サトー"),
        ("マリア・ルイサ", "マリア・ルイサ"),
        ("こ-た", "コータ"),
    ],
)
def test_kana_is_converted_never_refused(typed, kept):
    assert value(field("kana"), ("x", typed)) == kept


def test_kanji_in_kana_is_explained():
    assert "ひらがなかカタカナ" in sentence(field("kana"), ("x", "筑後"))


@pytest.mark.parametrize(
    ("parts", "day"),
    [
        (("reiwa", "元", "5", "1"), "2019-05-01"),
        (("reiwa", "１", "５", "１"), "2019-05-01"),
        (("showa", "64", "1", "7"), "1989-01-07"),
        (("seireki", "1992", "8", "17"), "1992-08-17"),
        (("heisei", "４年", "8月", "17日"), "1992-08-17"),
    ],
)
def test_dates_of_every_era(parts, day):
    names = ("x_era", "x_year", "x_month", "x_day")
    assert value(field("date"), *zip(names, parts, strict=True)) == day


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        (("heisei", "31", "5", "1"), "令和元年5月1日"),
        (("showa", "64", "1", "8"), "平成元年1月8日"),
        (("reiwa", "8", "2", "29"), "28日まで"),
        (("reiwa", "8", "13", "1"), "1から12"),
        (("reiwa", "8", "", "1"), "月がまだ"),
        (("reiwa", "9", "1", "1"), "今日より先"),
    ],
)
def test_bad_dates_are_explained(parts, word):
    names = ("x_era", "x_year", "x_month", "x_day")
    assert word in sentence(field("date", when="past"), *zip(names, parts, strict=True))


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("０９４２－３０－９０００", "0942-30-9000"),
        ("(0942)30-9000", "0942-30-9000"),
        ("+81 90-1234-5678", "090-1234-5678"),
        ("09012345678", "09012345678"),
    ],
)
def test_telephone_numbers_are_mended(typed, kept):
    assert value(field("phone"), ("x", typed)) == kept


def test_a_short_telephone_number_says_how_many_digits():
    assert "9桁です" in sentence(field("phone"), ("x", "0942-30-900"))


def test_mail_addresses_are_mended_and_lines_cannot_be_smuggled_in():
    assert value(field("email"), ("x", " ｙｏｋｏ＠example.jp ")) == "yoko@example.jp"
    assert sentence(field("email"), ("x", "yoko@example.jp,evil@example.com"))
    assert "\n" not in str(read(field("email"), ("x", "yoko@example.jp\nBcc: a@example.com")).answers)


@pytest.mark.parametrize(("typed", "kept"), [("１２，０００", 12000), ("12000円", 12000), ("￥500", 500)])
def test_yen_in_any_writing(typed, kept):
    assert value(field("yen"), ("x", typed)) == kept


def test_account_numbers_keep_leading_zeros():
    assert value(field("digits", min=7, max=7), ("x", "００１２３４５")) == "0012345"


def test_address_is_mended_and_each_part_explained():
    each = field("address")
    good = [("x.postal", "８３０－００２２"), ("x.city", "福岡県久留米市"), ("x.street", "城南町15番地3")]
    assert value(each, *good)["postal"] == "8300022"
    errors = read(each, ("x.postal", "830-002"), ("x.city", "久留米市")).errors
    assert "6桁" in errors["x.postal"] and "町名" in errors["x.street"]


def test_nul_and_control_characters_are_taken_out():
    assert value(field("text"), ("x", "a\x00b\x1b\u202ec\ud800d")) == "abcd"
    assert value(field("textarea"), ("x", "一\r\n二\x07")) == "一\n二"


def test_what_was_not_offered_cannot_be_chosen():
    each = field("choice", options=[{"value": "a", "label": "A"}])
    assert "もう一度" in sentence(each, ("x", "b"))
    assert value(each, ("x", "a")) == "a"


def test_group_items_come_and_go_without_disturbing_each_other():
    group = field("group", need=True, max=3, fields=[{"key": "n", "type": "name", "label": "名"}])
    raw, _ = take_in([("x.items", "1"), ("x.1.n", "一"), ("x.items", "2"), ("x.2.n", "二")])
    raw, key = add_item(raw, group)
    assert key == "3"
    raw = remove_item(raw, group, "1")
    assert items(raw, group) == ["2", "3"]
    reading = read_fields([group], raw, {}, TODAY)
    assert reading.answers["x"][0] == {"_item": "2", "n": "二"}
    assert list(reading.errors) == ["x.3.n"]


def test_answers_of_programs_are_read_like_forms():
    group = field("group", fields=[{"key": "n", "type": "name", "label": "名"}])
    raw, _ = take_in(from_json({"x": [{"n": "一"}, {"n": "二"}]}))
    assert [row["n"] for row in read_fields([group], raw, {}, TODAY).answers["x"]] == ["一", "二"]


def test_needed_consent_and_files_are_asked_for():
    assert "印を付けて" in sentence(field("consent"))
    assert "添えて" in sentence(field("file"))
