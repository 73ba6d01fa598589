"""Forms of CKAN's interface that its clients send less often: taken, or refused in CKAN's words, and never passed over in silence."""

import csv
import io
from xml.etree import ElementTree

import pytest

from services.opendata.tests.people import Browser, Town


@pytest.fixture
def program(town: Town) -> Browser:
    machine = town.machine()
    machine.result("package_create", name="water", title="川の水位")
    return machine


def table(program: Browser, **more: object) -> str:
    return program.result("datastore_create", resource={"package_id": "water", "name": "表"}, **more)["resource_id"]


def test_a_word_goes_out_of_one_s_own_data_sets(town: Town, neighbour: Town, program: Browser):
    for number in range(2):
        program.result("package_create", name=f"tagged-{number}", tags=[{"name": "統計"}, {"name": "人口"}])
    neighbour.machine().result("package_create", name="others", tags=[{"name": "統計"}])
    program.result("tag_delete", id="統計")
    assert [each["name"] for each in town.visitor().result("package_show", id="tagged-1")["tags"]] == ["人口"]
    assert [each["name"] for each in town.visitor().result("package_show", id="others")["tags"]] == ["統計"]
    assert program.act("tag_delete", id="統計").status_code == 404, "nobody else's"
    assert town.visitor().act("tag_delete", id="人口").status_code == 403


def test_a_tag_may_be_a_vocabulary_s_word(town: Town, program: Browser):
    words = program.result("vocabulary_create", name="用途", tags=[{"name": "防災"}, {"name": "観光"}])
    sent = [{"name": "防災", "vocabulary_id": words["id"]}, {"name": "自由な語"}]
    made = program.result("package_create", name="chosen", tags=sent)
    assert {each["name"]: each["vocabulary_id"] for each in made["tags"]} == {"防災": words["id"], "自由な語": None}
    told = town.visitor().result("tag_show", id="防災", vocabulary_id="用途", include_datasets=True)
    assert told["id"] == next(each["id"] for each in made["tags"] if each["name"] == "防災")
    assert [each["name"] for each in told["packages"]] == ["chosen"]
    program.result("package_patch", id="chosen", notes="後から")
    assert town.visitor().result("package_show", id="chosen")["tags"] == made["tags"], "a patch leaves them"
    for wrong in ({"name": "ない語", "vocabulary_id": words["id"]}, {"name": "防災", "vocabulary_id": "ない"}):
        assert program.act("package_patch", id="chosen", tags=[wrong]).status_code == 409
    assert program.result("package_update", **(made | {"tags": None}))["tags"] == []


def test_a_collection_s_data_sets_are_those_said(town: Town, program: Browser):
    made = program.result("group_create", name="rivers")
    program.result("package_create", name="in-it", groups=[{"name": "rivers"}])
    program.result("group_patch", id=made["id"], title="川")
    assert town.visitor().result("group_show", id="rivers")["package_count"] == 1
    program.result("group_patch", id=made["id"], packages=[{"name": "water"}])
    told = town.visitor().result("group_show", id="rivers", include_datasets=True)
    assert [each["name"] for each in told["packages"]] == ["water"]
    program.result("group_patch", id=made["id"], packages=[])
    assert town.visitor().result("group_show", id="rivers")["package_count"] == 0


def test_who_is_no_member_can_be_taken_out(program: Browser):
    made = program.result("organization_create", name="water-office")
    user = program.result("user_create", name="kawa", email="kawa@example.com", password="long enough")
    program.result("member_delete", id=made["id"], object=user["id"], object_type="user")
    assert program.act("member_delete", id="nothing", object=user["id"], object_type="user").status_code == 404


@pytest.mark.parametrize(
    "action",
    ["api_token_list", "api_token_revoke", "config_option_show", "package_collaborator_create", "datastore_function_create",
     "datastore_function_delete", "task_status_update", "task_status_update_many", "task_status_delete", "term_translation_update",
     "term_translation_update_many"],
)  # fmt: skip
def test_what_no_key_may_do_is_refused_and_not_unknown(program: Browser, action: str):
    refused = program.act(action, id="x", name="f", definition="BEGIN END;")
    assert refused.status_code == 403 and refused.json()["error"]["__type"] == "Authorization Error"


