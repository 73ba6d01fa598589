"""Rows over plain HTTP: filters, order, columns, pages by cursor, every format, 304; nothing but the table can be reached."""

import csv
import html
import io
import re

import pytest

from services.opendata.tests.people import Town

ROWS = 250
NUMBERS = "番号,町名,人数,コード\n" + "".join(
    f"{n},{'大木' if n % 2 else '大溝'},{n * 3},{n:05d}\n" for n in range(1, ROWS + 1)
)


@pytest.fixture
def address(town: Town) -> str:
    """A table of 250 rows."""
    dataset = town.publish(NUMBERS.encode(), "numbers.csv", title="数の表")
    return "/opendata/data/" + town.visitor().result("package_show", id=dataset)["resources"][0]["id"]


def test_filters_columns_and_order(town: Town, address: str):
    visitor = town.visitor()
    told = visitor.get(f"{address}.json?町名=大木&人数__gte=600&columns=番号,人数&sort=-人数&limit=2").json()
    assert told["total"] == 25
    assert told["rows"] == [{"_id": 249, "番号": 249, "人数": 747}, {"_id": 247, "番号": 247, "人数": 741}]
    assert visitor.get(f"{address}.json?番号__in=3,5,7&limit=10").json()["total"] == 3
    assert visitor.get(f"{address}.json?コード=00007").json()["rows"][0]["番号"] == 7, "leading zeros are kept"
    assert visitor.get(f"{address}.json?町名__contains=溝&q=大溝").json()["total"] == 125


def test_following_next_meets_every_row_once(town: Town, address: str):
    visitor, seen = town.visitor(), []
    following = f"{address}.json?limit=60&町名=大溝"
    while following:
        told = visitor.get(following).json()
        seen += [row["番号"] for row in told["rows"]]
        following = told["next"] and told["next"].removeprefix("http://127.0.0.1:8080")
    assert seen == list(range(2, ROWS + 1, 2))


