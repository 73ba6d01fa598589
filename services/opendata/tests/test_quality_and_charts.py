"""Quality anybody can check, every sheet of a workbook, charts without programming, rows as Parquet and by SQL."""

import io
from datetime import timedelta

import openpyxl
import pyarrow.parquet
import pytest

from services.opendata.domain.gathering import frequency_of, license_of
from services.opendata.tests.people import AED, Town, fields, visible

pytestmark = pytest.mark.any_store

PEOPLE = "町名,人口（人）,調査日\r\n八町,120,2026-01-01\r\n大溝,300,2026-02-01\r\n八町,130,2026-03-01\r\n".encode()


def test_the_page_says_how_good_the_data_is_and_when_its_promise_breaks(town: Town, neighbour: Town):
    name = town.name_of(town.publish(AED, frequency="MONTHLY"))
    page = visible(town.visitor().get(f"/opendata/datasets/{name}").text)
    assert "3（5つのうち）" in page and "守られています" in page and "機械判読性" in page
    town.service.clock.advance(seconds=timedelta(days=40).total_seconds())
    assert "日おくれています" in visible(town.visitor().get(f"/opendata/datasets/{name}").text)
    table = visible(town.visitor().get("/opendata/quality").text)
    assert "大木町" in table and "0 / 1" in table and "久留米市" in table, "municipalities without data are there, too"
    lines = town.visitor().get("/opendata/quality.csv").text.splitlines()
    assert lines[1].split(",")[1:4] == ["大木町", "1", "3.0"]


def test_a_messy_file_reads_worse_by_the_governments_rules_than_its_repaired_form(town: Town):
    staff = town.staff()
    draft = staff.send(AED)
    page = visible(staff.get(draft).text)
    assert (
        "機械判読性（国のルール）" in page
        and "送ったままでは" in page
        and "L1-04" not in page.split("機械判読性のルール")[0]
    )


def workbook() -> bytes:
    book = openpyxl.Workbook()
    for number, (title, rows) in enumerate(
        {"人口": [("町名", "人口"), ("八町", 120)], "世帯": [("町名", "世帯"), ("大溝", 55)]}.items()
    ):
        sheet = book.active if number == 0 else book.create_sheet()
        assert sheet is not None
        sheet.title = title
        for row in rows:
            sheet.append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def test_every_sheet_of_a_workbook_can_be_published(town: Town):
    staff = town.staff()
    draft = staff.send(workbook(), "tokei.xlsx")
    assert "シート「人口」だけを公開します" in visible(staff.get(draft).text)
    assert staff.post(f"{draft}/sheets").status_code == 303
    staff.post(f"{draft}/sheets")
    with town.service.database.reading(tenant=town.code) as session:
        from services.opendata.db import datasets

        found = {row.report["sheet"]: row.id for row in datasets.drafts(session)}
    assert set(found) == {"人口", "世帯"}, "once each"
    staff.publish(f"/t/{town.code}/opendata/desk/drafts/{found['世帯']}", title="世帯数")
    package = town.visitor().result("package_search", q="世帯数")["results"][0]
    rows = town.visitor().result("datastore_search", resource_id=package["resources"][0]["id"])["records"]
    assert [(row["町名"], row["世帯"]) for row in rows] == [("大溝", 55)]


def test_a_second_table_below_the_first_can_be_published_by_itself(town: Town):
    staff = town.staff()
    draft = staff.send("町名,人口\n八町,120\n大溝,80\n\n■世帯,\n町名,世帯\n八町,55\n".encode("cp932"), "tokei.csv")
    page = visible(staff.get(draft).text)
    assert "送ったまま公開する" not in page
    assert "最初の表だけを公開します" in page and "5行目からの表" in page and "1つのファイルに1つの表" in page
    assert staff.post(f"{draft}/sheets").status_code == 303
    with town.service.database.reading(tenant=town.code) as session:
        from services.opendata.db import datasets

        second = next(row.id for row in datasets.drafts(session) if row.report["sheet"] == "5行目からの表")
    staff.publish(f"/t/{town.code}/opendata/desk/drafts/{second}", title="世帯数")
    package = town.visitor().result("package_search", q="世帯数")["results"][0]
    rows = town.visitor().result("datastore_search", resource_id=package["resources"][0]["id"])["records"]
    assert [(row["町名"], row["世帯"]) for row in rows] == [("八町", 55)]


