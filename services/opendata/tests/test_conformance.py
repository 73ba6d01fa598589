"""How well a table follows the standard data sets: the kind is told by its columns, and each shortfall says where and what it costs."""

from pathlib import Path

import pytest

from services.opendata.domain.conformance import assess
from services.opendata.domain.recognising import recognise
from services.opendata.domain.repair import plan, repair
from services.opendata.domain.standards import definitions, kinds
from services.opendata.domain.table import Table
from services.opendata.reading import read

DATA = Path(__file__).parent / "data"
AED = next(one for one in definitions() if one.kind.number == "08")


def filled(definition, **cells: str) -> Table:
    """A table of one row that has every column of `definition`, right but for `cells`."""
    example = {"number": "1", "date": "2025-04-01", "time": "09:00", "uri": "https://www.example.lg.jp/", "text": "あ"}
    special = {
        "緯度": "33.2",
        "経度": "130.3",
        "電話番号": "0944-87-2101",
        "名称_カナ": "ア",
        "FAX番号": "0944-87-2101",
    }
    row = [
        cells.get(
            c.name,
            special.get(c.name, c.choices[0] if c.choices else "402036" if "コード" in c.name else example[c.type]),
        )
        for c in definition.columns
    ]
    return Table.of([c.name for c in definition.columns], [row])


@pytest.mark.parametrize("definition", definitions(), ids=lambda one: f"{one.kind.number}-{one.edition}")
def test_every_standard_header_is_recognised_as_itself(definition):
    first = recognise([column.name for column in definition.columns])[0]
    assert (first.definition.kind, first.certainty) == (definition.kind, 1.0)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("kasuga_public_toilet.csv", "公衆トイレ一覧"),
        ("akishima_population.csv", "地域・年齢別人口"),
        ("minamisatsuma_fire_water.csv", "消防水利施設一覧"),
    ],
)
def test_real_municipal_files_are_recognised_and_score_high(file, kind):
    table = read(DATA / file).tables[0]
    found = recognise(table.columns)[0].definition
    assert found.kind.name == kind
    assert assess(repair(plan(table, found)).table, found).score >= 85


@pytest.mark.parametrize(
    "columns", [("品目", "数量", "単価"), ("年度", "歳入", "歳出"), ("名称", "住所"), ("a", "b", "c", "d")]
)
def test_tables_of_no_kind_are_not_claimed(columns):
    assert recognise(columns) == ()


def test_towns_own_names_for_columns_are_enough_to_tell_the_kind():
    found = recognise(("番号", "施設名", "所在地", "設置場所", "lat", "lng", "TEL", "小児対応"), "AED一覧.csv")
    assert found[0].definition.kind.name == "AED設置箇所一覧"


def test_a_faultless_table_has_a_hundred_points():
    result = assess(filled(AED), AED)
    assert (result.score, result.shortfalls) == (100, ())


@pytest.mark.parametrize(
    ("column", "value", "aspect"),
    [
        ("名称", "", "required"),
        ("開始時間", "9時", "type"),
        ("緯度", "133.2", "type"),
        ("電話番号", "（0944）87-2101", "type"),
        ("都道府県コード又は市区町村コード", "40203", "type"),
        ("小児対応設備の有無", "○", "choice"),
        ("URL", "www.example.jp", "type"),
    ],
)
def test_each_fault_is_named_and_costs_points(column, value, aspect):
    result = assess(filled(AED, **{column: value}), AED)
    assert [(one.aspect, one.column, one.count, one.first_row) for one in result.shortfalls] == [(aspect, column, 1, 2)]
    assert result.score < 100
    assert result.score == int(100 - result.shortfalls[0].lost)


def test_a_missing_required_column_costs_most():
    whole = filled(AED)
    without = {name: assess(_without(whole, name), AED).score for name in ("名称", "備考")}
    assert without["名称"] < without["備考"] < 100


def _without(table: Table, name: str) -> Table:
    at = table.columns.index(name)
    rows = [[cell for i, cell in enumerate(row.cells) if i != at] for row in table.rows()]
    return Table.of([c for c in table.columns if c != name], rows)


def test_columns_of_its_own_cost_a_town_nothing():
    table = filled(AED)
    wider = Table.of((*table.columns, "独自の項目"), [(*row.cells, "x") for row in table.rows()])
    assert assess(wider, AED).score == 100


def test_half_of_the_rows_wrong_cost_half_of_the_column():
    good, bad = next(filled(AED).rows()).cells, next(filled(AED, 名称="").rows()).cells
    half = assess(Table.of(filled(AED).columns, [good, bad]), AED).shortfalls[0].lost
    whole = assess(Table.of(filled(AED).columns, [bad, bad]), AED).shortfalls[0].lost
    assert half == pytest.approx(whole / 2)


def test_an_empty_table_has_no_points():
    assert assess(Table.of(filled(AED).columns, []), AED).score == 0


def test_mending_never_lowers_the_score():
    messy = Table.of(
        ("施設名", "フリガナ", "所在地", "設置場所", "緯度", "経度", "小児対応"),
        [("市役所", "ｼﾔｸｼｮ", "酒見", "玄関", "130.38", "33.2", "○")],
    )
    assert assess(messy, AED).score < assess(repair(plan(messy, AED)).table, AED).score


def test_all_kinds_of_the_standard_are_known_by_number():
    assert len(kinds()) == 27
    assert {one.kind.number for one in definitions()} >= {"01", "03", "08", "13", "14", "28"}


def test_a_list_of_names_and_places_is_of_no_kind_unless_its_title_says_so():
    columns = ("名称", "住所", "電話番号", "緯度", "経度")
    assert recognise(columns) == ()
    assert recognise(columns, "R7公共施設一覧")[0].definition.kind.name == "公共施設一覧"
    assert recognise((*columns, "SSID"))[0].definition.kind.name == "公衆無線LANアクセスポイント一覧"


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("久留米市ＡＥＤ設置場所一覧", "AED設置箇所一覧"),
        ("避難所一覧（令和8年4月）", "指定緊急避難場所一覧"),
        ("公衆便所", "公衆トイレ一覧"),
        ("施設の一覧", None),
    ],
)
def test_a_short_list_is_known_by_what_a_town_hall_calls_it(title: str, kind: str | None):
    """Columns that many kinds have, as in a list that somebody keeps for the office."""
    found = recognise(("番号", "名称", "住所", "緯度", "経度", "電話番号"), title)
    assert (found[0].definition.kind.name if found else None) == kind