def test_csv_is_the_whole_table_and_opens_in_a_spreadsheet(town: Town, address: str):
    answer = town.visitor().get(f"{address}.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert len(rows) == ROWS and rows[6] == {"番号": "7", "町名": "大木", "人数": "21", "コード": "00007"}


def test_what_would_be_a_formula_is_made_harmless(town: Town):
    dataset = town.publish("品名,式\n甲,=1+1\n乙,@SUM(A1)\n".encode(), "f.csv", title="式の表", use="original")
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    text = town.visitor().get(f"/opendata/data/{resource}.csv").text
    assert "'=1+1" in text and "'@SUM" in text


def test_nothing_is_sent_again_while_the_version_stays(town: Town, address: str):
    visitor = town.visitor()
    etag = visitor.get(f"{address}.json").headers["etag"]
    again = visitor.get(f"{address}.json", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    for marks in (f"W/{etag}", f'"older", W/{etag}', "*"):
        assert visitor.get(f"{address}.json", headers={"If-None-Match": marks}).status_code == 304, marks
    assert visitor.get(f"{address}.json", headers={"If-None-Match": '"older"'}).status_code == 200


def test_a_map_of_a_few_columns_keeps_its_places(town: Town):
    resource = town.visitor().result("package_show", id=town.publish())["resources"][0]["id"]
    told = town.visitor().get(f"/opendata/data/{resource}.geojson?columns=名称").json()
    assert told["features"][0]["geometry"] == {"type": "Point", "coordinates": [130.4398, 33.2101]}
    assert told["features"][0]["properties"] == {"名称": "大木町役場"} and told["features"][0]["id"] == 1


@pytest.mark.parametrize("query", ["人数__lte=百", "人数__lt=３", "番号__in=1,x", "人数__ne=many", "人数__gte="])
@pytest.mark.parametrize("form", [".json", ".csv", "/count"])
def test_a_number_mistyped_finds_nothing_rather_than_all_rows(town: Town, address: str, query: str, form: str):
    answer = town.visitor().get(f"{address}{form}?{query}", page=False)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-value"), answer.text[:200]


def test_all_groups_are_counted_and_where_there_are_more_it_is_said(town: Town, address: str):
    told = town.visitor().get(f"{address}/count?group=番号").json()
    assert (len(told["rows"]), told["truncated"]) == (ROWS, False)
    told = town.visitor().get(f"{address}/count?group=番号&limit=100").json()
    assert (len(told["rows"]), told["truncated"]) == (100, True)


@pytest.mark.parametrize(
    "query", ["limit=" + "9" * 30, "limit=" + "9" * 5000, "cursor=YWZ0ZXI6LTU", "cursor=YWZ0ZXI6" + "OTk5" * 50]
)
@pytest.mark.parametrize("form", [".json", ".csv"])
def test_numbers_without_end_are_refused_before_anything_is_sent(town: Town, address: str, query: str, form: str):
    assert town.visitor().get(f"{address}{form}?{query}").status_code == 422


def test_places_become_geojson(town: Town):
    dataset = town.publish()
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    told = town.visitor().get(f"/opendata/data/{resource}.geojson").json()
    assert told["features"][0]["geometry"] == {"type": "Point", "coordinates": [130.4398, 33.2101]}


def test_numbers_of_rows_by_value(town: Town, address: str):
    told = town.visitor().get(f"{address}/count?group=町名&sum=人数").json()
    assert told["rows"] == [
        {"町名": "大木", "count": 125, "sum(人数)": 46875}, {"町名": "大溝", "count": 125, "sum(人数)": 47250},
    ]  # fmt: skip
    stats = town.visitor().get(f"{address}/columns?column=人数").json()["columns"][0]
    assert (stats["least"], stats["most"], stats["filled"]) == (3, 750, ROWS)


@pytest.mark.parametrize(
    "query",
    [
        "ない列=1", "人数__like=1", "sort=ない列", "columns=番号,sqlite_master", "limit=100000", "limit=-1", "cursor=x",
        "番号%22)%20OR%201=1--=1", "columns=*", "sort=番号;DROP TABLE data",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_and_never_ignored(town: Town, address: str, query: str):
    answer = town.visitor().get(f"{address}.json?{query}", page=False)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("value", ["' OR '1'='1", "x') UNION SELECT columns FROM about--", "%", "_", "\\"])
def test_values_are_values_whatever_they_look_like(town: Town, address: str, value: str):
    told = town.visitor().get(f"{address}.json", params={"町名": value}).json()
    assert (told["total"], told["rows"]) == (0, [])


def test_a_question_that_takes_too_long_is_ended(town: Town, address: str):
    tables = town.service.extras["tables"]
    tables.seconds = 0.0
    big = "町,数\n" + "".join(f"町{n},{n}\n" for n in range(60_000))
    dataset = town.publish(big.encode(), "big.csv", title="大きな表")
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    answer = town.visitor().get(f"/opendata/data/{resource}.json?町__contains=ない", page=False)
    assert (answer.status_code, answer.json()["code"]) == (503, "query-too-long")


def test_a_table_s_connection_reads_that_table_and_nothing_else(town: Town, address: str):
    import sqlite3

    with town.service.database.reading(tenant=town.code) as session:
        from services.opendata.db import datasets

        [dataset] = datasets.listed(session)
        [resource] = datasets.resources(session, dataset.id)
        table = datasets.version(session, resource.id, 1).table_id
    assert table
    with town.service.extras["tables"].open(town.code, table) as opened:
        for statement in (
            "ATTACH '/etc/passwd' AS x",
            "DELETE FROM data",
            "PRAGMA writable_schema=1",
            "CREATE TABLE t (a)",
        ):
            with pytest.raises(sqlite3.DatabaseError):
                opened.connection.execute(statement)


def test_the_page_for_programs_shows_addresses_that_answer(town: Town):
    assert "いまあるデータで試す" not in town.visitor().get("/opendata/api/").text
    town.publish()
    page = town.visitor().get("/opendata/api/").text
    found = re.findall(r'<li><a href="(/opendata/(?:data|api/3)/[^"]+)">', page)
    assert len(found) == 4
    for address in found:
        assert town.visitor().get(html.unescape(address), page=False).status_code == 200, address


def test_what_a_cell_holds_is_found_in_any_width_and_case_and_kana(town: Town):
    """As the words of a search are: whoever wrote ＡＥＤ and whoever asks for aed mean the same."""
    rows = [
        "ＡＥＤ設置",
        "AED設置",
        "aed設置",
        "ｾﾝﾀｰ",
        "センター",
        "せんたー",
        "100%完了",
        "１００％完了",
        "100点完了",
        "a_b",
        "axb",
    ]
    table = "名称,町名\n" + "".join(f"{name},大角\n" for name in rows)
    told = town.visitor().result("package_show", id=town.publish(table.encode(), "aed-list.csv", use="original"))
    address = f"/opendata/data/{told['resources'][0]['id']}.json"

    def found(text: str) -> list[str]:
        answer = town.visitor().get(address, params={"名称__contains": text}, page=False)
        assert answer.status_code == 200, answer.text
        return [row["名称"] for row in answer.json()["rows"]]

    for text in ("AED", "ＡＥＤ", "aed", "Aed", "ＡＥＤ設置"):
        assert found(text) == rows[:3], text
    for text in ("センター", "せんたー", "ｾﾝﾀｰ"):
        assert found(text) == rows[3:6], text
    assert found("100%") == rows[6:8] and found("a_b") == ["a_b"], "no sign of ours has a meaning"
    words = town.visitor().get(address, params={"q": "AED"}, page=False).json()["rows"]
    assert [row["名称"] for row in words] == rows[:3], "and the same as by a word"
    by_form = (
        town.visitor()
        .get(f"/opendata/datasets/{told['name']}/resources/{told['resources'][0]['id']}?c0=名称&o0=contains&v0=aed")
        .text
    )
    assert "ＡＥＤ設置" in by_form
