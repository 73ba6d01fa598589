"""Downloads for spreadsheets: nothing calculates, numbers stay numbers, every lost character is told."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common import csvout
from libs.common.csvout import Replaced

HEAD = ["名前", "値"]


def written(data: Sequence[Sequence[Any]], **options: Any) -> bytes:
    return b"".join(csvout.rows(data, header=HEAD, **options))


def read(data: bytes, encoding: str = "utf-8-sig") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(encoding), newline="")))


def test_utf_8_with_byte_order_mark_and_crlf_by_default() -> None:
    data = written([["髙橋𠮷", 3], ['"引用"、改行\nあり', None]])
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\xef\xbb\xbf") == 1
    assert data.splitlines(keepends=True)[0].endswith(b"\r\n")
    assert read(data) == [HEAD, ["髙橋𠮷", "3"], ['"引用"、改行\nあり', ""]]


def test_an_empty_table_still_has_its_header() -> None:
    assert read(written([])) == [HEAD]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+81-92-1234", "-1+1|cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝１＋１", "＋1", "－1", "＠x",
     "'=1", "'-", "=", "-x", "- 1", "－ｘ", "--1", "-1,23,4", "-1e9999"],
)  # fmt: skip
def test_what_a_spreadsheet_would_calculate_is_made_harmless_and_can_be_restored(text: str) -> None:
    [_, [cell, _]] = read(written([[text, 1]]))
    assert cell == "'" + text
    assert csvout.original(cell) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-5, "-5"), (-5.25, "-5.25"), (Decimal("-1E+3"), "-1000"), ("-5", "-5"), ("-1,234,567.8", "-1,234,567.8"),
        ("-1.5e-7", "-1.5e-7"), (0, "0"), (True, "TRUE"), (date(2018, 10, 1), "2018-10-01"),
        (datetime(2018, 9, 30, 15, 0, tzinfo=UTC), "2018-10-01T00:00:00+09:00"), ("'quoted'", "'quoted'"),
        ("a=b", "a=b"), ("", ""), ("-", "-"), ("－", "－"), ("--", "--"), ("1-2-3", "1-2-3"), ("090-1234-5678", "090-1234-5678"),
    ],
)  # fmt: skip
def test_numbers_dates_and_plain_text_stay_what_they_are(value: Any, text: str) -> None:
    [_, [cell, _]] = read(written([[value, 1]]))
    assert cell == text
    assert csvout.original(cell) == text


@given(st.lists(st.tuples(st.text(), st.integers()), max_size=20))
def test_any_text_comes_back_and_none_begins_as_a_formula(data: list[tuple[str, int]]) -> None:
    data = [(text.encode("utf-8", "ignore").decode().replace("\x00", ""), number) for text, number in data]
    cells = read(written(data))[1:]
    assert [(csvout.original(text), int(number)) for text, number in cells] == data
    for text, _ in cells:
        assert not text.lstrip().startswith(("=", "+", "@", "＝", "＋", "＠")), "a formula got through"


def test_many_rows_are_streamed_in_pieces() -> None:
    pieces = list(csvout.rows(([f"名{n}", n] for n in range(1000)), header=HEAD))
    assert len(pieces) == 6
    assert len(read(b"".join(pieces))) == 1001


def test_shift_jis_tells_every_character_it_replaced_and_where() -> None:
    report = Replaced()
    data = written([["髙橋", 1], ["𠮷野", 2], ["葛\U000e0100城", 3], ["𠮷田", 4]], charset="shift_jis", replaced=report)
    assert read(data, "cp932") == [HEAD, ["髙橋", "1"], ["〓野", "2"], ["葛城", "3"], ["〓田", "4"]]
    assert dict(report.characters) == {"𠮷": 2, "葛\U000e0100": 1}
    assert report.lines() == [
        "「𠮷」（U+20BB7）を「〓」に置き換えました：2か所（3行目の「名前」、5行目の「名前」）",
        "「葛\U000e0100」（U+845B U+E0100）を「葛」に置き換えました：1か所（4行目の「名前」）",
    ]


def test_signs_that_have_another_place_in_shift_jis_are_moved_there_and_told() -> None:
    report = Replaced()
    data = written([["〜−—‖", 1], ["か\u3099", 2]], charset="shift_jis", replaced=report)
    assert read(data, "cp932")[1:] == [["～－―∥", "1"], ["が", "2"]]
    assert set(report.characters) == {"〜", "−", "—", "‖", "か\u3099"}


def test_shift_jis_rows_are_numbered_right_beyond_the_first_piece() -> None:
    report = Replaced()
    data = [["普通", n] for n in range(1, 451)]
    data[299][0] = "𠮷"
    data[449][0] = "𠮷"
    written(data, charset="shift_jis", replaced=report)
    assert [row for row, _ in report.places["𠮷"]] == [300, 450]


def test_every_place_of_a_replaced_character_is_told_however_many_there_are() -> None:
    report = Replaced()
    written([["𠮷", n] for n in range(30)], charset="shift_jis", replaced=report)
    assert report.lines()[0].count("行目の「名前」") == 30


def test_a_cell_that_begins_with_a_combining_mark_leaves_the_columns_as_they_are() -> None:
    report = Replaced()
    data = written([[1, "\u0301a"]], charset="shift_jis", replaced=report)
    assert read(data, "cp932")[1] == ["1", "〓a"] and list(report.places["\u0301"]) == [(1, HEAD[1])]


def test_shift_jis_without_a_report_is_refused() -> None:
    with pytest.raises(ValueError, match="Replaced"):
        written([], charset="shift_jis")


@given(st.text())
def test_shift_jis_can_always_be_written(text: str) -> None:
    report = Replaced()
    text = text.replace("\x00", "")
    data = written([[text, 1]], charset="shift_jis", replaced=report)
    back = csvout.original(read(data, "cp932")[1][0])
    if not report.characters:
        assert back == text


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("list.csv", "attachment; filename=\"list.csv\"; filename*=UTF-8''list.csv"),
        (
            "申請一覧 10月.csv",
            "attachment; filename=\"____ 10_.csv\"; filename*=UTF-8''%E7%94%B3%E8%AB%8B%E4%B8%80%E8%A6%A7%2010%E6%9C%88.csv",
        ),
        ("../../etc/passwd", "attachment; filename=\"_.._etc_passwd\"; filename*=UTF-8''_.._etc_passwd"),
        ('a"; x=y\r\nSet-Cookie: z', None),
        ("\u202egpj.exe", "attachment; filename=\"_gpj.exe\"; filename*=UTF-8''_gpj.exe"),
        ("...", "attachment; filename=\"file\"; filename*=UTF-8''file"),
        ("", "attachment; filename=\"file\"; filename*=UTF-8''file"),
        ("\ud800x", "attachment; filename=\"x\"; filename*=UTF-8''x"),
    ],
)
def test_download_names_are_safe_in_a_header_and_on_a_disk(name: str, header: str | None) -> None:
    made = csvout.attachment(name)
    if header is not None:
        assert made == header
    assert made.isascii()
    assert not set("\r\n") & set(made)
    assert made.count('"') == 2


def test_long_names_keep_their_ending() -> None:
    assert csvout.safe_name("あ" * 300 + ".csv") == "あ" * 116 + ".csv"
    assert len(csvout.safe_name("x" * 300)) == 120
