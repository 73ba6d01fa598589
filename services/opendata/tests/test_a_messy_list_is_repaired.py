"""What towns really keep: titles, merged cells, names in two rows, 〃, sums below; what only a person knows is written on the page."""

import csv
import io
import re

from services.opendata.tests import messy
from services.opendata.tests.people import Town, fields, visible


def repaired(town: Town, draft: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(town.staff().get(f"{draft}/repaired.csv").text.lstrip("\ufeff"))))


def test_a_workbook_with_names_in_two_rows_is_on_the_map(town: Town):
    draft = town.staff().send(messy.workbook(), "AED.xlsx")
    rows = repaired(town, draft)
    assert [(row["名称"], row["緯度"], row["経度"]) for row in rows] == [
        ("大木町役場", "33.2101", "130.4398"),
        ("図書・情報センター", "33.2115", "130.4412"),
        ("大溝小学校", "33.2209", "130.4336"),
        ("木佐木小学校", "33.2005", "130.4202"),
        ("大莞小学校", "33.20833333", "130.41944444"),
    ], "one row for each AED: the sum is none"
    assert [row["区分"] for row in rows] == ["公共施設", "公共施設", "学校", "学校", "学校"]
    assert [row["備考"] for row in rows][1] == "令和元年５月１日更新", "〃 is what stands above"
    assert [row["備考"] for row in rows][4] == "緯度経度が逆", "同上, too"
    page = town.staff().publish(draft)
    assert page.status_code == 303
    [dataset] = town.visitor().result("package_search", q="AED")["results"]
    file = dataset["resources"][0]["id"]
    table = town.visitor().get(f"/opendata/datasets/{dataset['name']}/resources/{file}").text
    assert table.count("<circle") == 5


def test_degrees_are_found_under_a_groups_name_also_where_no_standard_fits(town: Town):
    content = "観測井,位置_緯度（世界測地系）,位置_経度（世界測地系）\r\nA,33.21,130.44\r\nB,33.22,130.45\r\n".encode()
    dataset = town.publish(content, "観測井.csv")
    file = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    table = town.visitor().get(f"/opendata/datasets/{town.name_of(dataset)}/resources/{file}").text
    assert table.count("<circle") == 2


def test_another_persons_telephone_is_not_the_facilitys(town: Town):
    content = messy.CSV.decode("cp932").replace("電話番号", "管理者_電話番号").encode("cp932")
    assert "電話番号" not in repaired(town, town.staff().send(content))[0]


def test_sums_stay_where_rows_are_not_places(town: Town):
    content = "町丁,男,女\r\n大溝,10,12\r\n木佐木,20,21\r\n計,３０,33\r\n".encode("cp932")
    assert [row["町丁"] for row in repaired(town, town.staff().send(content, "人口.csv"))] == ["大溝", "木佐木", "計"]


GROUPED = "年度,区分,件数\r\n令和4年度,建物,12\r\n,林野,3\r\n,小計,15\r\n令和5年度,建物,9\r\n,林野,0\r\n"


def test_a_group_written_once_stands_in_all_its_rows(town: Town):
    draft = town.staff().send(GROUPED.encode("cp932"), "火災.csv")
    assert [row["年度"] for row in repaired(town, draft)] == ["令和4年度"] * 2 + [""] + ["令和5年度"] * 2
    text = visible(town.staff().get(draft).text)
    assert "すべての行に同じ値を入れます" in text
    assert "L2-02" not in text, "nothing is left out any more"


def test_a_repair_that_cannot_mend_a_row_does_not_say_so(town: Town):
    content = "年齢,総数,男,女\r\n0～4歳,1234,600,634\r\n5～9歳,1,350,670,680\r\n10～14歳,1400,700,700\r\n".encode(
        "cp932"
    )
    text = visible(town.staff().get(town.staff().send(content, "03_年齢別人口.csv")).text)
    assert "L1-14" in text, "680 fell out of its row, and is not in the repaired table either"
    assert "レベル1 0点" in text


def test_what_only_sorts_files_is_no_part_of_the_title(town: Town):
    draft = town.staff().send(GROUPED.encode("cp932"), "03_火災.csv")
    assert fields(town.staff().get(draft).text, f"{draft}/publish")["title"] == "火災"
    draft = town.staff().send(GROUPED.encode("cp932"), "2024_火災.csv")
    assert fields(town.staff().get(draft).text, f"{draft}/publish")["title"] == "2024 火災"


