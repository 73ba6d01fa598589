"""A key finds its municipality's private data sets and drafts where it asks for them; nobody else ever does."""

import pytest

from services.opendata.tests.people import Browser, Town


@pytest.fixture
def program(town: Town) -> Browser:
    """With one data set of each kind."""
    made = town.machine()
    made.result("package_create", name="open-rivers", title="川の一覧", notes="公開")
    made.result(
        "package_create",
        name="own-rivers",
        title="川の下書き",
        private=True,
        owner_org=town.code,
        tags=[{"name": "水辺"}],
    )
    made.result("package_create", name="half-rivers", title="川の途中", state="draft")
    made.result("package_create", name="half-own", title="橋の途中", state="draft", private=True, owner_org=town.code)
    made.result("package_create", name="gone-rivers", title="川の昔", state="deleted")
    return made


def names(who: Browser, **asked: object) -> list[str]:
    told = who.result("package_search", **asked)
    assert told["count"] == len(told["results"])
    return [each["name"] for each in told["results"]]


def test_a_key_finds_what_it_asks_for(town: Town, program: Browser):
    assert names(program) == ["open-rivers"]
    assert sorted(names(program, include_private=True)) == ["open-rivers", "own-rivers"]
    assert sorted(names(program, include_drafts=True)) == ["half-rivers", "open-rivers"]
    assert len(names(program, include_private="true", include_drafts="true")) == 4
    assert names(program, fq="+state:draft") == ["half-rivers"], "CKAN takes it for include_drafts"
    assert names(program, include_private=True, fq="capacity:private") == ["own-rivers"]
    assert names(program, include_private=True, fq="tags:水辺") == ["own-rivers"]
    assert names(program, q="下書き", include_private=True)[0] == "own-rivers"
    assert names(program, q="title:川の下書き", include_private=True) == ["own-rivers"]
    assert names(program, include_private=True, sort="name desc", fl="name") == ["own-rivers", "open-rivers"]


def test_nobody_else_finds_it(town: Town, neighbour: Town, program: Browser):
    program.result("package_search", include_private=True, include_drafts=True)
    for other in (town.visitor(), neighbour.machine(), town.machine("opendata.read")):
        assert names(other, include_private=True, include_drafts=True) == ["open-rivers"]
        assert names(other, fq="+state:draft") == []
        assert [each["name"] for each in other.result("current_package_list_with_resources")] == ["open-rivers"]
        assert [each["name"] for each in other.result("package_autocomplete", q="川の")] == ["open-rivers"]


def test_facets_count_what_was_found(town: Town, program: Browser):
    def tags(who: Browser) -> object:
        asked = {"include_private": True, "facet.field": ["tags"]}
        return who.result("package_search", **asked)["facets"]["tags"]

    assert (tags(program), tags(town.visitor())) == ({"水辺": 1}, {})


def test_lists_and_forms_have_one_s_own(program: Browser):
    listed = [each["name"] for each in program.result("current_package_list_with_resources")]
    assert sorted(listed) == ["open-rivers", "own-rivers"]
    completed = [each["name"] for each in program.result("package_autocomplete", q="川の")]
    assert sorted(completed) == ["open-rivers", "own-rivers"]
