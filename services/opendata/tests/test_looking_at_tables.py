"""Looking at tables, and asking for their rows: pages in any order, words as people write them, numbers that stay numbers, charts."""

import csv
import io
import json
import re

import pyarrow.parquet
import pytest

from services.opendata.tests.people import Town, visible


@pytest.fixture
def publish(town: Town):
    """Publish a CSV as it is; (the data set's name, its file's id)."""

    def made(text: str) -> tuple[str, str]:
        dataset = town.publish(text.encode(), "t.csv", title="ためしの表", use="original")
        told = town.visitor().result("package_show", id=dataset)
        return told["name"], told["resources"][0]["id"]

    return made


def _following(town: Town, address: str) -> list[dict]:
    """All rows, page by page."""
    found, following = [], address
    while following:
        told = town.visitor().get(following).json()
        found += told["rows"]
        following = told["next"] and told["next"].removeprefix("http://127.0.0.1:8080")
    return found


@pytest.mark.parametrize("sort", ["人数", "-人数", "町,-人数", "-町,人数", "-_id", "日"])
def test_every_row_is_met_once_in_any_order_with_ties_and_empty_cells(town: Town, publish, sort: str):
    lines = [
        f"町{n % 3},{'' if n % 5 == 0 else n % 4},{'' if n % 7 else f'2026-01-{n % 9 + 1:02d}'}" for n in range(60)
    ]
    _, resource = publish("町,人数,日\n" + "\n".join(lines) + "\n")
    address = f"/opendata/data/{resource}.json?sort={sort}"
    at_once = town.visitor().get(f"{address}&limit=1000").json()["rows"]
    assert _following(town, f"{address}&limit=7") == at_once and len(at_once) == 60


def test_a_place_that_is_gone_is_said_to_be_gone(town: Town, publish):
    _, resource = publish("町,人数\n甲,1\n乙,2\n")
    gone = town.visitor().get(f"/opendata/data/{resource}.json?sort=人数&cursor=YWZ0ZXI6OTk", page=False)
    assert (gone.status_code, gone.json()["code"]) == (422, "bad-cursor")


@pytest.mark.parametrize("word", ["ＡＥＤ", "AED", "aed", "ａｅｄ"])
def test_a_word_is_found_in_whichever_width_and_case_it_stands(town: Town, publish, word: str):
    _, resource = publish("品名,数\nＡＥＤ本体,1\nAEDの箱,2\naed,3\nほか,4\n")
    told = town.visitor().get(f"/opendata/data/{resource}.json", params={"q": word, "sort": "数"}).json()
    assert [row["数"] for row in told["rows"]] == [1, 2, 3]


def test_kana_wildcards_and_numbers_are_found_as_words(town: Town, publish):
    _, resource = publish("品名,数\nさくら,10\nサクラ,25\n100%,7\nＥ_１,8\n")
    visitor = town.visitor()
    for word, numbers in {
        "サクラ": [10, 25],
        "さくら": [10, 25],
        "%": [7],
        "_": [8],
        "25": [25],
        "０": [10, 7],
    }.items():
        found = visitor.get(f"/opendata/data/{resource}.json", params={"q": word, "columns": "数"}).json()["rows"]
        assert [row["数"] for row in found] == numbers, word


def test_numbers_beyond_all_numbers_and_names_of_houses_stay_what_was_written(town: Town, publish):
    name, resource = publish("棟,値,割合\n3E5,1e999,1.5E+03\n1E1,2,2\n")
    visitor = town.visitor()
    answer = visitor.get(f"/opendata/data/{resource}.json")
    assert answer.json()["rows"][0] == {"_id": 1, "棟": "3E5", "値": "1e999", "割合": 1500}
    page = visitor.get(f"/opendata/datasets/{name}/resources/{resource}/chart?x=棟&y=割合&how=sum&kind=line")
    assert page.status_code == 200 and "inf" not in page.text


def test_sums_are_of_numbers_and_say_when_they_are_too_large(town: Town, publish):
    _, resource = publish("町,人数\n" + "".join(f"町{n},999999999999999999\n" for n in range(12)))
    for query, code in {"sum=町": "bad-aggregate", "avg=町": "bad-aggregate", "sum=人数": "bad-aggregate"}.items():
        answer = town.visitor().get(f"/opendata/data/{resource}/count?{query}", page=False)
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert town.visitor().get(f"/opendata/data/{resource}/count?max=町").json()["rows"] == [
        {"count": 12, "max(町)": "町9"}
    ]


@pytest.mark.parametrize("query", ["_id__lt=abc", "_id=x", "_id__in=1,x"])
def test_a_row_s_number_is_a_number(town: Town, publish, query: str):
    _, resource = publish("町,人数\n甲,1\n")
    assert town.visitor().get(f"/opendata/data/{resource}.json?{query}", page=False).status_code == 422
    asked = town.visitor().act("datastore_search", resource_id=resource, filters={"_id": "abc"})
    assert asked.status_code < 500, asked.text


def test_a_page_that_is_not_there_shows_the_last_one(town: Town, publish):
    name, resource = publish("町,人数\n" + "".join(f"町{n},{n}\n" for n in range(120)))
    table = f"/opendata/datasets/{name}/resources/{resource}"
    for page in ("999", "9" * 9, "9" * 5000):
        answer = town.visitor().get(f"{table}?page={page}")
        assert answer.status_code == 200 and "当てはまる行はありません" not in answer.text
        assert ("101～120行" in answer.text) == (len(page) <= 9), "what is no number is the first page"


