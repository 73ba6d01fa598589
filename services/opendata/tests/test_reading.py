"""A clerk drops a file: whatever it looks like, its table is found, or it is refused with a sentence that helps."""

import csv
import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from libs.common.errors import Invalid, Refusal, TooLarge
from libs.common.testing.growth import assert_grows_in_proportion
from services.opendata.domain.personal import inspect
from services.opendata.domain.repair import plan, repair
from services.opendata.domain.standards import definitions
from services.opendata.reading import LIMITS, Limits, Reading, read

AED = "名称,住所,設置位置,小児対応\n市役所,大川市大字酒見256-1,玄関,有\n図書館,大川市大字酒見221,受付,無\n"
TINY = Limits(size=5_000_000, rows=50, columns=20, line=10_000, workbook=1_000_000, unpacked=3_000_000, entries=100)


@pytest.fixture
def drop(tmp_path: Path):
    """`drop(bytes or text)` → what reading makes of a file with that content."""

    def dropped(content: bytes | str, name: str = "data.csv", limits: Limits = LIMITS) -> Reading:
        path = tmp_path / "upload"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(path, name, limits)

    return dropped


def workbook(build) -> bytes:
    book = Workbook()
    build(book.active)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def rows(reading: Reading, table: int = 0) -> list[tuple[str, ...]]:
    return [row.cells for row in reading.tables[table].rows()]


def codes(reading: Reading) -> set[str]:
    return set(reading.findings.counts)


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "cp932", "utf-16", "utf-16-le", "utf-16-be", "euc_jp", "iso2022_jp"]
)
def test_every_encoding_a_town_uses_reads_the_same(drop, codec):
    reading = drop(AED.encode(codec))
    assert reading.encoding == codec
    assert reading.tables[0].columns == ("名称", "住所", "設置位置", "小児対応")
    assert rows(reading)[1] == ("図書館", "大川市大字酒見221", "受付", "無")


def test_a_long_shift_jis_file_whose_first_part_is_ascii_is_read(drop):
    lines = ["id,name", *(f"{n},town" for n in range(40_000)), "40000,久留米市"]
    reading = drop("\n".join(lines).encode("cp932"))
    assert reading.encoding == "cp932"
    assert rows(reading)[-1] == ("40000", "久留米市")


def test_half_width_katakana_in_shift_jis_is_not_taken_for_euc(drop):
    reading = drop("名称,ﾖﾐ\n市役所,ｼﾔｸｼｮ\n図書館,ﾄｼｮｶﾝ\n".encode("cp932"))
    assert (reading.encoding, rows(reading)[0]) == ("cp932", ("市役所", "ｼﾔｸｼｮ"))


def test_a_line_in_another_encoding_is_named_and_read(drop):
    reading = drop(
        "名称,住所\n市役所,大川市\n".encode() + "図書館,柳川市\n".encode("cp932") + "公民館,筑後市\n".encode()
    )
    assert reading.encoding == "mixed"
    assert rows(reading) == [("市役所", "大川市"), ("図書館", "柳川市"), ("公民館", "筑後市")]
    assert [(f.row, f.severity) for f in reading.findings.of("mixed-encoding")] == [(3, "warning")]


def test_bytes_that_are_no_character_are_named_by_line(drop):
    reading = drop("名称,住所\n市役所,大川市\n".encode() + b"\xff\xfe\xfd,x\n")
    assert [f.row for f in reading.findings.of("unreadable-characters")] == [3]


