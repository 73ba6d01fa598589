"""A data set leaves as a Frictionless data package; its table, chart and map stand in other sites' pages."""

import csv
import html
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from jsonschema import Draft4Validator

from services.opendata.tests.people import AED, Town, visible

pytestmark = pytest.mark.any_store

PROFILES = Path(__file__).parent / "data" / "frictionless"
PEOPLE = "調査日,町名,人口（人）\r\n2026-01-01,八町,120\r\n2026-02-01,大溝,300\r\n2026-03-01,八町,130\r\n".encode()


def faults(profile: str, document: object) -> list[str]:
    wanted = json.loads((PROFILES / f"{profile}.json").read_text(encoding="utf-8"))
    return [error.message[:200] for error in Draft4Validator(wanted).iter_errors(document)]


def package(town: Town, dataset: str) -> dict:
    return town.visitor().get(f"/opendata/datasets/{town.name_of(dataset)}/datapackage.json", page=False).json()


def resource_of(town: Town, dataset: str) -> str:
    return town.visitor().result("package_show", id=dataset)["resources"][0]["id"]


def test_a_data_set_is_a_data_package_of_the_standard(town: Town):
    told = package(town, town.publish(PEOPLE, "jinko.csv", title="人口"))
    assert told["profile"] == "tabular-data-package" and told["licenses"][0]["name"] == "CC-BY-4.0"
    [table] = told["resources"]
    assert faults("data-package", told) == [] and faults("tabular-data-resource", table) == []
    assert [field["type"] for field in table["schema"]["fields"]] == ["date", "string", "integer"]
    assert faults("data-package", told | {"name": "人口 データ"}), "the check finds what is wrong"
    assert faults("tabular-data-resource", table | {"schema": {"fields": [{"type": "integer"}]}})


def test_what_the_package_says_of_its_columns_is_true_of_the_file_it_names(town: Town):
    [table] = package(town, town.publish(AED))["resources"]
    answer = town.visitor().get(table["path"].partition("8080")[2] or table["path"], page=False)
    head, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert head == [field["name"] for field in table["schema"]["fields"]] and len(rows) == 4
    numbers = [n for n, field in enumerate(table["schema"]["fields"]) if field["type"] in ("number", "integer")]
    assert numbers and all(float(row[n]) for row in rows for n in numbers)


def test_a_data_set_without_files_says_that_it_is_no_package_yet(town: Town):
    town.machine().result("package_create", name="empty", title="これから")
    visitor = town.visitor()
    for way in ("datasets/empty/datapackage.json", "datasets/empty.zip"):
        answer = visitor.get(f"/opendata/{way}")
        assert answer.status_code == 404 and "まだファイルがありません" in visible(answer.text)
        assert f"/opendata/{way}" not in visitor.get("/opendata/datasets/empty").text, "nor is it offered"


def test_a_file_that_is_no_table_is_named_as_it_is(town: Town):
    machine = town.machine()
    made = machine.result("package_create", name="leaflet", title="しおり", owner_org=town.code)
    machine.result("resource_create", package_id=made["id"], name="pdf", url="https://example.com/a.pdf", format="PDF")
    told = package(town, made["id"])
    assert faults("data-package", told) == [] and told["profile"] == "data-package"
    assert told["resources"][0]["path"] == "https://example.com/a.pdf"


def zipped(town: Town, name: str) -> zipfile.ZipFile:
    answer = town.visitor().get(f"/opendata/datasets/{name}.zip", page=False)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content))


def test_all_files_of_a_data_set_are_fetched_at_once(town: Town):
    machine = town.machine()
    made = machine.result("package_create", name="two-files", title="人口と地図", license_id="cc-by")
    action, given = "/opendata/api/3/action/resource_create", {"package_id": made["id"]}
    for filename, content in (("人口/../一覧.csv", PEOPLE), ("しおり.pdf", b"%PDF-1.7 leaflet")):
        machine.post(action, given, page=False, files={"upload": (filename, content)})
    machine.result(
        "resource_create", package_id=made["id"], name="elsewhere", url="https://example.com/a.pdf", format="PDF"
    )
    archive = zipped(town, "two-files")
    assert archive.testzip() is None
    told = json.loads(archive.read("datapackage.json"))
    assert faults("data-package", told) == []
    here, leaflet, elsewhere = (each["path"] for each in told["resources"])
    assert set(archive.namelist()) == {"datapackage.json", here, leaflet} and elsewhere == "https://example.com/a.pdf"
    assert all(path.startswith("data/") and path.count("/") == 1 and ".." not in path for path in (here, leaflet))
    head, *rows = csv.reader(io.StringIO(archive.read(here).decode("utf-8-sig")))
    assert head == [field["name"] for field in told["resources"][0]["schema"]["fields"]] and len(rows) == 3
    assert archive.read(leaflet) == b"%PDF-1.7 leaflet"


