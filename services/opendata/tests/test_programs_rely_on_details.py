"""What CKAN's clients rely on beyond the shapes: what an update leaves alone, what is refused, what is still hidden."""

import io

import pytest

from services.opendata.tests.people import Town

CSV = "町,数\n大木,3\n大溝,12\n".encode()


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ("数", "is less than minimum 2"),
        ("あ" * 101, "is more than maximum 100"),
        ("道路・橋", "can only contain alphanumeric"),
        ("", "Missing value"),
    ],
)
def test_a_tag_that_ckan_refuses_is_refused_and_not_dropped(town: Town, tag: str, problem: str):
    program = town.machine()
    refused = program.act("package_create", name="tagged", tags=[{"name": "統計"}, {"name": tag}])
    assert refused.status_code == 409
    told = refused.json()["error"]["tags"]
    assert told[0] == {} and problem in told[1]["name"][0]
    if tag:
        by_text = program.act("package_create", name="tagged", tag_string=f"統計, {tag}")
        assert by_text.status_code == 409 and problem in by_text.json()["error"]["tag_string"][0]
    assert program.act("package_show", id="tagged").status_code == 404


def test_a_new_file_sent_alone_keeps_its_name_and_format(town: Town):
    program = town.machine()
    program.result("package_create", name="nightly-file")
    sent = program.client.post(
        "/opendata/api/3/action/resource_create",
        data={"package_id": "nightly-file", "name": "町の数", "description": "毎晩", "format": "csv", "own": "x"},
        files={"upload": ("a.csv", io.BytesIO(CSV))},
        headers=program._headers(False),
    ).json()["result"]
    assert sent["format"] == "CSV"
    program.client.post(
        "/opendata/api/3/action/resource_update",
        data={"id": sent["id"]},
        files={"upload": ("b.csv", io.BytesIO(CSV + b"x,1\n"))},
        headers=program._headers(False),
    )
    shown = town.visitor().result("resource_show", id=sent["id"])
    assert (shown["name"], shown["format"], shown["description"], "own" in shown) == ("町の数", "CSV", "", False)
    program.result("resource_patch", id=sent["id"], own="y")
    program.result("resource_patch", id=sent["id"], own="")
    assert "own" not in town.visitor().result("resource_show", id=sent["id"]), "an empty value takes it away"


def test_a_format_is_written_as_ckan_writes_it(town: Town):
    files = [
        {"url": "http://example.com/a.csv"}, {"url": "http://example.com/b", "format": "text/csv"},
        {"url": "http://example.com/c.geojson"}, {"url": "http://example.com/d", "format": "独自"},
    ]  # fmt: skip
    made = town.machine().result("package_create", name="formats", resources=files)
    assert [each["format"] for each in made["resources"]] == ["CSV", "CSV", "GeoJSON", "独自"]


def test_a_draft_is_nobody_s_until_its_program_is_done(town: Town):
    program, visitor = town.machine(), town.visitor()
    draft = program.result("package_create", name="half-done", state="draft")
    assert (draft["state"], draft["private"]) == ("draft", False)
    assert visitor.act("package_show", id="half-done").status_code == 404
    program.result("resource_create", package_id="half-done", url="http://example.com/a.csv")
    assert visitor.act("package_show", id="half-done").status_code == 404, "a further file does not publish it"
    done = program.result("package_patch", id="half-done", state="active")
    assert done["state"] == "active" and visitor.result("package_show", id="half-done")["num_resources"] == 1
    private = program.result("package_create", name="own-only", private=True, owner_org=town.code)
    assert (private["state"], private["private"]) == ("active", True)
    program.result("package_create", name="gone", state="deleted")
    assert visitor.result("package_list") == ["half-done"]


def test_moments_have_no_zone(town: Town):
    made = town.machine().result("package_create", name="when")
    assert made["metadata_created"] == town.service.clock.now().replace(tzinfo=None).isoformat()