def test_a_table_that_begins_in_column_b_has_no_column_a(drop):
    def build(sheet):
        sheet["A1"] = "公共施設一覧"
        for row, cells in enumerate(
            [("施設名", "電話", None, "収容人数"), ("役場", "0944-32-1013", None, "５０人"), ("図書館", None, None, 8)],
            3,
        ):
            for letter, cell in zip("BCDE", cells, strict=True):
                sheet[f"{letter}{row}"] = cell
        sheet["A6"] = "※大木町調べ"

    reading = drop(workbook(build), "施設.xlsx")
    table = reading.tables[0]
    assert (table.columns, table.places) == (("施設名", "電話", "収容人数"), (2, 3, 5))
    assert rows(reading) == [("役場", "0944-32-1013", "５０人"), ("図書館", "", "8")]
    assert [f.place for f in reading.findings.of("empty-column")] == ["A列", "D列"]
    assert "header-blank" not in codes(reading)
    mended = repair(plan(table))
    assert [f"{change.column}{change.row}" for change in mended.changes if change.before == "５０人"] == ["54"], (
        "told as E4"
    )
    late = "名称,,値\n" + "a,,1\n" * 200 + "b,x,2\n"
    assert drop(late).tables[0].columns == ("名称", "列2", "値"), "what stands only far below is not lost"


