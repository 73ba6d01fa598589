"""Programs keep tables row by row through CKAN's DataStore; nobody's question can reach anything but published rows."""

import json
import threading
from xml.etree import ElementTree

import pytest

from services.opendata.tests.people import AED, Browser, Town

SENSORS = {
    "fields": [{"id": "地点", "type": "text", "info": {"label": "観測地点"}}, {"id": "水位", "type": "numeric"},
               {"id": "警戒", "type": "bool"}, {"id": "日時", "type": "timestamp"}, {"id": "機器", "type": "json"}],
    "primary_key": ["地点"],
}  # fmt: skip


@pytest.fixture
def program(town: Town) -> Browser:
    machine = town.machine()
    machine.result("package_create", name="water", title="川の水位")
    return machine


def kept(program: Browser, **more: object) -> str:
    made = program.result("datastore_create", resource={"package_id": "water", "name": "水位"}, **(SENSORS | more))
    return made["resource_id"]


def test_a_program_keeps_a_table_that_everybody_reads_at_once(town: Town, program: Browser):
    ident = kept(
        program, records=[{"地点": "八町", "水位": "1.5", "警戒": "yes", "日時": "2026-11-20", "機器": {"番号": [7]}}]
    )
    program.result(
        "datastore_upsert", resource_id=ident, records=[{"地点": "八町", "水位": 2}, {"地点": "大溝", "水位": 3}]
    )
    found = town.visitor().result("datastore_search", resource_id=ident)
    assert found["records"] == [
        {"_id": 1, "地点": "八町", "水位": 2, "警戒": True, "日時": "2026-11-20T00:00:00.000", "機器": {"番号": [7]}},
        {"_id": 2, "地点": "大溝", "水位": 3, "警戒": None, "日時": None, "機器": None},
    ]
    told = town.visitor().result("resource_show", id=ident)
    assert (told["url_type"], told["datastore_active"]) == ("datastore", True)
    assert "大溝" in town.visitor().get(told["url"].removeprefix("http://127.0.0.1:8080")).text
    info = town.visitor().result("datastore_info", id=ident)
    assert info["fields"][0]["info"] == {"label": "観測地点"} and info["meta"]["count"] == 2
    dumped = town.visitor().get(f"/opendata/datastore/dump/{ident}?format=json").json()
    assert dumped["records"][1][:3] == [2, "大溝", 3]


def test_rows_go_and_columns_come_and_the_page_is_right_all_the_time(town: Town, program: Browser):
    ident = kept(program, records=[{"地点": f"地点{n}", "水位": n} for n in range(300)])
    gone = program.result(
        "datastore_records_delete", resource_id=ident, filters={"水位": {"lt": 100}}, include_deleted_records=True
    )
    assert len(gone["deleted_records"]) == 100
    page = town.visitor().result("datastore_search", resource_id=ident, offset=150, limit=2)
    assert [row["水位"] for row in page["records"]] == [250, 251], "a deep page is right although numbers have a gap"
    program.result("datastore_create", resource_id=ident, delete_fields=True, fields=[{"id": "水位"}, {"id": "備考"}])
    names = [field["id"] for field in town.visitor().result("datastore_search", resource_id=ident, limit=1)["fields"]]
    assert names == ["_id", "水位", "備考"]
    program.result("datastore_delete", resource_id=ident)
    assert town.visitor().result("resource_show", id=ident)["datastore_active"] is False
    assert town.visitor().act("datastore_search", resource_id=ident).status_code == 404


