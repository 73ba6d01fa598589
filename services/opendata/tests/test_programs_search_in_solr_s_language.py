"""What CKAN's clients write into `q`, `fq` and `sort` finds what Solr would find for them."""

import pytest

from services.opendata.tests.people import Town


@pytest.fixture
def shelters(town: Town) -> Town:
    program = town.machine()
    program.result(
        "package_create", name="shelter-list", title="指定緊急避難場所一覧", notes="洪水のときに開く施設", author="防災課",
        tags=[{"name": "防災"}], extras=[{"key": "spatial_text", "value": "大木町全域"}, {"key": "guid", "value": "abc-1"}],
        resources=[{"url": "http://example.com/a.csv", "name": "令和5年度版"}],
    )  # fmt: skip
    town.service.clock.advance(days=3)
    program.result(
        "package_create", name="shelter-plan", title="避難所の計画", notes="防災の計画。避難所、避難所、避難所"
    )
    town.service.clock.advance(days=3)
    program.result("package_create", name="bus-stops", title="バス停", notes="近くに避難所がある停留所もあります")
    return town


def found(town: Town, **asked: object) -> list[str]:
    return [each["name"] for each in town.visitor().result("package_search", **asked)["results"]]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("title:避難", {"shelter-list", "shelter-plan"}),
        ('title:"緊急避難"', {"shelter-list"}),
        ("title:(計画 OR バス)", {"shelter-plan", "bus-stops"}),
        ("notes:洪水", {"shelter-list"}),
        ("-notes:避難所", {"shelter-list"}),
        ("res_name:令和5年度", {"shelter-list"}),
        ("res_url:*example.com*", {"shelter-list"}),
        ("author:防災", {"shelter-list"}),
        ("extras_spatial_text:大木町", {"shelter-list"}),
        ("extras_guid:abc-1", {"shelter-list"}),
        ("extras_guid:*", {"shelter-list"}),
        ("text:停留所", {"bus-stops"}),
        ("name:*-list", {"shelter-list"}),
        ("name:shelter-???n", {"shelter-plan"}),
        ("name:s*l*t", {"shelter-list"}),
        ('name:"shelter-*"', set()),
        ("title:計画^4 AND name:shelter-plan", {"shelter-plan"}),
        ('title:"避難所の計画"~2', {"shelter-plan"}),
        ("tags:[* TO *]", {"shelter-list"}),
        ("num_resources:[1 TO *]", {"shelter-list"}),
        ("metadata_modified:[NOW-1DAY TO NOW]", {"bus-stops"}),
        ("metadata_modified:[NOW/DAY-4DAYS TO *]", {"shelter-plan", "bus-stops"}),
        ("metadata_created:[* TO NOW-1MONTH]", set()),
        ("name:{bus-stops TO shelter-plan}", {"shelter-list"}),
        ("name:[bus-stops TO shelter-plan]", {"bus-stops", "shelter-list", "shelter-plan"}),
    ],
)
def test_a_condition_in_solr_s_language_finds_what_solr_finds(shelters: Town, asked: str, names: set[str]):
    assert set(found(shelters, fq=asked)) == names
    assert set(found(shelters, q=asked)) == names


def test_a_moment_that_is_counted_from_now_is_now_s_each_time(shelters: Town):
    asked = "metadata_modified:[NOW-1DAY TO *]"
    assert found(shelters, fq=asked) == ["bus-stops"]
    shelters.service.clock.advance(days=2)
    assert found(shelters, fq=asked) == []


def test_a_moment_that_is_none_is_refused(shelters: Town):
    for wrong in ("NOW-1FORTNIGHT", "NOW-99999999YEARS", "NOW+9999YEARS"):
        answer = shelters.visitor().act("package_search", fq=f"metadata_modified:[{wrong} TO *]")
        assert answer.status_code == 400, wrong
        assert answer.json()["error"]["__type"] == "Search Query Error"


def test_the_order_that_ckan_s_own_pages_ask_for_is_by_relevance(shelters: Town):
    best = found(shelters, q="避難所")
    assert best[-1] == "bus-stops", "the newest says it only in passing"
    for sort in ("score desc, metadata_modified desc", "score desc", "rank", None):
        assert found(shelters, q="避難所", **({"sort": sort} if sort else {})) == best, sort
    assert found(shelters, q="避難所", sort="score asc") == best[::-1]
    assert found(shelters, sort="score desc, metadata_modified asc") == ["shelter-list", "shelter-plan", "bus-stops"]