def test_a_total_is_found_in_whichever_column_says_it(drop):
    reading = drop("校区,種類,量,前年\n酒見,可燃,12,10\n,小計,12,10\n榎津,可燃,8,7\n,平均,10,8\n合計,,20,17\n")
    assert [(f.row, f.column, f.value) for f in reading.findings.of("total-row")] == [
        (3, 2, "小計"),
        (5, 2, "平均"),
        (6, 1, "合計"),
    ]
    assert not drop("品目,担当\n計算機,平均台係\n机,計\n").findings.of("total-row"), "a word inside another is none"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "empty"),
        (b"%PDF-1.7 ...", "not-a-table"),
        (b"\x89PNG\r\n\x1a\n", "not-a-table"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old-excel"),
        (bytes(range(256)) * 40, "binary"),
        (b"PK\x03\x04 this is no zip", "damaged"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(drop, content, code):
    with pytest.raises(Invalid) as refusal:
        drop(content)
    assert refusal.value.code == code
    assert "ください" in refusal.value.message


def test_title_rows_blank_rows_and_notes_are_left_out_and_said(drop):
    reading = drop(
        "大川市ＡＥＤ一覧,,,\n令和7年4月1日現在,,,\n\n"
        + AED
        + "\n公民館,大川市大字榎津,受付,有\n,,,\n※休館日は使えません,,,\n"
    )
    assert reading.tables[0].header_row == 4
    assert [cells[0] for cells in rows(reading)] == ["市役所", "図書館", "公民館"]
    assert [f.row for f in reading.findings.of("row-above-header")] == [1, 2]
    assert [f.value for f in reading.findings.of("note-below")] == ["※休館日は使えません"]
    assert reading.findings.counts["blank-row"] == 1


def test_rows_keep_the_numbers_that_excel_shows(drop):
    reading = drop("表題,,,\n\n" + AED.replace("市役所", '"市\n役所"'))
    assert [(row.number, row.cells[0]) for row in reading.tables[0].rows()] == [(4, "市\n役所"), (6, "図書館")]


def test_headers_of_two_rows_become_one(drop):
    reading = drop("名称,住所,災害種別,,\n,,洪水,地震,津波\n一小,大川市酒見1,1,1,\n二小,大川市榎津2,,1,\n")
    assert reading.tables[0].columns == ("名称", "住所", "災害種別_洪水", "災害種別_地震", "災害種別_津波")
    assert rows(reading)[0] == ("一小", "大川市酒見1", "1", "1", "")
    assert "header-of-several-rows" in codes(reading)


def test_a_table_of_pupils_has_the_same_grades_under_boys_and_under_girls(drop):
    head = "令和6年度 児童数,,,,\n,,,,（単位：人）\n学校名,男,,女,\n,1年,2年,1年,2年\n"
    text = f"{head}大溝,12,14,11,9\n木佐木,20,22,18,25\n合計,32,36,29,34\n※5月1日現在,,,,\n"
    reading = drop(text)
    assert reading.tables[0].columns == ("学校名", "男_1年", "男_2年", "女_1年", "女_2年")
    assert rows(reading)[0] == ("大溝", "12", "14", "11", "9") and len(rows(reading)) == 3
    assert {"row-above-header", "header-of-several-rows", "total-row", "note-below"} <= codes(reading)
    assert drop("a,a,a\na,a,a\n1,2,3\n").tables[0].header_row is None, "what only repeats itself is no header"


def test_a_first_row_of_data_is_not_taken_for_a_second_header(drop):
    reading = drop("名称,住所,備考\n市役所,,\n図書館,大川市,休館中\n")
    assert reading.tables[0].columns == ("名称", "住所", "備考")
    assert len(rows(reading)) == 2


def test_a_file_without_a_header_is_named_and_keeps_its_first_row(drop):
    reading = drop("1,120,33.1\n2,130,33.2\n3,140,33.3\n")
    assert reading.tables[0].columns == ("列1", "列2", "列3")
    assert reading.tables[0].header_row is None
    assert len(rows(reading)) == 3
    assert "no-header" in codes(reading)


def test_names_that_are_missing_or_twice_are_named_with_a_proposal(drop):
    reading = drop("名称,,緯度,緯度\n市役所,あ,33.1,130.1\n図書館,い,33.2,130.2\n")
    assert reading.tables[0].columns == ("名称", "列2", "緯度", "緯度_2")
    assert [(f.column, f.proposal) for f in reading.findings if f.code.startswith("header-")] == [
        (2, "列2"),
        (4, "緯度_2"),
    ]


def test_ragged_rows_are_padded_or_named_with_what_did_not_fit(drop):
    reading = drop(AED + "公民館,大川市\n体育館,大川市,1,2階,無\n")
    assert rows(reading)[2] == ("公民館", "大川市", "", "")
    assert rows(reading)[3] == ("体育館", "大川市", "1", "2階")
    assert [(f.row, f.code) for f in reading.findings] == [(4, "row-too-short"), (5, "row-too-long")]
    assert reading.findings.of("row-too-long")[0].value == "無"


def test_empty_cells_after_the_last_column_are_no_fault(drop):
    assert len(drop(AED.replace("\n", ",,,\n")).findings) == 0


def test_a_quotation_mark_never_closed_costs_one_line_not_the_file(drop):
    body = "".join(f"施設{n},大川市{n},玄関,有\n" for n in range(1000))
    reading = drop(AED + '公民館,"大川市,玄関,有\n' + body)
    assert len(rows(reading)) == 2 + 1 + 1000
    assert rows(reading)[2] == ("公民館", "大川市", "玄関", "有")
    assert [f.row for f in reading.findings.of("quote-not-closed")] == [4]


def test_two_quotation_marks_never_closed_do_not_swallow_what_is_between(drop):
    reading = drop(AED + '公民館,"大川市,玄関,有\n体育館,柳川市,玄関,有\n集会所,"筑後市,玄関,無\n')
    assert [cells[0] for cells in rows(reading)] == ["市役所", "図書館", "公民館", "体育館", "集会所"]
    assert [f.row for f in reading.findings.of("quote-not-closed")] == [4, 6]


def test_quotation_marks_inside_unquoted_cells_are_characters(drop):
    reading = drop("名称,備考\n" + '管 5",x\n' * 2000)
    assert rows(reading) == [('管 5"', "x")] * 2000
    assert len(reading.findings) == 0


def test_an_open_quotation_mark_in_every_line_does_not_slow_the_reading(drop):
    def read_with(open_quotes: int) -> None:
        reading = drop("名称,備考\n" + '"管,x\n' * open_quotes + "あ,い\n" * 300)
        assert reading.findings.counts["quote-not-closed"] == open_quotes
        assert len(rows(reading)) == open_quotes + 300

    assert_grows_in_proportion(read_with, 2_500)


def test_quoted_commas_quotes_and_line_breaks_are_kept(drop):
    reading = drop('名称,備考\n"A,B","彼は「""急げ""」と言った"\n市役所,"1行目\r\n2行目"\n')
    assert rows(reading) == [("A,B", '彼は「"急げ"」と言った'), ("市役所", "1行目\r\n2行目")]


def test_tabs_in_a_file_called_csv_are_understood(drop):
    reading = drop(AED.replace(",", "\t").encode("utf-16"))
    assert (reading.format, reading.tables[0].columns[0], codes(reading)) == ("tsv", "名称", {"encoding", "tabs"})


def test_totals_repeated_headers_and_old_line_ends_are_handled(drop):
    text = "校区,人口,世帯\r酒見,120,50\r校区,人口,世帯\r榎津,80,30\r合計,200,80\r"
    reading = drop(text)
    assert rows(reading) == [("酒見", "120", "50"), ("榎津", "80", "30"), ("合計", "200", "80")]
    assert {"header-again", "total-row"} <= codes(reading)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (",".join(f"c{n}" for n in range(10_000)) + "\n" + ",".join("1" * 10_000) + "\n", "line-too-long"),
        (",".join(f"c{n}" for n in range(30)) + "\n", "too-many-columns"),
        ("名称,住所\n" + "市役所,大川市\n" * 60, "too-many-rows"),
        ("x" * 6_000_000, "too-large"),
        ("名称,住所\n市役所," + "あ" * 20_000 + "\n", "line-too-long"),
    ],
)
def test_files_over_the_limits_are_refused(drop, content, code):
    with pytest.raises(TooLarge) as refusal:
        drop(content, limits=TINY)
    assert refusal.value.code == code