def test_what_a_program_may_not_do_is_said_as_ckan_says_it(town: Town, program: Browser):
    ident = kept(program, records=[{"地点": "八町", "水位": 1}])

    def error(action: str, **given: object) -> dict[str, object]:
        answer = program.act(action, **given)
        assert answer.status_code == 409, answer.text
        return answer.json()["error"]

    assert "records" in error("datastore_create", resource_id=ident, records=[{"地点": "八町"}]), "the key is taken"
    assert "key" in error("datastore_upsert", resource_id=ident, method="update", records=[{"地点": "なし"}])
    assert "fields" in error("datastore_upsert", resource_id=ident, records=[{"地点": "北", "ない列": 1}])
    assert "records" in error("datastore_upsert", resource_id=ident, records=[{"地点": "北", "水位": "高い"}])
    assert "records" in error("datastore_upsert", resource_id=ident, records=[{"地点": "090-1234-5678"}]), (
        "personal data"
    )
    assert error("datastore_records_delete", resource_id=ident)["filters"] == ["Missing value"]
    assert "fields" in error("datastore_create", resource={"package_id": "water"}, fields=[{"id": "a"}, {"id": "a"}])
    assert "fields" in error(
        "datastore_create", resource={"package_id": "water"}, fields=[{"id": "a", "type": "point"}]
    )
    town.publish(AED)
    uploaded = town.visitor().result("package_search", q="AED")["results"][0]["resources"][0]["id"]
    assert "read_only" in error("datastore_upsert", resource_id=uploaded, records=[])
    program.result("datastore_upsert", resource_id=ident, dry_run=True, records=[{"地点": "北", "水位": 9}])
    assert town.visitor().result("datastore_search", resource_id=ident)["total"] == 1


def test_another_towns_program_and_nobody_write_no_row(town: Town, neighbour: Town, program: Browser):
    ident = kept(program)
    for action in ("datastore_upsert", "datastore_create", "datastore_delete", "datastore_records_delete"):
        given = {"resource_id": ident, "force": True} | ({"filters": {}} if "records_delete" in action else {})
        assert neighbour.machine().act(action, **given).status_code == 404, action
        assert town.visitor().act(action, **given).status_code == 403, action