def test_a_zip_that_was_fetched_is_not_sent_again_and_one_of_nothing_published_is_not_there(town: Town):
    dataset = town.publish(PEOPLE, "jinko.csv", title="人口")
    name = town.name_of(dataset)
    address, visitor = f"/opendata/datasets/{name}.zip", town.visitor()
    seen = visitor.get(address, page=False).headers["etag"]
    assert visitor.get(address, page=False, headers={"If-None-Match": seen}).status_code == 304
    town.staff("manager").post(f"desk/datasets/{dataset}/withdraw", {"reason": "誤りがあったため"})
    assert visitor.get(address, page=False).status_code in (404, 410)


@pytest.mark.parametrize(("view", "query"), [("table", ""), ("chart", "x=町名&y=人口（人）&how=sum"), ("map", "")])
def test_a_frame_says_whose_data_it_is_and_any_site_may_show_it(town: Town, view: str, query: str):
    dataset = town.publish(AED if view == "map" else PEOPLE, title="大木町のデータ")
    answer = town.visitor().get(f"/opendata/embed/{resource_of(town, dataset)}/{view}?{query}")
    assert answer.status_code == 200 and answer.headers["content-security-policy"] == "frame-ancestors *"
    words = visible(answer.text)
    assert "出典" in words and "大木町「大木町のデータ」" in words and "CC BY 4.0" in words
    assert f"/datasets/{town.name_of(dataset)}/resources/" in answer.text
    assert ("<svg" in answer.text) == (view != "table") and "<script" not in answer.text and "<form" not in answer.text


def test_a_frame_keeps_its_conditions_and_shows_nothing_where_they_are_wrong(town: Town):
    resource = resource_of(town, town.publish(PEOPLE, "jinko.csv", title="人口"))
    frame = f"/opendata/embed/{resource}/table"
    told = visible(town.visitor().get(frame, params={"c0": "町名", "o0": "eq", "v0": "大溝"}).text)
    assert "300" in told and "120" not in told
    wrong = visible(town.visitor().get(frame, params={"c0": "ない列", "o0": "eq", "v0": "x"}).text)
    assert "表示できる内容がありません" in wrong and "300" not in wrong


def test_the_pages_offer_the_html_and_it_leads_to_the_frame(town: Town):
    dataset = town.publish(AED, title='"AED" & <b>')
    resource = resource_of(town, dataset)
    page = town.visitor().get(f"/opendata/datasets/{town.name_of(dataset)}/resources/{resource}?q=小学校").text
    offered = [html.unescape(one) for one in re.findall(r"&lt;iframe.*?&lt;/iframe&gt;", page)]
    assert len(offered) == 2, "the table and the map"
    for piece in offered:
        assert 'title="&quot;AED&quot; &amp; &lt;b>"' in piece
        address = html.unescape(re.search(r'src="([^"]*)"', piece)[1])  # type: ignore[index]
        framed = town.visitor().get("/opendata" + address.partition("/opendata")[2])
        assert framed.status_code == 200 and "大溝小学校" in framed.text and "大木町役場" not in framed.text


def test_what_is_withdrawn_is_in_no_frame_any_more(town: Town):
    dataset = town.publish(AED)
    frame = f"/opendata/embed/{resource_of(town, dataset)}/table"
    town.staff().post(f"desk/datasets/{dataset}/withdraw", {"reason": "内容を確かめています。"})
    gone = town.visitor().get(frame)
    assert gone.status_code == 410 and "理由：" in gone.text
    assert town.visitor().get(frame.replace("table", "script")).status_code in (404, 422)