def test_ten_thousand_columns_are_refused_with_the_usual_limits(drop):
    with pytest.raises(TooLarge, match="列が多すぎます"):
        drop("a," * 10_000 + "a\n" + "1," * 10_000 + "1\n")


def test_memory_does_not_grow_with_the_rows(drop, tmp_path):
    line = "施設{0},福岡県大川市大字酒見{0}番地,33.2,130.3,0944-87-2101\n"
    text = "名称,住所,緯度,経度,電話番号\n" + "".join(line.format(n) for n in range(60_000))
    (tmp_path / "upload").write_text(text, encoding="cp932")
    del text
    tracemalloc.start()
    reading = read(tmp_path / "upload")
    count = sum(1 for _ in reading.tables[0].rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 60_000
    assert peak < 8_000_000


def test_a_workbook_with_titles_merged_cells_and_notes(drop):
    def build(sheet):
        sheet.append(["避難所一覧", None, None, None])
        sheet.merge_cells("A1:D1")
        sheet.append(["名称", "住所", "災害種別", None])
        sheet.append([None, None, "洪水", "地震"])
        sheet.merge_cells("A2:A3"), sheet.merge_cells("B2:B3"), sheet.merge_cells("C2:D2")
        sheet.append(["一小", "酒見", 1, 1.0])
        sheet.append(["二小", None, 0.5, None])
        sheet.merge_cells("B4:B5")
        sheet.append([])
        sheet.append(["※出典：危機管理課"])

    reading = drop(workbook(build))
    assert reading.format == "xlsx"
    assert reading.tables[0].columns == ("名称", "住所", "災害種別_洪水", "災害種別_地震")
    assert rows(reading) == [("一小", "酒見", "1", "1"), ("二小", "酒見", "0.5", "")]
    assert {"merged-cells", "row-above-header", "note-below", "header-of-several-rows"} <= codes(reading)


def test_dates_and_times_of_a_workbook_are_iso(drop):
    from datetime import date, datetime, time

    reading = drop(
        workbook(
            lambda sheet: [
                sheet.append(r)
                for r in (
                    ["日", "時", "いつ", "可"],
                    [date(2025, 4, 1), time(9, 30), datetime.fromisoformat("2025-04-01T09:05"), True],
                )
            ]
        )
    )
    assert rows(reading) == [("2025-04-01", "09:30", "2025-04-01 09:05:00", "TRUE")]


def test_formulas_give_their_last_result_or_are_named_when_there_is_none(drop):
    reading = drop(
        workbook(lambda sheet: [sheet.append(["品目", "数"]), sheet.append(["水", "=1+1"]), sheet.append(["米", 3])])
    )
    assert [(f.row, f.column) for f in reading.findings.of("formula-without-value")] == [(2, 2)]
    assert rows(reading)[0] == ("水", "")


def test_every_visible_sheet_is_a_table_and_hidden_ones_are_not_published(drop):
    def build(sheet):
        sheet.title = "令和6年"
        sheet.append(["名称", "数"]), sheet.append(["水", 1])
        second = sheet.parent.create_sheet("令和7年")
        second.append(["名称", "数"]), second.append(["米", 2])
        second.row_dimensions[2].hidden = True
        secret = sheet.parent.create_sheet("内部")
        secret.append(["氏名", "電話"]), secret.append(["山田", "090-1234-5678"])
        secret.sheet_state = "hidden"
        sheet.parent.create_sheet("空")

    reading = drop(workbook(build))
    assert [table.sheet for table in reading.tables] == ["令和6年", "令和7年"]
    assert rows(reading, 1) == [("米", "2")]
    assert {"sheet-hidden", "hidden-rows", "sheet-empty"} <= codes(reading)


def repacked(book: bytes, **extra: bytes) -> bytes:
    out = io.BytesIO(book)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as package:
        for name, content in extra.items():
            package.writestr(name.replace("__", "/"), content)
    return out.getvalue()


SIMPLE = workbook(lambda sheet: [sheet.append(["名称", "数"]), sheet.append(["水", 1])])


def test_macros_and_links_to_other_files_are_ignored_and_said(drop):
    reading = drop(
        repacked(SIMPLE, **{"xl__vbaProject.bin": b"macro", "xl__externalLinks__externalLink1.xml": b"<x/>"})
    )
    assert rows(reading) == [("水", "1")]
    assert {"macros", "external-links"} <= codes(reading)


def test_zip_bombs_are_refused_before_they_unfold(drop):
    bomb = repacked(SIMPLE, **{"xl__media__bomb.bin": b"\0" * 60_000_000})
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge) as refusal:
        drop(bomb)
    assert refusal.value.code == "zip-bomb"
    with pytest.raises(TooLarge) as refusal:
        drop(repacked(SIMPLE, **{f"xl__media__{n}.bin": b"x" for n in range(200)}), limits=TINY)
    assert refusal.value.code == "zip-bomb"


