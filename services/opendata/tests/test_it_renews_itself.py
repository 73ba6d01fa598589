"""Files renew themselves from an address or a folder, catalogues elsewhere are read; never into our own network, never stuck."""

import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from libs.common import jobs
from services.opendata import worker
from services.opendata.db import datasets
from services.opendata.tests.elsewhere import Elsewhere, elsewhere
from services.opendata.tests.people import AED, Town, visible
from services.opendata.use_cases import harvest as harvesting
from services.opendata.use_cases import schedules

pytestmark = pytest.mark.any_store


@pytest.fixture
def site(town: Town) -> Iterator[Elsewhere]:
    """A site the operator allows although its address is private, as a test has no public one."""
    with elsewhere() as place:
        town.service.settings.fetch_allowed = place.address.removeprefix("http://")
        yield place


@pytest.fixture
def resource(town: Town) -> str:
    dataset = town.publish(AED)
    return town.visitor().result("package_show", id=dataset)["resources"][0]["id"]


def work(town: Town, seconds: float = 0) -> None:
    town.service.clock.advance(seconds=seconds)
    while jobs.run_next(town.service, worker.jobs):
        pass
    town.service.extras["catalogue"].look_again()


def renew_from(town: Town, resource: str, url: str) -> Any:
    answer = town.staff().post(f"desk/resources/{resource}/schedule", {"url": url, "every": "DAILY"})
    work(town)
    return answer


def seen(town: Town, resource: str) -> str:
    return visible(town.staff().get(f"desk/resources/{resource}/schedule").text)


def rows(town: Town, resource: str) -> list[dict[str, Any]]:
    return town.visitor().result("datastore_search", resource_id=resource)["records"]


CHANGED = AED.replace("大溝小学校".encode("cp932"), "大溝公民館".encode("cp932"))


def test_a_changed_file_is_repaired_and_published_as_a_new_version(town: Town, site: Elsewhere, resource: str):
    site.put("/aed.csv", CHANGED, ETag='"1"')
    assert renew_from(town, resource, f"{site.address}/aed.csv").status_code == 303
    assert rows(town, resource)[2]["名称"] == "大溝公民館"
    assert "新しい版を公開しました" in seen(town, resource)

    def conditional(path: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
        return (304, {}, b"") if headers.get("If-None-Match") == '"1"' else (500, {}, b"")

    site.answers["/aed.csv"] = conditional
    work(town, timedelta(days=1, minutes=2).total_seconds())
    assert len(site.asked) == 2 and "変わっていません" in seen(town, resource)
    with town.service.database.reading(tenant=town.code) as session:
        assert len(datasets.versions(session, resource)) == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xef\xbb\xbf" + "名称,住所\r\n役場,八町\r\n".encode(), "列がなくなっています"),
        (AED.split(b"\r\n", 4)[0] + b"\r\n" + b"\r\n".join(AED.split(b"\r\n")[1:4]), "行が半分より少なく"),
        (AED.replace("受付".encode("cp932"), b"090-1234-5678"), "携帯電話"),
        (b"%PDF-1.7", "PDF"),
    ],
)
def test_what_a_person_should_see_first_waits_and_the_version_before_stays(
    town: Town, site: Elsewhere, resource: str, content: bytes, sentence: str
):
    site.put("/aed.csv", content)
    renew_from(town, resource, f"{site.address}/aed.csv")
    assert sentence in seen(town, resource)
    assert len(rows(town, resource)) == 4
    assert "aed.csv" in visible(town.staff().get("desk/").text), "the file waits among those to be published"


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest/meta-data", "http://localhost/x.csv", "http://10.0.0.1/", "file:///etc/passwd", "http://2130706433/",
     "http://[::1]/", "http://user:secret@example.com/", "ftp://example.com/a.csv", "http://127.0.0.1:22/", "folder:../../etc/passwd",
     "folder:/etc/passwd", "folder:x.csv"],
)  # fmt: skip
def test_nothing_inside_is_ever_asked(town: Town, resource: str, url: str):
    renew_from(town, resource, url)
    page = seen(town, resource)
    assert "新しい版を公開しました" not in page
    assert len(rows(town, resource)) == 4


def test_a_redirect_into_our_network_is_not_followed(town: Town, site: Elsewhere, resource: str):
    site.answers["/away"] = (302, {"Location": "http://169.254.169.254/latest/"}, b"")
    renew_from(town, resource, f"{site.address}/away")
    assert "庁内や機器の内部" in seen(town, resource)


