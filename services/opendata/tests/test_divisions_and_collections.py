"""Programs put data sets into divisions of their municipality and into collections, name members, and follow (CKAN's
organizations, groups, users)."""

import pytest

from services.opendata.tests.people import Browser, Town, visible

pytestmark = pytest.mark.any_store


@pytest.fixture
def program(town: Town) -> Browser:
    return town.machine()


def test_what_a_program_did_not_say_of_a_data_set_is_a_dash_on_its_page(town: Town, program: Browser):
    program.result("package_create", name="pools", title="プール")
    page = visible(town.visitor().get("/opendata/datasets/pools").text)
    assert "分野 －" in page and "更新の間隔 －" in page


def test_a_division_publishes_under_its_own_name(town: Town, program: Browser):
    made = program.result("organization_create", name="ooki-school", title="教育委員会", description="学校と図書館")
    assert (made["display_name"], made["is_organization"], len(made["users"])) == ("教育委員会", True, 1)
    program.result("package_create", name="meals", title="給食の献立", owner_org="ooki-school")
    visitor = town.visitor()
    shown = visitor.result("package_show", id="meals")
    assert (shown["organization"]["title"], shown["owner_org"]) == ("教育委員会", made["id"])
    assert visitor.result("package_search", fq="organization:ooki-school")["count"] == 1
    assert "ooki-school" in visitor.result("organization_list")
    assert visitor.result("organization_show", id="ooki-school", include_datasets=True)["package_count"] == 1
    program.result("organization_patch", id="ooki-school", title="大木町教育委員会")
    assert visitor.result("package_show", id="meals")["organization"]["title"] == "大木町教育委員会"
    program.result("organization_delete", id="ooki-school")
    assert visitor.result("package_show", id="meals")["organization"]["name"] == town.code
    assert "ooki-school" not in visitor.result("organization_list")


def test_a_collection_gathers_data_sets_of_several_themes(town: Town, program: Browser):
    program.result("group_create", name="for-children", title="こどもの特集")
    program.result("package_create", name="parks", title="公園", groups=[{"name": "for-children"}, {"name": "regi"}])
    program.result("package_create", name="clinics", title="小児科")
    program.result("member_create", id="for-children", object="clinics", object_type="package", capacity="public")
    visitor = town.visitor()
    found = visitor.result("package_search", fq="groups:for-children", sort="name asc")
    assert [each["name"] for each in found["results"]] == ["clinics", "parks"]
    assert {each["name"] for each in found["results"][1]["groups"]} == {"for-children", "regi"}
    assert visitor.result("group_show", id="for-children")["package_count"] == 2
    program.result("member_delete", id="for-children", object="parks", object_type="package")
    assert visitor.result("package_search", fq="groups:for-children")["count"] == 1
    program.result("group_purge", id="for-children")
    names = {each["name"] for each in visitor.result("package_show", id="clinics")["groups"]}
    assert "for-children" not in names
    assert program.act("group_show", id="for-children").status_code == 404


def test_members_and_followers(town: Town, program: Browser):
    program.result("group_create", name="a-group")
    user = program.result("user_create", name="koga", email="koga@example.com", password="long enough", fullname="古賀")
    assert "password" not in user and user["display_name"] == "古賀"
    program.result("group_member_create", id="a-group", username="koga", role="member")
    program.result("group_member_create", id="a-group", username="koga", role="editor")
    group = program.result("group_show", id="a-group")
    assert {(each["name"], each["capacity"]) for each in group["users"]} == {("koga", "editor"), ("token-1", "admin")}
    assert town.visitor().result("group_show", id="a-group")["users"] == [], (
        "who belongs to it is shown to its own only"
    )
    assert program.act("user_create", name="koga", email="bad", password="short").json()["error"] == {
        "name": ["That login name is not available."],
        "email": ["Email bad is not a valid format"],
        "password": ["Your password must be 8 characters or longer"],
        "__type": "Validation Error",
    }
    assert town.visitor().act("user_show", id="koga").status_code == 403
    program.result("package_create", name="data")
    program.result("follow_dataset", id="data")
    assert program.act("follow_dataset", id="data").status_code == 409
    assert town.visitor().result("dataset_follower_count", id="data") == 1
    program.result("unfollow_dataset", id="data")
    assert program.result("am_following_dataset", id="data") is False


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "Missing value"), ("a", "Must be at least 2"), ("Große", "Must be purely"), ("tran", "already exists"),
     ("405221", "already exists"), ("taken", "already exists"), ("edit", "cannot be used")],
)  # fmt: skip
def test_a_name_in_addresses_is_good_and_nobody_else_s(program: Browser, name: str, message: str):
    program.result("organization_create", name="taken")
    answer = program.act("group_create", name=name)
    assert answer.status_code == 409
    assert message in answer.json()["error"]["name"][0]


