"""The sample's data sets: real files, published as a clerk does; loaded once."""

from libs.common.service import Service
from libs.common.testing.service import Issuers
from services.opendata import sample
from services.opendata.tests.people import Town


def test_the_sample_is_found_looked_at_and_loaded_once(service: Service, issuers: Issuers):
    kurume = sample.Place("402036", "402036", "久留米市")
    for _ in range(2):
        sample.load(service, room=kurume, say=lambda _: None)
    visitor = Town(service, issuers, "402036").visitor()
    found = visitor.result("package_search", sort="title asc")["results"]
    assert [each["title"] for each in found] == [
        "公衆トイレ一覧",
        "共同利用サービスの参加状況（2018年9月）",
        "福岡県の市町村一覧",
    ]
    towns = found[2]["resources"][0]["id"]
    row = visitor.get(f"/opendata/data/{towns}.json?地方公共団体名=大木町").json()["rows"][0]
    assert row["全国地方公共団体コード"] in (405221, "405221")
    assert (
        visitor.get(f"/opendata/datasets/{found[0]['name']}/resources/{found[0]['resources'][0]['id']}").text.count(
            "<circle"
        )
        == 5
    )