def test_a_file_that_is_too_large_or_a_site_in_trouble_is_tried_again_later(town: Town, site: Elsewhere, resource: str):
    town.service.settings.opendata_file_limit = 10_000
    site.put("/big.csv", b"a,b\r\n" + b"1,2\r\n" * 10_000)
    renew_from(town, resource, f"{site.address}/big.csv")
    assert "大きすぎます" in seen(town, resource)
    site.answers["/big.csv"] = (503, {}, b"")
    work(town, 3600)
    assert "状態503" in seen(town, resource)
    site.put("/big.csv", CHANGED)
    work(town, 7200)
    assert rows(town, resource)[2]["名称"] == "大溝公民館"


def test_a_town_s_system_drops_files_into_its_folder(town: Town, resource: str, tmp_path: Any):
    town.service.settings.opendata_drop_folder = tmp_path / "drop"
    folder = tmp_path / "drop" / town.code
    folder.mkdir(parents=True)
    (folder / "aed.csv").write_bytes(CHANGED)
    (folder / "link.csv").symlink_to("/etc/passwd")
    renew_from(town, resource, "folder:aed.csv")
    assert rows(town, resource)[2]["名称"] == "大溝公民館"
    renew_from(town, resource, "folder:link.csv")
    assert "ありません" in seen(town, resource)


def test_a_file_that_is_still_written_is_not_published(town: Town, resource: str, tmp_path: Any):
    town.service.settings.opendata_drop_folder = tmp_path
    (tmp_path / town.code).mkdir()
    file, before = tmp_path / town.code / "aed.csv", rows(town, resource)
    file.write_bytes(CHANGED[: len(CHANGED) // 2])
    rest = threading.Timer(schedules.QUIET / 4, lambda: file.write_bytes(CHANGED))
    rest.start()
    renew_from(town, resource, "folder:aed.csv")
    rest.join()
    assert rows(town, resource) == before and "書き込みの途中" in seen(town, resource)
    work(town, 7200)
    assert rows(town, resource)[2]["名称"] == "大溝公民館"


# ---- catalogues elsewhere


def packages(count: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": f"p-{n:03}", "name": f"p{n}", "title": f"避難所の一覧 {n}", "notes": "説明", "license_id": "CC-BY-4.0",
         "tags": [{"name": "防災"}], "resources": [{"url": f"https://example.com/{n}.csv", "format": "CSV", "name": "一覧"}], **more}
        for n in range(count)
    ]  # fmt: skip


def as_ckan(site: Elsewhere, found: list[dict[str, Any]]) -> None:
    def search(path: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
        start = int(path.partition("start=")[2].partition("&")[0])
        page = {"success": True, "result": {"count": len(found), "results": found[start : start + 100]}}
        return 200, {"Content-Type": "application/json"}, json.dumps(page).encode()

    site.answers["/api/3/action/package_search"] = search


def harvest(town: Town, kind: str, url: str) -> str:
    town.staff().post("desk/harvests", {"kind": kind, "url": url, "every": "DAILY"})
    work(town)
    return visible(town.staff().get("desk/harvests").text)


def again(town: Town) -> str:
    work(town, timedelta(days=1, minutes=2).total_seconds())
    return visible(town.staff().get("desk/harvests").text)


def test_a_ckan_catalogue_comes_over_page_by_page_and_only_changes_come_later(town: Town, site: Elsewhere):
    found = packages(105)
    as_ckan(site, found)
    page = harvest(town, "ckan", site.address)
    assert "新しく公開 105件" in page
    shown = town.visitor().result("package_search", q="避難所", rows=1)
    assert (shown["count"], shown["results"][0]["license_id"]) == (105, "cc-by")
    assert shown["results"][0]["resources"][0]["url"].startswith("https://example.com/")
    found[3]["title"], gone = "避難場所の一覧（改）", found.pop()
    as_ckan(site, found)
    page = again(town)
    assert "新しく公開 0件" in page and "変わった 1件" in page and "同じ 103件" in page and "なくなった 1件" in page
    assert town.visitor().result("package_search", fq="tags:防災")["count"] == 104
    as_ckan(site, [*found, gone])
    assert "なくなった 0件" in again(town)
    assert town.visitor().result("package_search", fq="tags:防災")["count"] == 105, "it is back"


def test_what_a_person_withdrew_is_not_brought_back_by_a_harvest(town: Town, site: Elsewhere):
    found = packages(2)
    as_ckan(site, found)
    harvest(town, "ckan", site.address)
    ident = town.visitor().result("package_search", q="避難所の一覧 1")["results"][0]["id"]
    town.staff().post(f"desk/datasets/{ident}/withdraw", {"reason": "古い内容でした。"})
    found[1]["notes"] = found[0]["notes"] = "新しい説明"
    again(town)
    assert town.visitor().result("package_search", q="避難所")["count"] == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((200, {"Content-Type": "text/html"}, b"<html>"), "CKANのサイトの答えではありません"),
        ((200, {}, b"[" * 100_000), "CKANのサイトの答えではありません"),
        ((200, {}, json.dumps({"result": {"results": packages(3)}}).encode()), "同じページをくり返し"),
        ((302, {"Location": "http://10.0.0.1/"}, b""), "庁内や機器の内部"),
        ((200, {}, b"x" * 100), "CKANのサイトの答えではありません"),
        ((500, {}, b""), "状態500"),
    ],
)
def test_a_bad_source_ends_with_a_sentence_and_takes_nothing_away(
    town: Town, site: Elsewhere, answer: Any, sentence: str
):
    found = packages(1)
    as_ckan(site, found)
    harvest(town, "ckan", site.address)
    site.answers["/api/3/action/package_search"] = answer
    assert sentence in again(town)
    assert town.visitor().result("package_search", q="避難所の一覧 0")["count"] >= 1