def test_tasks_and_translations_are_asked_for_and_there_are_none(town: Town):
    visitor = town.visitor()
    assert visitor.act("task_status_show", id="x").status_code == 404
    assert visitor.act("task_status_show", entity_id="x").json()["error"]["task_type"] == ["Missing value"]
    assert visitor.result("term_translation_show", terms=["水"]) == []


def test_a_plain_word_is_a_document(town: Town, program: Browser):
    ident = table(program, fields=[{"id": "値", "type": "json"}], records=[{"値": "ñ"}, {"値": {"a": "ñ"}}])
    found = town.visitor().result("datastore_search", resource_id=ident)["records"]
    assert [row["値"] for row in found] == ["ñ", {"a": "ñ"}]


def test_words_narrow_however_they_are_sent(town: Town, program: Browser):
    ident = table(program, records=[{"国": "日本", "年": {"西暦": 2014}}, {"国": "韓国", "年": {"西暦": 1986}}])
    visitor = town.visitor()

    def found(**asked: object) -> list[str]:
        told = visitor.result("datastore_search", resource_id=ident, **asked)
        assert told["total"] == len(told["records"])
        return [row["国"] for row in told["records"]]

    assert found(full_text="日本") == ["日本"], "not passed over"
    assert found(full_text="日本", q="韓国") == []
    assert found(q={"年": "20:*"}, plain=False) == ["日本"]
    assert found(q="韓国 & 198:*", plain=False) == ["韓国"]


def test_a_dump_is_read_by_what_reads_such_files(town: Town, program: Browser):
    cells = ['"引用"で始まる', "タブ\tと\n改行", "値"]
    ident = table(program, records=[{"9月 x": cell, "9月_x": 1} for cell in cells])
    visitor = town.visitor()
    answer = visitor.get(f"/opendata/datastore/dump/{ident}?format=tsv&fields=9月 x", page=False)
    assert [row[0] for row in csv.reader(io.StringIO(answer.text, newline=""), "excel-tab")][1:] == cells
    assert answer.headers["content-disposition"] == f'attachment; filename="{ident}.tsv"'
    answer = visitor.get(f"/opendata/datastore/dump/{ident}?format=xml&limit=1", page=False)
    row = ElementTree.fromstring(answer.text)[0]
    assert {part.tag: part.get("name") for part in row} == {"月_x": "9月 x", "月_x_0": "9月_x"}, "CKAN's elements"


def test_a_table_has_other_names(town: Town, neighbour: Town, program: Browser):
    ident = table(program, aliases="water_levels, 水位", records=[{"地点": "八町"}])
    visitor = town.visitor()
    for name in ("water_levels", "水位"):
        found = visitor.result("datastore_search", resource_id=name)
        assert (found["resource_id"], found["records"]) == (ident, [{"_id": 1, "地点": "八町"}])
        for sql in (
            f'SELECT "地点" FROM "{name}"',
            f"select 地点 from {name} where 1=1",
            f'SELECT 地点 FROM "{ident}"',
        ):
            assert visitor.result("datastore_search_sql", sql=sql)["records"] == [{"地点": "八町"}], sql
        assert "八町" in visitor.get(f"/opendata/datastore/dump/{name}", page=False).text
    assert visitor.result("datastore_info", id="水位")["meta"]["aliases"] == ["water_levels", "水位"]
    for odd in ("a\0b", "x" * 5000):
        refused = visitor.act("datastore_search_sql", sql=f'SELECT * FROM "{odd}"')
        assert refused.status_code == 409, "nothing is asked of the store that no store could keep"
    of_its_own = "WITH water_levels AS (SELECT 7 AS n) SELECT n FROM water_levels"
    assert visitor.result("datastore_search_sql", sql=of_its_own)["records"] == [{"n": 7}]
    program.result("datastore_create", resource_id=ident, aliases=["levels"])
    assert visitor.act("datastore_search", resource_id="water_levels").status_code == 404
    assert visitor.result("datastore_search", resource_id="levels")["total"] == 1
    program.result("datastore_create", resource_id=ident, records=[{"地点": "大溝"}])
    assert visitor.result("datastore_search", resource_id="levels")["total"] == 2, "what is not said stays"