def test_forms_complete_what_is_typed(town: Town):
    town.machine().result(
        "package_create", name="rivers", title="川の一覧", tags=[{"name": "水辺の安全"}],
        resources=[{"url": "http://example.com/a.csv"}],
    )  # fmt: skip
    visitor = town.visitor()

    def asked(path: str) -> object:
        return visitor.get(f"/opendata/api/{path}", page=False).json()

    found = asked("2/util/dataset/autocomplete?incomplete=rive")
    assert found == {"ResultSet": {"Result": [
        {"match_field": "name", "name": "rivers", "match_displayed": "rivers", "title": "川の一覧"}]}}  # fmt: skip
    assert asked("util/tag/autocomplete?incomplete=水辺") == {"ResultSet": {"Result": [{"Name": "水辺の安全"}]}}
    assert asked("util/resource/format_autocomplete?incomplete=cs") == {"ResultSet": {"Result": [{"Format": "csv"}]}}
    assert asked("2/util/organization/autocomplete?q=大木")[0]["name"] == town.code
    assert asked("util/tag/autocomplete") == {"ResultSet": {"Result": []}}
    assert visitor.get("/opendata/api/util/user/autocomplete?q=x", page=False).status_code == 403
    assert visitor.get("/opendata/api/util/nothing/autocomplete?q=x", page=False).status_code == 404


def test_rows_are_asked_for_as_clients_do_it(town: Town):
    program = town.machine()
    made = program.result("package_create", name="rows", resources=[{"url": "http://example.com/x"}])
    ident = made["resources"][0]["id"]
    fields = [{"id": "町", "type": "text"}, {"id": "印", "type": "_text"}]
    program.result("datastore_create", resource_id=ident, force=True, fields=fields, records=[
        {"町": "甲", "印": ["a", "b"]}, {"町": "乙", "印": ["a"]},
    ])  # fmt: skip
    visitor = town.visitor()
    assert visitor.result("datastore_search", resource_id=ident, limit=None)["total"] == 2
    by_list = visitor.result("datastore_search", resource_id=ident, filters={"印": {"eq": ["a", "b"]}})
    assert [row["町"] for row in by_list["records"]] == ["甲"]
    assert visitor.act("datastore_search", resource_id=ident, q={"町": ["x"]}).status_code == 409
    told = visitor.result("datastore_info", id=ident, include_meta=False, include_fields_schema=False)
    assert told == {"fields": [{"id": "町", "type": "text"}, {"id": "印", "type": "_text"}]}
    assert visitor.result("datastore_info", id=ident)["fields"][1]["schema"]["native_type"] == "text[]"
    program.result("datastore_create", resource_id=ident, force=True, indexes=[["町"], "町,印"])
    for bad in ({"indexes": "町, ない列"}, {"triggers": [{"function": "f"}]}):
        assert program.act("datastore_create", resource_id=ident, force=True, **bad).status_code == 409, bad


def test_lists_that_forms_are_filled_from(town: Town, neighbour: Town):
    program, visitor = town.machine(), town.visitor()
    group = program.result("group_create", name="water", title="水")
    neighbour.machine().result("group_create", name="others")
    program.result("package_create", name="rivers", groups=[{"name": "water"}, {"name": "envi"}])
    assert [each["name"] for each in visitor.result("group_package_show", id="water")] == ["rivers"]
    assert [each["name"] for each in visitor.result("group_package_show", id="envi")] == ["rivers"]
    assert [each["id"] for each in program.result("group_list_authz")] == [group["id"]]
    assert visitor.result("group_list_authz") == []
    assert [each["value"] for each in visitor.result("member_roles_list", group_type="group")] == ["admin", "member"]
    assert len(visitor.result("member_roles_list")) == 3
    assert visitor.result("vocabulary_list") == []
    assert visitor.act("vocabulary_show", id="x").status_code == 404


def test_a_program_lists_what_it_follows_by_kind(town: Town):
    program = town.machine()
    program.result("package_create", name="rivers")
    program.result("group_create", name="water")
    for action, ident in (("follow_dataset", "rivers"), ("follow_group", "water"), ("follow_group", town.code)):
        program.result(action, id=ident)
    kinds = ("dataset", "group", "organization", "user")
    names = [[each["name"] for each in program.result(f"{kind}_followee_list")] for kind in kinds]
    assert names == [["rivers"], ["water"], [town.code], []]
    assert program.result("organization_follower_count", id=town.code) == 1
    assert [each["id"] for each in program.result("organization_follower_list", id=town.code)] == ["token-1"]