def test_a_list_of_data_as_csv(town: Town, site: Elsewhere):
    text = (
        "都道府県コード又は市区町村コード,NO,都道府県名,市区町村名,データ名称,データ概要,データ形式,分類,更新頻度,URL,ライセンス\r\n"
        "405221,1,福岡県,大木町,人口,月ごとの人口,CSV,人口,毎月,https://example.com/jinko.csv,CC BY 4.0\r\n"
        "405221,1,福岡県,大木町,人口,月ごとの人口,XLSX,人口,毎月,https://example.com/jinko.xlsx,CC BY 4.0\r\n"
        "405221,2,福岡県,大木町,危ない,javascript,CSV,他,毎年,javascript:alert(1),CC0\r\n"
    )
    site.put("/list.csv", text.encode("cp932"))
    assert "新しく公開 1件" in harvest(town, "csv", f"{site.address}/list.csv")
    [package] = town.visitor().result("package_search", q="人口")["results"]
    assert ([each["format"] for each in package["resources"]], package["license_id"]) == (["CSV", "XLSX"], "cc-by")


def test_our_own_dcat_is_read_by_another_town_s_harvest(town: Town, neighbour: Town, site: Elsewhere):
    neighbour.publish(AED)
    site.put("/catalog.ttl", town.visitor().get("/opendata/catalog.ttl").content, "text/turtle")
    assert "新しく公開 1件" in harvest(town, "dcat", f"{site.address}/catalog.ttl")
    mine = town.visitor().result("package_search", fq=f"organization:{town.code}")["results"]
    assert (mine[0]["title"], mine[0]["license_id"], mine[0]["groups"][0]["name"]) == (
        "AED設置箇所一覧",
        "cc-by",
        "heal",
    )
    site.put("/remote.jsonld", b'{"@context": "http://169.254.169.254/context", "@type": "x"}', "application/ld+json")
    assert "@context" in harvest(town, "dcat", f"{site.address}/remote.jsonld")


def test_a_clerk_s_own_words_stay_when_the_source_says_something_else(town: Town, site: Elsewhere):
    found = packages(1)
    as_ckan(site, found)
    harvest(town, "ckan", site.address)
    package = town.visitor().result("package_search", q="避難所")["results"][0]
    words = {
        "title": "大木町の避難所",
        "notes": "説明",
        "theme": "GOVE",
        "license": "cc-by",
        "frequency": "ANNUAL",
        "tags": "防災、避難",
    }
    answer = town.staff().post(f"desk/datasets/{package['id']}/describe", words)
    assert answer.status_code == 303, visible(answer.text)
    found[0] |= {
        "title": "避難所 2026",
        "notes": "新しい説明",
        "resources": [{"url": "https://example.com/new.csv", "format": "CSV"}],
    }
    as_ckan(site, found)
    assert "変わった 1件" in again(town)
    now = town.visitor().result("package_show", id=package["id"])
    assert (now["title"], now["notes"]) == ("大木町の避難所", "新しい説明"), "theirs where nobody here said better"
    assert [each["url"] for each in now["resources"]] == ["https://example.com/new.csv"]
    assert {each["name"] for each in now["tags"]} == {"防災", "避難"}