def test_a_chart_is_made_by_choosing_and_its_address_is_the_chart(town: Town):
    name = town.name_of(town.publish(PEOPLE, "jinko.csv", title="人口"))
    resource = town.visitor().result("package_show", id=name)["resources"][0]["id"]
    here = f"/opendata/datasets/{name}/resources/{resource}/chart"
    plain = town.visitor().get(here)
    assert plain.status_code == 200 and "<svg" in plain.text, "something is drawn before anything is chosen"
    asked = {"x": "町名", "y": "人口（人）", "how": "sum", "kind": "bar"}
    page = visible(town.visitor().get(here, params=asked).text)
    assert "大溝" in page and "250" in page and "kind=bar" in page
    line = town.visitor().get(here, params={"x": "調査日", "y": "人口（人）", "how": "max", "kind": "line"})
    assert "2026-01-01から2026-03-01まで" in line.text
    for odd in (
        {"x": "ない列"},
        {"how": "drop"},
        {"x": "町名", "kind": "pie"},
        {"c0": "町名", "v0": "八町", "o0": "eq"},
    ):
        assert town.visitor().get(here, params=odd).status_code == 200, odd
    assert town.visitor().get(f"/opendata/datasets/{name}/resources/{resource}").text.count("/chart") >= 1


def test_rows_as_parquet_and_by_sql(town: Town):
    name = town.name_of(town.publish(PEOPLE, "jinko.csv", title="人口"))
    resource = town.visitor().result("package_show", id=name)["resources"][0]["id"]
    answer = town.visitor().get(f"/opendata/data/{resource}.parquet?町名=八町")
    table = pyarrow.parquet.read_table(io.BytesIO(answer.content))
    assert (
        table.column("人口（人）").to_pylist() == [120, 130] and str(table.schema.field("人口（人）").type) == "int64"
    )
    sql = f'SELECT "町名", sum("人口（人）") AS 計 FROM "{resource}" GROUP BY 1 ORDER BY 2'
    found = town.visitor().get("/opendata/data/sql", params={"q": sql}, page=False).json()
    assert found["rows"] == [{"町名": "八町", "計": 250}, {"町名": "大溝", "計": 300}]
    assert town.visitor().get("/opendata/data/sql", params={"q": "DELETE FROM x"}, page=False).status_code in (403, 422)


def test_words_of_other_catalogues_are_understood():
    assert [license_of(text) for text in ("CC-BY-4.0", "クリエイティブ・コモンズ 表示 4.0", "CC0", "cc-by-nc", "PDL1.0")] == [
        "cc-by", "cc-by", "cc-zero", "cc-by-nc", "pdl-1.0",
    ]  # fmt: skip
    assert [frequency_of(text) for text in ("毎月", "http://x/frequency/ANNUAL", "年1回", "", "未定")] == [
        "MONTHLY", "ANNUAL", "ANNUAL", "", "IRREG",
    ]  # fmt: skip


def test_a_chart_keeps_the_conditions_of_the_table_it_came_from(town: Town):
    name = town.name_of(town.publish(PEOPLE, "jinko.csv", title="人口"))
    resource = town.visitor().result("package_show", id=name)["resources"][0]["id"]
    table = f"/opendata/datasets/{name}/resources/{resource}"
    asked = {"c0": "町名", "o0": "eq", "v0": "八町", "x": "町名", "y": "人口（人）", "how": "sum", "kind": "bar"}
    page = town.visitor().get(f"{table}/chart", params=asked)
    assert "大溝" not in visible(page.text) and "条件に合う行だけを描いています" in page.text
    assert fields(page.text, f"{table}/chart")["v0"] == "八町", "choosing other columns keeps them"
    assert "v0=%E5%85%AB%E7%94%BA" in visible(page.text), "so does the chart's address"


def test_a_number_s_column_compared_with_words_says_so(town: Town):
    name = town.name_of(town.publish(PEOPLE, "jinko.csv", title="人口"))
    resource = town.visitor().result("package_show", id=name)["resources"][0]["id"]
    table = f"/opendata/datasets/{name}/resources/{resource}"
    wrong = visible(town.visitor().get(table, params={"c0": "人口（人）", "o0": "gte", "v0": "たくさん"}).text)
    assert "「たくさん」は数として読めません" in wrong
    none = visible(town.visitor().get(table, params={"c0": "人口（人）", "o0": "gte", "v0": "99999999"}).text)
    assert "当てはまる行はありません" in none and "数として読めません" not in none
