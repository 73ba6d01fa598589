"""Views of files, as datapusher, xloader and portals' own programs make them: kept with the file, in order, told to whom the file is."""

from typing import Any

import pytest

from services.opendata.tests.people import Browser, Town

pytestmark = pytest.mark.any_store


@pytest.fixture
def program(town: Town) -> Browser:
    return town.machine()


def file_of(program: Browser, name: str = "bus-stops", **said: Any) -> str:
    dataset = program.result("package_create", name=name, **said)
    return program.result("resource_create", package_id=dataset["id"], url="https://example.jp/stops.csv")["id"]


def view(program: Browser, file: str, title: str, **said: Any) -> Any:
    return program.result("resource_view_create", resource_id=file, title=title, **{"view_type": "text_view"} | said)


def test_a_view_is_told_as_it_was_said(program: Browser, town: Town) -> None:
    file = file_of(program)
    made = view(program, file, "表", view_type="recline_view", filter_fields=["町", "町"], filter_values=["北", "南"])
    assert made["filters"] == {"町": ["北", "南"]}
    guest = town.visitor()
    assert guest.result("resource_view_show", id=made["id"]) == made
    assert guest.result("resource_view_list", id=file) == [made]
    assert "resource_views" not in guest.result("resource_show", id=file)
    changed = program.result("resource_view_update", id=made["id"], title="一覧")
    assert (changed["title"], changed["view_type"]) == ("一覧", "recline_view")
    program.result("resource_view_delete", id=made["id"])
    assert program.act("resource_view_show", id=made["id"]).status_code == 404


def test_an_update_of_the_file_keeps_its_views(program: Browser) -> None:
    file = file_of(program)
    made = view(program, file, "表")
    program.result("resource_update", id=file, url="https://example.jp/stops2.csv", resource_views=[])
    assert program.result("resource_view_list", id=file) == [made]


def test_views_stand_in_the_order_that_was_wished(program: Browser) -> None:
    file = file_of(program)
    a, b, c = (view(program, file, title)["id"] for title in "abc")
    assert program.result("resource_view_reorder", id=file, order=[c, a])["order"] == [c, a, b]
    assert [each["id"] for each in program.result("resource_view_list", id=file)] == [c, a, b]
    assert program.act("resource_view_reorder", id=file, order=[c, c]).status_code == 409
    view(program, file, "d", view_type="image_view")
    program.result("resource_view_clear", view_types=["text_view"])
    assert [each["title"] for each in program.result("resource_view_list", id=file)] == ["d"]


@pytest.mark.parametrize(
    "said", [{"title": ""}, {"view_type": "unknown"}, {"id": "x"}, {"filter_fields": "町", "filter_values": "北"}]
)
def test_what_is_no_view_is_refused(program: Browser, said: dict[str, Any]) -> None:
    whole = {"resource_id": file_of(program), "title": "表", "view_type": "text_view"} | said
    assert program.act("resource_view_create", **whole).status_code == 409


def test_views_of_private_and_others_files_are_nobodys(program: Browser, town: Town, neighbour: Town) -> None:
    hidden = file_of(program, "hidden", private=True, owner_org=town.code)
    made = view(program, hidden, "表")
    for stranger in (town.visitor(), neighbour.machine()):
        assert stranger.act("resource_view_show", id=made["id"]).status_code == 404
        assert stranger.act("resource_view_list", id=hidden).status_code == 404
    assert neighbour.machine().act("resource_view_delete", id=made["id"]).status_code == 404
    assert town.visitor().act("resource_view_create", resource_id=hidden, title="表").status_code == 403
    assert program.result("resource_view_list", id=hidden) == [made]