def test_a_source_that_is_suddenly_empty_takes_nothing_away_until_a_person_says_so(town: Town, site: Elsewhere):
    as_ckan(site, packages(12))
    harvest(town, "ckan", site.address)
    as_ckan(site, [])
    assert "12件が、収集元の目録にありません" in again(town)
    assert "12件が、収集元の目録にありません" in again(town), "nor later, by itself"
    assert town.visitor().result("package_search", q="避難所")["count"] == 12
    [ident] = re.findall(r"harvests/([0-9a-f-]{36})/now", town.staff().get("desk/harvests").text)
    town.staff().post(f"desk/harvests/{ident}/now")
    work(town, 61)
    assert "なくなった 12件" in visible(town.staff().get("desk/harvests").text)
    assert town.visitor().result("package_search", q="避難所")["count"] == 0


def test_a_site_that_gives_fewer_on_a_page_than_asked_for_is_read_whole(town: Town, site: Elsewhere):
    found = packages(25)

    def search(path: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
        start = int(path.partition("start=")[2].partition("&")[0])
        return 200, {}, json.dumps({"result": {"results": found[start : start + 10]}}).encode()

    site.answers["/api/3/action/package_search"] = search
    assert "新しく公開 25件" in harvest(town, "ckan", site.address)


def test_pages_that_do_not_end_take_nothing_away(town: Town, site: Elsewhere, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(harvesting, "MOST_PAGES", 3)
    page = (
        "@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .\n"
        '<https://example.com/{0}> a dcat:Dataset ; dct:title "避難所の一覧 {0}" .\n'
        "<> <http://www.w3.org/ns/hydra/core#nextPage> <{1}> .\n"
    )
    for number in range(5):
        site.put(f"/{number}.ttl", page.format(number, f"/{number + 1}.ttl").encode(), "text/turtle")
    assert "途中でやめました" in harvest(town, "dcat", f"{site.address}/0.ttl")


def test_the_same_catalogue_twice_or_begun_anew_brings_nothing_twice(town: Town, site: Elsewhere):
    as_ckan(site, packages(3))
    harvest(town, "ckan", site.address)
    assert "もう登録してあります" in visible(
        town.staff().post("desk/harvests", {"kind": "ckan", "url": site.address, "every": "DAILY"}).text
    )
    [ident] = re.findall(r"harvests/([0-9a-f-]{36})/stop", town.staff().get("desk/harvests").text)
    town.staff().post(f"desk/harvests/{ident}/now")
    town.staff().post(f"desk/harvests/{ident}/stop")
    work(town, 61)
    with town.service.database.reading() as session:
        assert not jobs.dead(session), "a run whose turn comes after the stop is no fault"
    page = harvest(town, "ckan", site.address)
    assert "新しく公開 0件" in page and "同じ 3件" in page
    assert town.visitor().result("package_search", q="避難所")["count"] == 3


def test_two_runs_of_one_catalogue_at_the_same_time_bring_nothing_twice(town: Town, site: Elsewhere):
    as_ckan(site, packages(5))
    found, inner = site.answers["/api/3/action/package_search"], []

    def meanwhile(path: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
        if not inner:
            inner.append(True)
            [ident] = re.findall(r"harvests/([0-9a-f-]{36})/now", town.staff().get("desk/harvests").text)
            with town.service.database.transaction(tenant=town.code) as session:
                harvesting.order(session, ident, town.service.clock.now(), by_hand=False)
            jobs.run_next(town.service, worker.jobs)
        return found(path, headers)

    site.answers["/api/3/action/package_search"] = meanwhile
    harvest(town, "ckan", site.address)
    assert town.visitor().result("package_search", q="避難所")["count"] == 5


def test_what_waits_for_a_clerk_waits_on_and_leaves_no_heap_of_files(town: Town, site: Elsewhere, resource: str):
    content = "名称,住所\r\n役場,八町\r\n"
    site.put("/aed.csv", content.encode())
    renew_from(town, resource, f"{site.address}/aed.csv")
    assert "列がなくなっています" in seen(town, resource)
    work(town, timedelta(days=1, minutes=2).total_seconds())
    assert "列がなくなっています" in seen(town, resource), "found unchanged it still waits"
    for day in range(3):
        site.put("/aed.csv", (content + f"支所{day},大角\r\n").encode())
        work(town, timedelta(days=1, minutes=2).total_seconds())
    with town.service.database.reading(tenant=town.code) as session:
        drafts = [
            each for each in datasets.drafts(session) if each.resource_id == resource and each.state != "published"
        ]
    assert len(drafts) == 1 and drafts[0].report["original"]["rows"] == 2