def test_entities_in_a_sheet_are_refused_not_unfolded(drop):
    evil = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><worksheet>&b;</worksheet>'
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SIMPLE)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, evil if entry == "xl/worksheets/sheet1.xml" else old.read(entry))
    with pytest.raises(Invalid) as refusal:
        drop(out.getvalue())
    assert refusal.value.code == "damaged"


def test_a_zip_that_is_no_workbook_is_refused(drop):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr("data.csv", AED)
    with pytest.raises(Invalid) as refusal:
        drop(out.getvalue())
    assert refusal.value.code == "not-a-table"


@pytest.mark.parametrize("cut", [200, 1500, -30])
def test_a_workbook_cut_off_is_refused_not_crashed_on(drop, cut):
    with pytest.raises(Refusal):
        drop(SIMPLE[:cut])


@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.text('あ①,"\n\r\t;=ｱ1０.-\x1f', max_size=200).map(lambda text: text.encode("cp932", errors="replace")),
        st.text('名称,"\n\r 1', max_size=200).map(lambda text: ("名称,住所\n" + text).encode()),
    )
)
@settings(max_examples=400, deadline=None)
def test_whatever_bytes_come_they_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "upload"
    path.write_bytes(content)
    try:
        reading = read(path)
    except Refusal:
        return
    for table in reading.tables:
        assert len(set(table.columns)) == len(table.columns) > 0
        mended = repair(plan(table))
        assert all(len(row.cells) == len(table.columns) for row in mended.table.rows())
        assert [row.number for row in mended.table.rows()] == sorted({row.number for row in table.rows()})