def test_a_name_of_a_table_is_one_table_s(town: Town, neighbour: Town, program: Browser):
    ident = table(program, aliases="levels", records=[{"地点": "八町"}])
    other = neighbour.machine()
    other.result("package_create", name="theirs")
    files = len(other.result("package_show", id="theirs")["resources"])
    for who, taken in (
        (other, "levels"),
        (program, "levels"),
        (other, ident),
        (other, 'a"b'),
        (other, "a%b"),
        (other, "x" * 64),
    ):
        package = "theirs" if who is other else "water"
        answer = who.act("datastore_create", resource={"package_id": package}, aliases=taken, records=[{"a": 1}])
        assert answer.status_code == 409 and "alias" in answer.json()["error"], taken
    assert len(other.result("package_show", id="theirs")["resources"]) == files, "no file is left behind"
    program.result("datastore_delete", resource_id=ident)
    made = table(program, aliases="levels", records=[{"地点": "大溝"}])
    program.result("resource_delete", id=made)
    again = table(program, aliases="levels", records=[{"地点": "木佐木"}])
    assert town.visitor().result("datastore_search", resource_id="levels")["resource_id"] == again
    program.result("package_patch", id="water", private=True)
    assert town.visitor().act("datastore_search", resource_id="levels").status_code == 404
    assert town.visitor().act("datastore_search_sql", sql='SELECT * FROM "levels"').status_code == 403
    assert program.result("datastore_search", resource_id="levels")["total"] == 1
    hers = other.act("datastore_create", resource={"package_id": "theirs"}, aliases="levels", records=[{"a": 1}])
    assert hers.status_code == 409, "a name of a hidden table is taken, too"


def test_lists_and_documents_stand_as_json_in_rows_asked_for_as_csv(town: Town, program: Browser):
    fields = [{"id": "町", "type": "_text"}, {"id": "値", "type": "json"}]
    ident = table(program, fields=fields, records=[{"町": ["八町", "大溝"], "値": {"a": "ñ"}}])
    for shape, between in (("csv", ","), ("tsv", "\t")):
        told = town.visitor().result("datastore_search", resource_id=ident, fields="町,値", records_format=shape)[
            "records"
        ]
        [cells] = csv.reader(io.StringIO(told), delimiter=between)
        assert cells == ['["八町", "大溝"]', '{"a": "ñ"}']


def test_a_function_that_sql_does_not_have_is_refused_as_not_allowed(town: Town, program: Browser):
    ident = table(program, records=[{"値": 1}])
    refused = town.visitor().act("datastore_search_sql", sql=f"SELECT query_to_xml('SELECT 1') FROM \"{ident}\"")
    assert refused.status_code == 403 and "query_to_xml" in refused.json()["error"]["message"]
    assert town.visitor().act("datastore_search_sql", sql="SELEC 1").status_code == 409


def test_words_of_a_vocabulary_that_are_none_are_refused_where_clients_look(town: Town, program: Browser):
    for action, given in (("vocabulary_create", {"name": "用途"}), ("vocabulary_update", {"id": "用途"})):
        refused = program.act(action, **given, tags=None)
        assert refused.status_code == 409 and refused.json()["error"]["tags"] == [{"name": ["Missing value"]}]
        program.act("vocabulary_create", name="用途", tags=[])
    assert town.visitor().act("tag_delete", id="ない語").status_code == 404
    assert town.visitor().act("tag_delete", id="ない語", vocabulary_id="用途").status_code == 404
