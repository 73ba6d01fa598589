"""The standards ask for the municipality's code and name in every row; clerks leave them out, and the cloud knows them."""

import csv
import io

import pytest

from services.opendata.domain.conformance import assess
from services.opendata.domain.publisher import Publisher
from services.opendata.domain.repair import plan, repair
from services.opendata.domain.standards import definitions
from services.opendata.domain.table import Table
from services.opendata.tests import messy
from services.opendata.tests.people import AED, Town, fields, visible

LIST = next(one for one in definitions() if one.kind.number == "08")
OKI, FUKUOKA = Publisher("405221", "大木町"), Publisher("400009", "福岡県")
CODE, PREFECTURE, TOWN = "都道府県コード又は市区町村コード", "都道府県名", "市区町村名"


def mended(columns: list[str], rows: list[list[str]], publisher: Publisher = OKI, **more) -> list[dict[str, str]]:
    table = repair(plan(Table.of(columns, rows), LIST, publisher), **more).table
    return [dict(zip(table.columns, row.cells, strict=True)) for row in table.rows()]


def test_columns_that_are_not_there_stand_behind_the_others():
    result = repair(plan(Table.of(["名称", "住所"], [["役場", "大角"], ["小学校", "横溝"]]), LIST, OKI))
    assert result.table.columns == ("名称", "住所", CODE, PREFECTURE, TOWN)
    assert [row.cells[2:] for row in result.table.rows()] == [("405221", "福岡県", "大木町")] * 2
    assert result.counts["publisher-column"] == 3
    assert [change.after for change in result.changes] == ["405221", "福岡県", "大木町"]


def test_the_score_rises():
    table = Table.of(["名称", "住所"], [["役場", "大角"]])
    assert (
        assess(repair(plan(table, LIST, OKI)).table, LIST).score > assess(repair(plan(table, LIST)).table, LIST).score
    )


def test_empty_cells_are_filled_and_what_stands_there_stays():
    columns, rows = ["名称", TOWN, CODE], [["役場", "", "40522"], ["学校", "三潴郡大木町", ""], ["計", "", ""]]
    result = repair(plan(Table.of(columns, rows), LIST, OKI))
    assert [row.cells for row in result.table.rows()] == [
        ("役場", "大木町", "405221", "福岡県"),
        ("学校", "三潴郡大木町", "405221", "福岡県"),
    ]
    assert (result.counts["publisher-cells"], result.counts["publisher-column"]) == (2, 1)


@pytest.mark.parametrize(
    ("column", "other"), [(TOWN, "大川市"), (CODE, "402125"), (PREFECTURE, "佐賀県"), ("地方公共団体名", "大川市")]
)
def test_in_a_list_of_several_municipalities_nobody_guesses(column, other):
    """Also where the other one stands in row 2,000."""
    own = {**OKI.values}[column]
    rows = [["役場", own]] * 1_999 + [["市役所", other], ["？", ""]]
    assert mended(["名称", column], rows)[-1] == {"名称": "？", column: ""}
    assert TOWN in mended(["名称", column], rows[:-2])[0]


def test_a_prefecture_is_no_municipality():
    row = mended(["名称"], [["県庁"]], FUKUOKA)[0]
    assert row == {"名称": "県庁", CODE: "400009", PREFECTURE: "福岡県"}


def test_of_the_newer_standard_its_own_names():
    toilets = next(one for one in definitions() if one.kind.number == "13" and one.edition.startswith("自治体標準"))
    table = repair(plan(Table.of(["名称"], [["駅前"]]), toilets, OKI)).table
    assert table.columns == ("名称", "全国地方公共団体コード", "地方公共団体名")
    assert next(table.rows()).cells == ("駅前", "405221", "大木町")


@pytest.mark.parametrize("publisher", [Publisher(), Publisher("405221"), Publisher("405229", "大木町"), None])
def test_who_is_not_known_is_not_written(publisher):
    assert repair(plan(Table.of(["名称"], [["駅前"]]), LIST, publisher)).table.columns == ("名称",)


def test_a_table_of_no_standard_gets_nothing():
    assert repair(plan(Table.of(["名称"], [["駅前"]]), None, OKI)).table.columns == ("名称",)


def test_it_can_be_left_out():
    assert mended(["名称"], [["駅前"]], without=frozenset({"publisher-column"})) == [{"名称": "駅前"}]


def test_the_clerk_sees_it_accepts_it_and_it_is_published(town: Town):
    staff = town.staff()
    draft = staff.send(AED)
    page = staff.get(draft).text
    shown = visible(page)
    assert f"新しい列 {CODE} （列なし） 405221" in shown and f"新しい列 {TOWN} （列なし） 大木町" in shown
    assert "<ins>405221</ins>" in page, "beside the file as sent"
    assert f"「{CODE}」の列がありません" not in shown
    assert staff.publish(draft).status_code == 303
    dataset = town.visitor().result("package_search", q="AED")["results"][0]
    row = town.visitor().get(f"/opendata/data/{dataset['resources'][0]['id']}.json").json()["rows"][0]
    assert (str(row[CODE]), row[PREFECTURE], row[TOWN]) == ("405221", "福岡県", "大木町")


def test_a_clerk_who_does_not_want_it_publishes_the_file_as_sent(town: Town):
    staff = town.staff()
    draft = staff.send(AED)
    assert fields(staff.get(draft).text, f"{draft}/publish")["use"] == "repaired"
    assert staff.publish(draft, use="original").status_code == 303
    file = town.visitor().result("package_search", q="AED")["results"][0]["resources"][0]["id"]
    assert CODE not in town.visitor().get(f"/opendata/data/{file}.json").json()["rows"][0]


def test_of_a_workbook_with_an_empty_column_between(town: Town):
    """Places of the columns are those of the file; new ones follow the last."""
    content = messy.CSV.decode("cp932").replace(",設置場所", ",,設置場所", 1).replace(",１階", ",,１階").encode("cp932")
    draft = town.staff().send(content)
    assert town.staff().get(draft).status_code == 200
    text = town.staff().get(f"{draft}/repaired.csv").text.lstrip("\ufeff")
    assert [row[TOWN] for row in csv.DictReader(io.StringIO(text))] == ["大木町"] * 4
