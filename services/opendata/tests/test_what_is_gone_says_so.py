"""What was withdrawn answers 410 with its reason at every address it had; and every address answers HEAD as it answers GET."""

import pytest

from services.opendata.tests.people import Town, visible
from services.opendata.tests.test_use_is_counted import seen

pytestmark = pytest.mark.any_store

REASON = "設置場所に誤りがありました。"


@pytest.fixture
def addresses(town: Town) -> list[str]:
    """All of a published data set's own addresses."""
    dataset = town.publish()
    told = town.visitor().result("package_show", id=dataset)
    name, resource = told["name"], told["resources"][0]["id"]
    here = f"/opendata/datasets/{name}"
    return [
        here, f"/t/{town.code}{here}", f"{here}.ttl", f"{here}.rdf", f"{here}.jsonld", f"{here}/datapackage.json", f"{here}.zip",
        f"{here}/resources/{resource}", f"{here}/resources/{resource}/chart", f"{here}/apps/new",
        *(f"/opendata/data/{resource}.{form}" for form in ("json", "csv", "geojson", "parquet")),
        f"/opendata/data/{resource}/count", f"/opendata/data/{resource}/columns", f"/opendata/datastore/dump/{resource}",
        f"/opendata/embed/{resource}/table", f"/opendata/embed/{resource}/map",
        told["resources"][0]["url"].removeprefix("http://127.0.0.1:8080"),
    ]  # fmt: skip


def test_what_was_withdrawn_answers_gone_with_the_reason_at_every_address(town: Town, addresses: list[str]):
    dataset = next(iter(town.service.extras["catalogue"].refresh().entries.values())).id
    resource = next(each for each in addresses if each.endswith(".json") and "/data/" in each)[
        len("/opendata/data/") : -len(".json")
    ]
    etags = {}
    for address in addresses:
        answer = town.visitor().get(address, page=False) if "/t/" not in address else town.guest().get(address)
        assert answer.status_code == 200, address
        etags[address] = answer.headers.get("etag", '"x"')
    town.staff().post(f"desk/datasets/{dataset}/withdraw", {"reason": REASON})
    for address in addresses:
        who = town.guest() if "/t/" in address else town.visitor()
        for headers in ({}, {"If-None-Match": etags[address]}):
            answer = who.get(address, page="/t/" in address, headers=headers)
            assert answer.status_code == 410 and REASON in answer.text, (address, answer.status_code, answer.text[:200])
    page = town.visitor().get(addresses[0])
    assert page.status_code == 410 and "公開を取りやめました" in visible(page.text) and REASON in page.text
    for feed in ("feed.atom", "data.json", "sitemap.xml", "catalog.ttl", "catalog.jsonld", "catalog.rdf"):
        assert addresses[0] not in town.visitor().get(f"/opendata/{feed}", page=False).text, feed
    for action, given in {"package_show": {"id": dataset}, "datastore_search": {"resource_id": resource}}.items():
        assert town.visitor().act(action, **given).status_code == 404, "CKAN knows no other word for it"
    answer = town.visitor().get("/opendata/data/sql", params={"q": f'SELECT * FROM "{resource}"'}, page=False)
    assert answer.status_code == 410
    town.staff().post(f"desk/datasets/{dataset}/again")
    assert town.visitor().get(addresses[0]).status_code == 200


def test_every_address_answers_head_as_it_answers_get_and_counts_no_use(town: Town, addresses: list[str]):
    dataset = next(iter(town.service.extras["catalogue"].refresh().entries.values())).id
    visitor = town.visitor("looker")
    more = ["/opendata/", "/opendata/feed.atom", "/opendata/data.json", "/opendata/catalog.ttl",
            f"/opendata/api/3/action/package_show?id={dataset}"]  # fmt: skip
    heads = {}
    for address in [each for each in addresses if "/t/" not in each] + more:
        answer = visitor.client.head(address, headers=visitor._headers(False))
        assert answer.status_code == 200 and answer.content == b"", (address, answer.status_code)
        heads[address] = answer.headers
    assert seen(town, dataset) == {}, "a checker of links uses nothing"
    for address, head in heads.items():
        found = visitor.get(address, page=False).headers
        for name in ("content-type", "etag", "content-length", "content-disposition"):
            assert head.get(name) == found.get(name) or address == "/opendata/", (address, name)
    missing = visitor.client.head("/opendata/datasets/none", headers=visitor._headers(False))
    assert (missing.status_code, missing.content) == (404, b"")