def test_a_unit_written_above_the_table_is_known(town: Town):
    content = "（単位：人）,,\r\n地区,平成27年,平成28年\r\n東,10,12\r\n西,20,21\r\n"
    assert "L3-04" not in visible(town.staff().get(town.staff().send(content.encode("cp932"), "人口.csv")).text)
    bare = content.partition("\r\n")[2]
    assert "L3-04" in visible(town.staff().get(town.staff().send(bare.encode("cp932"), "人口.csv")).text)


def test_what_stood_around_the_table_goes_into_its_description(town: Town):
    draft = town.staff().send(messy.CSV)
    notes = fields(town.staff().get(draft).text, f"{draft}/publish")["notes"]
    assert notes.splitlines()[1:] == [messy.TITLE, messy.DAY, messy.NOTE]


def test_what_is_said_of_many_cells_is_said_once(town: Town):
    text = visible(town.staff().get(town.staff().send(messy.workbook(), "AED.xlsx")).text)
    assert text.count("結合されたセルです") == 1 and "A1、I2、A3、B3、C3、ほか9か所" in text
    assert text.count("必須の項目「名称_カナ」") == 1, "a missing column is not told a second time as empty"


def test_the_repaired_table_is_judged_as_the_file_it_becomes(town: Town):
    text = visible(town.staff().get(town.staff().send(messy.workbook(), "AED.xlsx")).text)
    assert "L3-01" not in text and "L2-02" not in text


def write(town: Town, draft: str, **cells: str) -> str:
    """Write the page's fields of these cells, the others as they stand there; the page afterwards."""
    page = town.staff().get(draft).text
    form = re.search(rf'<form[^>]*action="{draft}/cells".*?</form>', page, re.DOTALL)
    assert form
    places = re.findall(r'name="place" value="(\w+)"', form.group())
    values = re.findall(r'id="cell-(\w+)" name="value"[^>]*value="([^"]*)"', form.group())
    assert [place for place, _ in values] == places and cells.keys() <= set(places)
    sent = {"place": places, "value": [cells.get(place, value) for place, value in values]}
    answer = town.staff().post(f"{draft}/cells", sent)
    assert answer.status_code == 303, answer.text
    return town.staff().get(draft).text


def test_a_clerk_writes_a_wrong_cell_anew_without_the_file(town: Town):
    draft = town.staff().send(messy.CSV)
    assert repaired(town, draft)[2]["設置年月日"] == "2019/2/30"
    text = visible(write(town, draft, J6="平成31年2月28日"))
    assert "暦にない日" not in text and "J6 設置年月日 2019/2/30 平成31年2月28日" in text
    assert repaired(town, draft)[2]["設置年月日"] == "2019-02-28", "what is written is mended as a cell of the file is"
    kept = town.staff().post(f"{draft}/kind", {"kind": "13"})
    assert kept.status_code == 303 and repaired(town, draft)[2]["設置年月日"] == "2019-02-28", (
        "however often it is read"
    )
    assert town.staff().publish(draft).status_code == 303


def test_a_cell_left_empty_or_not_of_the_table_changes_nothing(town: Town):
    draft = town.staff().send(messy.CSV)
    before = repaired(town, draft)
    write(town, draft, J6="")
    for place in ("ZZ9", "A999999", "J0", "6J", "'; --", "Ａ４"):
        assert town.staff().post(f"{draft}/cells", {"place": [place], "value": ["x"]}).status_code == 303
    assert repaired(town, draft) == before


def test_a_formula_written_into_a_cell_is_neutral_in_the_file(town: Town):
    draft = town.staff().send(messy.CSV)
    write(town, draft, J6="=HYPERLINK(1)")
    assert "'=HYPERLINK(1)" in town.staff().get(f"{draft}/repaired.csv").text


def test_as_many_cells_as_a_file_may_be_wrong_in_are_refused_together(town: Town):
    draft = town.staff().send(messy.CSV)
    first, more = (
        {"place": [f"A{row}" for row in rows], "value": ["1"] * len(rows)} for rows in (range(1, 301), range(301, 602))
    )
    assert town.staff().post(f"{draft}/cells", first).status_code == 303
    assert town.staff().post(f"{draft}/cells", more).status_code == 422
    assert town.staff().get(draft).status_code == 200