def test_every_format_tells_the_same_cells(town: Town):
    machine = town.machine()
    dataset = machine.result("package_create", name="formats", title="形")
    fields = {
        "町": "text",
        "有": "bool",
        "値": "numeric",
        "時": "timestamp",
        "書": "json",
        "数": "int8",
        "率": "float8",
    }
    record = {
        "町": '「"甲,乙"」',
        "有": True,
        "値": 35,
        "時": "2026-01-01T10:00:00",
        "書": {"x": [1]},
        "数": 2**53 + 1,
        "率": 1.5,
    }
    machine.result(
        "datastore_create", resource={"package_id": dataset["id"]}, fields=[{"id": n, "type": t} for n, t in fields.items()],
        records=[record, {"町": "乙"}],
    )  # fmt: skip
    resource = machine.result("package_show", id="formats")["resources"][0]["id"]
    visitor = town.visitor()
    rows = visitor.get(f"/opendata/data/{resource}.json").json()["rows"]
    features = visitor.get(f"/opendata/data/{resource}.geojson").json()["features"]
    [written, _] = csv.DictReader(
        io.StringIO(visitor.get(f"/opendata/data/{resource}.csv").content.decode("utf-8-sig"))
    )
    table = pyarrow.parquet.read_table(
        io.BytesIO(visitor.get(f"/opendata/data/{resource}.parquet").content)
    ).to_pylist()
    assert rows == [{"_id": 1, **record}, {"_id": 2, **dict.fromkeys(fields), "町": "乙"}]
    assert [feature["properties"] for feature in features] == [record, {**dict.fromkeys(fields), "町": "乙"}]
    assert table[0] == {"_id": 1, **record, "書": json.dumps(record["書"])} and table[1] == rows[1]
    assert written == {name: str(value) for name, value in record.items()} | {"有": "TRUE", "書": '{"x": [1]}'}
    counted = visitor.get(f"/opendata/data/{resource}/count?group=有").json()["rows"]
    assert counted == [{"有": None, "count": 1}, {"有": True, "count": 1}]
    assert visitor.get(f"/opendata/data/{resource}.json?有=TRUE").json()["total"] == 1, (
        "a filter takes what a file tells"
    )


def test_programs_columns_of_numbers_have_a_mean_and_it_can_be_read(town: Town):
    machine = town.machine()
    dataset = machine.result("package_create", name="means", title="平均")
    machine.result(
        "datastore_create", resource={"package_id": dataset["id"]}, fields=[{"id": "人口", "type": "float8"}],
        records=[{"人口": 12340.0}, {"人口": 12351.5}],
    )  # fmt: skip
    resource = machine.result("package_show", id="means")["resources"][0]["id"]
    assert town.visitor().get(f"/opendata/data/{resource}/columns?column=人口").json()["columns"][0]["mean"] == 12345.75
    page = visible(town.visitor().get(f"/opendata/datasets/means/resources/{resource}?column=人口").text)
    assert "平均 12,345.8" in page and "e+" not in page


def test_a_line_of_five_years_is_drawn_to_its_end(town: Town, publish):
    days = [f"{1990 + n // 336}-{n // 28 % 12 + 1:02d}-{n % 28 + 1:02d},{n}" for n in range(1500)]
    name, resource = publish("日,値\n" + "\n".join(days) + "\n")
    page = town.visitor().get(f"/opendata/datasets/{name}/resources/{resource}/chart")
    assert "1990-01-01から1994-06-16まで" in page.text


def test_a_chart_of_many_names_says_that_it_shows_the_largest(town: Town, publish):
    name, resource = publish("施設,人数\n" + "".join(f"施設{n},{n}\n" for n in range(100)))
    chart = f"/opendata/datasets/{name}/resources/{resource}/chart?x=施設&y=人数&how=sum"
    page = visible(town.visitor().get(f"{chart}&kind=bar").text)
    assert "大きいほうから40件" in page and "施設99" in page and "施設59" not in page
    assert "大きいほうから" not in visible(town.visitor().get(f"{chart}&kind=bar&c0=人数&o0=gte&v0=70").text)


def test_a_line_along_words_never_goes_back(town: Town, publish):
    name, resource = publish("語,値\n2019,1\n2020-01-01,2\nnan,3\n計,4\n")
    page = town.visitor().get(f"/opendata/datasets/{name}/resources/{resource}/chart?x=語&y=値&how=sum&kind=line").text
    [path] = set(re.findall(r'<path class="s-1" d="(M[^"]*)"', page.split("chart--wide")[1]))
    along = [float(x) for x in re.findall(r"[ML](-?[\d.]+)", path)]
    assert along == sorted(along) and len(along) == 4


def test_two_columns_of_one_name_both_come_from_sql(town: Town, publish):
    _, resource = publish("町,人数\n甲,1\n")
    asked = f'SELECT a."町", b."人数" AS "町", 3 AS "町" FROM "{resource}" a JOIN "{resource}" b ON a._id = b._id'
    told = town.visitor().get("/opendata/data/sql", params={"q": asked}).json()
    assert told["columns"] == ["町", "町:1", "町:2"] and told["rows"] == [{"町": "甲", "町:1": 1, "町:2": 3}]


def test_a_deep_page_in_an_order_is_read_by_an_index_the_second_time(town: Town, publish):
    _, resource = publish("施設,人数\n" + "".join(f"施設{n:05d},{n * 7919 % 9000}\n" for n in range(9000)))
    row = town.visitor().result("datastore_search", resource_id=resource, sort="人数 desc", offset=6000, limit=3)
    assert [each["人数"] for each in row["records"]] == [2999, 2998, 2997]
    tables = town.service.extras["tables"]
    tables.indexer.wait()
    assert list(tables._folder.glob("*.indexed.sqlite")), "made in the background"
    again = town.visitor().result("datastore_search", resource_id=resource, sort="人数 desc", offset=6000, limit=3)
    assert again["records"] == row["records"]