def test_another_town_cannot_touch_or_use_our_division(town: Town, neighbour: Town, program: Browser):
    program.result("organization_create", name="ooki-water")
    theirs = neighbour.machine()
    for action in ("organization_patch", "organization_delete", "organization_purge", "member_list"):
        assert theirs.act(action, id="ooki-water").status_code == 404, action
    assert theirs.act("package_create", name="x-data", owner_org="ooki-water").status_code == 403
    assert theirs.act("organization_create", name="ooki-water").status_code == 409


def test_a_name_a_program_deleted_can_be_used_again_and_the_old_one_brought_back(town: Town, program: Browser):
    old = program.result("package_create", name="again")["id"]
    program.result("package_delete", id="again")
    assert program.result("package_patch", id=old, state="active")["name"] == "again"
    program.result("package_delete", id=old)
    new = program.result("package_create", name="again")["id"]
    assert new != old and town.visitor().result("package_show", id="again")["id"] == new
    assert program.result("package_show", id=old)["name"] == old


def test_lists_and_facets_name_divisions_and_collections_as_data_sets_do(town: Town, program: Browser):
    program.result("organization_create", name="ooki-school", title="教育委員会")
    program.result("group_create", name="for-children", title="こどもの特集")
    program.result("group_create", name="toy", type="toys", title="おもちゃ")
    program.result(
        "package_create", name="meals", owner_org="ooki-school", groups=[{"name": "for-children"}, {"name": "regi"}]
    )
    program.result("package_create", name="parks", groups=[{"name": "for-children"}])
    visitor = town.visitor()
    asked = {"facet.field": ["organization", "groups"], "fq": "name:(meals OR parks)"}
    facets = visitor.result("package_search", **asked)["search_facets"]
    shown = {
        name: {each["name"]: (each["display_name"], each["count"]) for each in facet["items"]}
        for name, facet in facets.items()
    }
    assert shown["organization"] == {"ooki-school": ("教育委員会", 1), town.code: ("大木町", 1)}
    assert shown["groups"]["for-children"] == ("こどもの特集", 2)
    assert shown["groups"]["regi"][1] == 1 and shown["groups"]["regi"][0] != "regi"
    for name, items in shown.items():
        for value, (_, count) in items.items():
            fewer = visitor.result("package_search", fq=f"{name}:{value}", rows=0)["count"]
            assert fewer >= count, "what a facet names can be filtered by"
    assert "toy" not in visitor.result("group_list"), "CKAN lists groups of another type only to who asks for it"
    assert visitor.result("group_list", type="toys") == ["toy"]
    assert visitor.act("group_show", id="ooki-school").status_code == 404, "an organization is no group"
    assert visitor.act("package_search", **{"facet.field": "notjson"}).json()["error"]["facet.field"]
    assert visitor.act("package_search", sort="metadata_modified").status_code == 400


def test_a_division_stands_under_another_while_that_is_there(town: Town, program: Browser):
    program.result("organization_create", name="parent", title="教育部")
    made = program.result("organization_create", name="child", groups=[{"name": "parent"}, {"name": "nobody"}])
    assert [(each["name"], each["title"]) for each in made["groups"]] == [("parent", "教育部")]
    assert program.result("organization_update", id="child", name="child")["groups"] == made["groups"]
    assert program.result("organization_patch", id="child", groups=[])["groups"] == []


def test_who_follows_reads_what_it_follows_by_its_name(town: Town, neighbour: Town, program: Browser):
    program.result("package_create", name="own", title="まだ非公開", private=True, owner_org=town.code)
    program.result("group_create", name="finance", title="Finance")
    neighbour.machine().result("package_create", name="other", title="となりのデータ")
    for ident in ("own", "other"):
        program.result("follow_dataset", id=ident)
    for ident in ("finance", neighbour.code):
        program.result("follow_group", id=ident)
    told = {each["display_name"]: (each["type"], each["dict"]["name"]) for each in program.result("followee_list")}
    assert told == {
        "まだ非公開": ("dataset", "own"), "となりのデータ": ("dataset", "other"), "Finance": ("group", "finance"),
        "久留米市": ("organization", neighbour.code),
    }  # fmt: skip
    assert [each["display_name"] for each in program.result("followee_list", q="fin")] == ["Finance"]
    assert program.result("group_followee_count") == program.result("organization_followee_count") == 1
    neighbour.machine().result("package_patch", id="other", private=True)
    assert "となりのデータ" not in {each["display_name"] for each in program.result("followee_list")}
    assert neighbour.machine().act("follow_dataset", id="own").status_code == 409, (
        "another's private data set is not there"
    )
