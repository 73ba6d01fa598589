"""Through the real gateway: a clerk publishes a messy AED list in two minutes, a developer finds it with a typo and queries it with
ckanapi and plain HTTP, sees it on a map, and the council sees the count move."""

import re
from typing import Any

import ckanapi
import httpx
import pytest

from infra.local import processes
from services.opendata.tests.people import AED, fields
from tests.visitors import signed_in

TOWN = "402036"
COUNT = re.compile(r"<b>([\d,]+)<small> / 11,000")


@pytest.fixture
def council(cloud: Any) -> Any:
    with signed_in(cloud.url, "council@pref.example") as client:
        yield client


@pytest.fixture
def clerk(cloud: Any) -> Any:
    with signed_in(cloud.url, "staff@using.example") as client:
        desk = f"/t/{TOWN}/opendata/desk/"
        assert processes.wait_until(lambda: client.get(desk).status_code == 200, seconds=120), client.get(desk).text
        yield client


def counted(council: httpx.Client) -> int:
    found = COUNT.search(council.get("/council/datasets").text)
    assert found
    return int(found[1].replace(",", ""))


def test_from_a_messy_list_to_the_map_and_the_council(cloud: Any, clerk: httpx.Client, council: httpx.Client) -> None:
    before = counted(council)
    sent = clerk.post(f"/t/{TOWN}/opendata/desk/drafts", files={"file": ("AED一覧.csv", AED)})
    assert sent.status_code == 303, sent.text
    draft = sent.headers["location"]
    page = clerk.get(draft).text
    assert "標準への準拠" in page and "2019/2/30" in page
    published = clerk.post(f"{draft}/publish", data=fields(page, f"{draft}/publish"))
    assert published.status_code == 303, published.text

    with httpx.Client(base_url=cloud.url, trust_env=False, timeout=60) as anybody:
        found = anybody.get("/opendata/", params={"q": "ＡＥＤ設地箇所"}, headers={"accept": "text/html"})
        assert found.status_code == 200 and "AED設置箇所一覧" in found.text
        ckan = ckanapi.RemoteCKAN(f"{cloud.url}/opendata", user_agent="a developer")
        [package] = ckan.action.package_search(q="AED", fq=f"organization:{TOWN}")["results"]
        resource = package["resources"][0]["id"]
        rows = ckan.action.datastore_search(resource_id=resource, q="小学校")
        assert [row["名称"] for row in rows["records"]] == ["大溝小学校", "木佐木小学校"]
        plain = anybody.get(f"/opendata/data/{resource}.json", params={"緯度__gte": "33.22"}).json()
        assert [row["名称"] for row in plain["rows"]] == ["大溝小学校"]
        table = anybody.get(
            f"/opendata/datasets/{package['name']}/resources/{resource}", headers={"accept": "text/html"}
        )
        assert table.text.count("<circle") == 4
        own = anybody.get(f"/t/{TOWN}/opendata/", headers={"accept": "text/html"})
        assert "AED設置箇所一覧" in own.text

    # The sample's tenders and applications become data sets meanwhile: the council's number is the municipalities' in the catalogue.
    def as_published() -> bool:
        asked = {"rows": "0", "fq": "-organization:400009"}
        total = council.get("/opendata/api/3/action/package_search", params=asked).json()["result"]["count"]
        return before < counted(council) == total

    assert processes.wait_until(as_published, seconds=60), counted(council)