def test_two_programs_at_once_lose_no_row(town: Town, program: Browser):
    ident = kept(program)
    town.service.extras["catalogue"].refresh()

    def send(name: str) -> None:
        for number in range(4):
            program.town.machine().result("datastore_upsert", resource_id=ident, records=[{"地点": f"{name}{number}"}])

    threads = [threading.Thread(target=send, args=(name,)) for name in ("東", "西")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert town.visitor().result("datastore_search", resource_id=ident)["total"] == 8


def test_sql_reads_published_rows_and_nothing_else(town: Town, program: Browser):
    ident = kept(
        program, records=[{"地点": name, "水位": level} for name, level in (("八町", 1), ("大溝", 3), ("北", 5))]
    )
    visitor = town.visitor()
    found = visitor.result("datastore_search_sql", sql=f'SELECT count(*) AS n, avg("水位") AS mean FROM "{ident}"')
    assert found["records"] == [{"n": 3, "mean": 3.0}]
    for bad in (
        "SELECT * FROM sqlite_master", f'DELETE FROM "{ident}"', "ATTACH DATABASE '/etc/passwd' AS x", "PRAGMA table_list",
        "SELECT load_extension('x')", "SELECT 1; SELECT 2", "SELECT zeroblob(1000000000)", "CREATE TABLE x (a)", "SELECT",
        f'SELECT * FROM "{ident}" a, t0.about', "SELECT * FROM pragma_database_list",
        "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT printf('%.*c', 100000, 'x') FROM x",
    ):  # fmt: skip
        assert visitor.act("datastore_search_sql", sql=bad).status_code in (403, 409, 503), bad
    hidden = "0198f0a0-0000-7000-8000-000000000001"
    assert visitor.act("datastore_search_sql", sql=f'SELECT * FROM "{hidden}"').status_code == 403
    program.result("package_patch", id="water", private=True)
    assert visitor.act("datastore_search_sql", sql=f'SELECT * FROM "{ident}"').status_code == 403


def test_filters_sort_and_pages_are_ckan_2_12_s(town: Town, program: Browser):
    ident = kept(program, records=[{"地点": f"p{n}", "水位": n if n % 3 else None} for n in range(1, 9)])
    visitor = town.visitor()

    def found(**asked: object) -> list[str]:
        return [
            row["地点"]
            for row in visitor.result("datastore_search", resource_id=ident, fields=["地点"], **asked)["records"]
        ]

    assert found(filters={"水位": [{"lt": 2}, {"gte": 7, "lt": 8}]}) == ["p1", "p7"]
    assert found(filters={"$or": [{"地点": "p3"}, {"水位": 5}]}) == ["p3", "p5"]
    assert found(sort="水位 desc")[:3] == ["p3", "p6", "p8"], "empty cells are the greatest, as in PostgreSQL"
    assert found(sort='"水位" desc nulls last')[0] == "p8"
    page = visitor.result("datastore_search", resource_id=ident, limit=3, include_next_page=True)
    following = visitor.result("datastore_search", resource_id=ident, limit=3, filters=page["next_page"])
    assert [row["地点"] for row in following["records"]] == ["p4", "p5", "p6"]
    backwards = visitor.result("datastore_search", resource_id=ident, limit=3, sort="_id desc", include_next_page=True)
    assert backwards["next_page"] == {"_id": {"lt": 6}}
    assert "next_page" not in visitor.result("datastore_search", resource_id=ident, sort="水位", include_next_page=True)


def test_yes_and_no_are_filtered_in_every_way_programs_write_them(town: Town, program: Browser):
    ident = kept(program, records=[{"地点": "a", "警戒": True}, {"地点": "b", "警戒": False}, {"地点": "c"}])
    visitor = town.visitor()

    def found(filters: object) -> list[str]:
        answer = visitor.result("datastore_search", resource_id=ident, filters=filters)
        return [row["地点"] for row in answer["records"]]

    assert found({"警戒": True}) == found({"警戒": "true"}) == found({"警戒": [True]}) == ["a"]
    assert found({"警戒": False}) == ["b"]
    assert found({"警戒": {"neq": True}}) == ["b"]
    assert found([{"地点": "a", "警戒": False}, {"地点": "c"}, {"警戒": False}]) == ["b", "c"], (
        "of a list, one must hold"
    )
    for bad in ({"警戒": "たぶん"}, {"水位": True}, [1]):
        assert visitor.act("datastore_search", resource_id=ident, filters=bad).status_code == 409, bad
    program.result("datastore_records_delete", resource_id=ident, filters={"警戒": True}, force=True)
    assert found({}) == ["b", "c"]


def test_a_dump_holds_the_rows_that_were_asked_for(town: Town, program: Browser):
    ident = kept(program, records=[
        {"地点": f"p{n}", "水位": n, "警戒": n > 2, "機器": {"番号": [n, "<a>\x0b"]}} for n in range(1, 5)
    ])  # fmt: skip
    visitor = town.visitor()

    def dumped(query: str) -> str:
        answer = visitor.get(f"/opendata/datastore/dump/{ident}?{query}", page=False)
        assert answer.status_code == 200, answer.text
        return answer.text

    assert dumped("fields=地点,水位&limit=2&offset=1&sort=水位 desc").splitlines() == ["地点,水位", "p3,3.0", "p2,2.0"]
    assert dumped('filters={"警戒":true}&fields=地点').splitlines() == ["地点", "p3", "p4"]
    assert dumped("q=p4&fields=_id&format=tsv") == "_id\n4\n"
    told = json.loads(dumped("format=json&limit=1"))
    assert [field["id"] for field in told["fields"]] == ["_id", "地点", "水位", "警戒", "日時", "機器"]
    assert told["records"] == [[1, "p1", 1, False, None, {"番号": [1, "<a>\x0b"]}]], "as datastore_search gives them"
    root = ElementTree.fromstring(dumped("format=xml&limit=1"))
    assert [part.text for part in root.iter("value") if not len(part)] == ["1", "<a>"]
    assert len(dumped("").splitlines()) == 5, "without a word, every row"
    for bad in ("filters={", "sort=ない列", "fields=ない列", "limit=-1", "limit=x", "filters={%22ない%22:1}"):
        answer = visitor.get(f"/opendata/datastore/dump/{ident}?{bad}", page=False)
        assert answer.status_code == 422, (bad, answer.text)


def test_a_dump_as_xml_can_be_read_whatever_columns_are_called(town: Town, program: Browser):
    names = ["9月", "µ値", "a b", "人口", "x:y", "<&>", "ー"]
    made = program.result("datastore_create", resource={"package_id": "water"}, records=[dict.fromkeys(names, "値")])
    answer = town.visitor().get(f"/opendata/datastore/dump/{made['resource_id']}?format=xml", page=False)
    row = ElementTree.fromstring(answer.text)[0]
    assert [part.get("name", part.tag) for part in row] == names