@pytest.mark.parametrize(
    "column", ["設置日", "開始時間", "電話番号", "緯度", "URL", "名称_カナ", "人口", "全国地方公共団体コード"]
)
@pytest.mark.parametrize(
    "begin, middle, end", [("R", " ", "x"), ("", "1", ""), ("", " 9", ""), ("a", " ", "b"), ("", "-" * 9 + " ", "")]
)
def test_no_cell_makes_a_pattern_run_for_ever(drop, column, begin, middle, end):
    def read_with(letters: int) -> None:
        value = begin + middle * (letters // len(middle)) + end
        table = drop(f"名称,{column}\nあ,{value}\n" + "い,1\n" * 9).tables[0]
        repair(plan(table, definitions()[0]))
        inspect(table)

    assert_grows_in_proportion(read_with, 11_000)


@given(
    body=st.lists(
        st.tuples(*[st.text('あ久1,"\n\r\t;※ x', min_size=1, max_size=8).filter(str.strip)] * 3),
        min_size=1,
        max_size=12,
    ),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "cp932", "utf-16"]),
)
@settings(max_examples=200, deadline=None)
def test_no_cell_is_lost_or_changed_by_reading(tmp_path_factory, body, codec):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("名称", "住所", "備考"), *body])
    path = tmp_path_factory.mktemp("any") / "upload.csv"
    path.write_bytes(out.getvalue().encode(codec))
    assert [row.cells for row in read(path).tables[0].rows()] == body


def test_a_second_table_below_the_first_is_a_table_of_its_own(drop):
    reading = drop(
        "施設名,利用者数\n東公民館,100\n西公民館,120\n,\n■図書館,\n館名,蔵書数\n中央図書館,1000\n分館,200\n※年度末の数,\n"
    )
    assert [table.columns for table in reading.tables] == [("施設名", "利用者数"), ("館名", "蔵書数")]
    assert (rows(reading), rows(reading, 1)) == (
        [("東公民館", "100"), ("西公民館", "120")],
        [("中央図書館", "1000"), ("分館", "200"), ("※年度末の数", "")],
    )
    assert [table.sheet for table in reading.tables] == ["", "5行目からの表"]
    assert [f.row for f in reading.findings.of("second-table")] == [5]


def test_a_second_table_in_a_workbook_is_chosen_like_a_sheet(drop):
    def build(sheet):
        for cells in (["名称", "住所"], ["市役所", "酒見"], [], ["名称", "電話番号"], ["図書館", "0944-87-2101"]):
            sheet.append(cells)

    reading = drop(workbook(build), "data.xlsx")
    assert [(table.sheet, table.columns) for table in reading.tables] == [
        ("Sheet", ("名称", "住所")),
        ("Sheet（4行目からの表）", ("名称", "電話番号")),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "校区,人口\n酒見,100\n\n大川,不明\n三又,120\n",
        "校区,人口\n酒見,100\n\n大川,－\n三又,120\n",
        "人口総数,34000\n世帯数,12000\n\n校区,人口\n酒見,100\n大川,120\n",
        "作成,市民課\n\n名称,住所\n市役所,酒見\n図書館,向島\n",
        "名称,住所\n市役所,酒見\n\n名称,住所\n図書館,向島\n",
    ],
)
def test_what_only_stands_apart_stays_one_table(drop, content):
    reading = drop(content)
    assert len(reading.tables) == 1
    assert "second-table" not in codes(reading)


@pytest.mark.parametrize("units", ["（校区）,（人）,（％）", ",人,％", "単位,[人],%"])
def test_a_row_of_units_under_the_names_becomes_part_of_them(drop, units):
    reading = drop(f"校区,人口,高齢化率\n{units}\n酒見,3210,28.1\n大川,2210,31.5\n")
    assert reading.tables[0].columns[1:] == ("人口（人）", "高齢化率（%）")
    assert rows(reading) == [("酒見", "3210", "28.1"), ("大川", "2210", "31.5")]
    assert [f.row for f in reading.findings.of("units-row")] == [2]


