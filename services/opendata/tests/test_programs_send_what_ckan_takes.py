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
     "datastore_function_delete"],
)  # fmt: skip
def test_what_no_key_may_do_is_refused_and_not_unknown(program: Browser, action: str):
    refused = program.act(action, id="x", name="f", definition="BEGIN END;")
    assert refused.status_code == 403 and refused.json()["error"]["__type"] == "Authorization Error"


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
