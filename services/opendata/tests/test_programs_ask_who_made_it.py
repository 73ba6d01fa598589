"""Programs ask CKAN's interface which key made a data set, who the members are, and how a user is written to."""

import pytest

from services.opendata.tests.people import Town


def test_a_data_set_names_the_key_that_made_it_and_the_key_its_data_sets(town: Town, neighbour: Town):
    program = town.machine()
    program.result("package_create", name="mine", title="川の水位")
    program.result("package_create", name="hidden", private=True, owner_org=town.code)
    by_people = town.publish()
    shown = town.visitor().result("package_show", id="mine")
    assert shown["creator_user_id"] == "token-1"
    assert town.visitor().result("package_show", id=by_people)["creator_user_id"] is None, "nobody is named"
    program.result("package_update", **(shown | {"title": "水位", "creator_user_id": "somebody"}))
    program.result("package_patch", id="mine", notes="後から")
    found = town.visitor().result("package_search", fq="creator_user_id:token-1")
    assert [each["name"] for each in found["results"]] == ["mine"], "it stays, whatever is changed"
    told = program.result("user_show", include_datasets=True)
    assert {each["name"] for each in told["datasets"]} == {"mine", "hidden"} and told["number_created_packages"] == 2
    assert "datasets" not in program.result("user_show")
    theirs = neighbour.machine().result("user_show", id="token-1", include_datasets=True)
    assert "hidden" not in {each["name"] for each in theirs["datasets"]}, "another's private data set"


def test_a_user_shown_can_be_sent_back_changed_and_is_found_by_mail(town: Town, neighbour: Town):
    program = town.machine()
    made = program.result("user_create", name="koga", email="koga@example.com", password="long enough", fullname="古賀")
    told = program.result("user_show", id="koga")
    program.result("user_update", **(told | {"fullname": "古賀 真理"}))
    assert program.result("user_show", id=made["id"])["fullname"] == "古賀 真理"
    assert [each["name"] for each in program.result("user_autocomplete", q="Koga@example.com")] == ["koga"]
    assert program.result("user_autocomplete", q="example.com") == [], "no part of an address finds anybody"
    assert all("email" not in each for each in program.result("user_list"))
    assert neighbour.machine().result("user_autocomplete", q="koga@example.com") == []
    assert neighbour.machine().act("user_show", id="koga").status_code == 404
    assert town.visitor().act("user_show", id="koga").status_code == 403


@pytest.mark.parametrize("kind", ["organization", "group"])
def test_lists_tell_members_to_whom_they_belong(town: Town, neighbour: Town, kind: str):
    program = town.machine()
    program.result("user_create", name="koga", email="koga@example.com", password="long enough")
    program.result(f"{kind}_create", name="rivers", users=[{"name": "koga", "capacity": "editor"}])

    def members(browser: Town) -> list[list[str]]:
        told = browser.machine().result(f"{kind}_list", all_fields=True, include_users=True)
        return [sorted(user["name"] for user in each["users"]) for each in told if each["name"] == "rivers"]

    assert members(town) == [["koga", "token-1"]] and members(neighbour) == [[]]
    assert all("users" not in each for each in program.result(f"{kind}_list", all_fields=True))
    visitor = town.visitor()
    assert all(each["users"] == [] for each in visitor.result(f"{kind}_list", all_fields=True, include_users=True))
    assert visitor.result(f"{kind}_show", id="rivers")["package_count"] == 0
    assert "package_count" not in visitor.result(f"{kind}_show", id="rivers", include_dataset_count=False)