def test_a_first_row_of_short_words_is_not_taken_for_units(drop):
    assert len(rows(drop("品目,区分\n本,資源\n缶,資源\n"))) == 2
    assert len(rows(drop("品目,数え方,個数\n牛乳,本,3\n卵,個,10\n"))) == 2


def test_groups_of_years_over_the_same_names_and_units_below_them(drop):
    reading = drop(
        "年齢別人口,,,,\n,令和5年,,令和6年,\n,男,女,男,女\n校区,人,人,人,人\n酒見,1,2,3,4\n大川,5,6,7,8\n三又,9,10,11,12\n"
    )
    assert reading.tables[0].columns == (
        "校区",
        "令和5年_男（人）",
        "令和5年_女（人）",
        "令和6年_男（人）",
        "令和6年_女（人）",
    )
    assert [f.row for f in reading.findings.of("row-above-header")] == [1]
    assert rows(reading)[0] == ("酒見", "1", "2", "3", "4")


def test_files_put_one_behind_another_leave_no_mark_in_a_name(drop):
    reading = drop(AED.encode("utf-8-sig") + AED.replace("図書館", "公民館").encode("utf-8-sig"))
    assert [cells[0] for cells in rows(reading)] == ["市役所", "図書館", "市役所", "公民館"]
    assert [f.row for f in reading.findings.of("header-again")] == [4]


def test_a_group_written_once_and_rows_that_are_only_headings_are_named(drop):
    reading = drop(
        "地区,施設名,住所\n東部,東公民館,柳川市1\n,東図書館,柳川市2\n西部,西公民館,柳川市3\n,西図書館,柳川市4\n■島,,\n島,渡船場,柳川市5\n,分校,柳川市6\n,駐在所,柳川市7\n,港,柳川市8\n"
    )
    assert [(f.row, f.column_name) for f in reading.findings.of("group-blank")] == [(3, "地区")]
    assert [f.row for f in reading.findings.of("section-row")] == [6]


def test_a_column_with_a_few_blanks_is_no_group(drop):
    assert "group-blank" not in codes(drop("地区,施設名\n東部,a\n,b\n東部,c\n西部,d\n,e\n,f\n"))
    assert "group-blank" not in codes(drop("備考,施設名\nx,a\ny,b\nz,c\n,d\n"))


def test_a_column_that_begins_with_a_blank_is_no_group(drop):
    assert "group-blank" not in codes(drop("旧名称,施設名\n,a\nx,b\n,c\n,d\ny,e\n,f\n"))


def test_what_excel_shows_in_per_cent_is_read_as_it_is_shown(drop):
    def build(sheet):
        for cells in (("業種", "増減率（％）", "構成比"), ("農業", 0.359, 0.07), ("漁業", "▲2.4％", 0.123)):
            sheet.append(cells)
        sheet["B2"].number_format, sheet["C3"].number_format = "0.0%", "0%"

    reading = drop(workbook(build), "a.xlsx")
    assert rows(reading) == [("農業", "35.9%", "0.07"), ("漁業", "▲2.4％", "12.3%")]


def test_two_halves_of_a_list_side_by_side_keep_their_names(drop):
    reading = drop("投票所一覧,,,,\n投票区,投票所,,投票区,投票所\n1,第一小,,11,市民会館\n2,第二小,,12,公民館\n")
    assert reading.tables[0].columns == ("投票区", "投票所", "投票区_2", "投票所_2")
    assert reading.findings.counts["header-twice"] == 2 and "no-header" not in codes(reading)


def test_a_list_without_names_does_not_lose_its_first_row(drop):
    reading = drop("まるしん,久留米市東町1,火～日 10:00\nみどり店,久留米市六ツ門町2,24H\n生協,久留米市国分町3,月水金\n")
    assert reading.tables[0].columns == ("列1", "列2", "列3") and len(rows(reading)) == 3
    assert "no-header" in codes(reading)
    hours = drop("観測所,10:00,11:00\n久留米,1.5,2.0\n黒木,0,3\n")
    assert hours.tables[0].columns == ("観測所", "10:00", "11:00"), "times over numbers are names"
