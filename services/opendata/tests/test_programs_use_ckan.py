"""The unmodified ckanapi from PyPI reads and writes; shapes, errors and quirks are CKAN 2.12's."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import ckanapi
import pytest

from services.opendata.tests.people import AED, Town
from services.opendata.tests.serving import KEY, served
from services.opendata.use_cases import programs


@pytest.fixture
def address(town: Town) -> Iterator[str]:
    with served(town) as found:
        yield found


@pytest.fixture
def reader(address: str) -> ckanapi.RemoteCKAN:
    return ckanapi.RemoteCKAN(address, user_agent="a test")


@pytest.fixture
def writer(address: str) -> ckanapi.RemoteCKAN:
    return ckanapi.RemoteCKAN(address, apikey=KEY, user_agent="a test")


def test_a_developer_finds_and_queries_what_a_clerk_published(town: Town, reader: ckanapi.RemoteCKAN):
    dataset = town.publish()
    found = reader.action.package_search(
        q="ＡＥＤ", facet="true", **{"facet.field": json.dumps(["organization", "res_format", "groups"])}
    )
    assert found["count"] == 1
    package = found["results"][0]
    assert (package["id"], package["organization"]["title"], package["license_id"]) == (dataset, "大木町", "cc-by")
    assert {"推奨データセット", "AED設置箇所"} & {tag["name"] for tag in package["tags"]}
    facet = found["search_facets"]["organization"]["items"][0]
    assert (facet["display_name"], facet["count"]) == ("大木町", 1)
    resource = package["resources"][0]
    assert resource["datastore_active"] and resource["format"] == "CSV"
    rows = reader.action.datastore_search(
        resource_id=resource["id"], filters={"緯度": {"gte": 33.21}}, sort="緯度 desc", fields=["名称", "緯度"]
    )
    assert rows["total"] == 3
    assert [row["緯度"] for row in rows["records"]] == [33.2209, 33.2115, 33.2101]
    assert rows["fields"][0] == {"id": "名称", "type": "text"}


def test_a_program_publishes_changes_and_withdraws(town: Town, writer: ckanapi.RemoteCKAN, reader: ckanapi.RemoteCKAN):
    made = writer.action.package_create(
        name="ooki-numbers", title="大木町の数", notes="試し", license_id="cc-zero", owner_org=town.code,
        tags=[{"name": "統計"}, {"name": "試し"}], extras=[{"key": "source", "value": "統計係"}],
    )  # fmt: skip
    assert made["state"] == "active" and made["organization"]["name"] == town.code
    file = writer.action.resource_create(
        package_id="ooki-numbers",
        name="数の表",
        upload=("numbers.csv", io.BytesIO("町,数\n大木,3\n大溝,12\n".encode())),
    )
    assert file["datastore_active"] and file["url_type"] == "upload" and file["format"] == "CSV"
    assert reader.action.datastore_search(resource_id=file["id"])["records"] == [
        {"_id": 1, "町": "大木", "数": 3}, {"_id": 2, "町": "大溝", "数": 12},
    ]  # fmt: skip
    patched = writer.action.package_patch(id="ooki-numbers", title="大木町の数（改）")
    assert (patched["title"], patched["notes"], len(patched["resources"])) == ("大木町の数（改）", "試し", 1)
    writer.action.resource_patch(id=file["id"], description="二つの行")
    assert reader.action.resource_show(id=file["id"])["description"] == "二つの行"
    updated = writer.action.package_update(**(reader.action.package_show(id="ooki-numbers") | {"notes": ""}))
    assert updated["notes"] is None and [each["id"] for each in updated["resources"]] == [file["id"]]
    writer.action.resource_delete(id=file["id"])
    assert reader.action.package_show(id="ooki-numbers")["resources"] == []
    writer.action.package_delete(id="ooki-numbers")
    with pytest.raises(ckanapi.NotFound):
        reader.action.package_show(id="ooki-numbers")
    assert len(town.events("opendata.dataset.withdrawn.v1")) == 1


def test_a_private_data_set_is_its_owner_s_alone(town: Town, writer: ckanapi.RemoteCKAN, reader: ckanapi.RemoteCKAN):
    writer.action.package_create(name="ooki-secret", title="まだ", private=True, owner_org=town.code)
    assert writer.action.package_show(id="ooki-secret")["private"] is True
    with pytest.raises(ckanapi.NotFound):
        reader.action.package_show(id="ooki-secret")
    assert reader.action.package_list() == []
    writer.action.package_patch(id="ooki-secret", private=False)
    assert reader.action.package_list() == ["ooki-secret"]


def test_personal_data_stops_a_program(town: Town, writer: ckanapi.RemoteCKAN):
    writer.action.package_create(name="ooki-people", owner_org=town.code)
    people = "氏名,住所,携帯\n山田 太郎,大木町大字福土1-1,090-1234-5678\n".encode()
    with pytest.raises(ckanapi.ValidationError) as refused:
        writer.action.resource_create(package_id="ooki-people", upload=("people.csv", io.BytesIO(people)))
    assert "upload" in refused.value.error_dict


@pytest.mark.parametrize(
    ("action", "given", "error"),
    [
        ("package_show", {"id": "nothing"}, ckanapi.NotFound),
        ("package_show", {}, ckanapi.ValidationError),
        ("package_create", {"name": "x-y"}, ckanapi.NotAuthorized),
        ("package_search", {"no_such": "1"}, ckanapi.SearchQueryError),
        ("package_search", {"fq": "organization:(("}, ckanapi.SearchQueryError),
        ("datastore_search", {"resource_id": "nothing"}, ckanapi.NotFound),
    ],
)
def test_refusals_are_ckan_s(reader: ckanapi.RemoteCKAN, action: str, given: dict, error: type[Exception]):
    with pytest.raises(error):
        reader.call_action(action, given)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"), ({"name": "Große"}, "name"), ({"name": "a"}, "name"), ({"name": "ok-name", "tags": [{"x": 1}]}, "tags"),
        ({"name": "ok-name", "owner_org": "nobody"}, "owner_org"), ({"name": "ok-name", "private": True}, "private"),
        ({"name": "ok-name", "extras": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}, "extras"),
    ],
)  # fmt: skip
def test_what_is_not_valid_is_named_by_its_field(writer: ckanapi.RemoteCKAN, given: dict, field: str):
    with pytest.raises(ckanapi.ValidationError) as refused:
        writer.call_action("package_create", given)
    assert field in refused.value.error_dict
    assert writer.action.package_list() == [], "a refused data set leaves nothing"


def test_a_name_is_taken_once_in_the_whole_prefecture(town: Town, neighbour: Town, writer: ckanapi.RemoteCKAN):
    neighbour.machine().result("package_create", name="aed")
    with pytest.raises(ckanapi.ValidationError) as refused:
        writer.action.package_create(name="aed")
    assert refused.value.error_dict["name"] == ["That URL is already in use."]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_name_that_two_take_at_once_is_one_s(
    town: Town, neighbour: Town, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
):
    """Found by `make chaos`: a program that was not answered in time sends again while the first request is still at work."""
    both, check = threading.Barrier(2), programs._check_name

    def looked(*given: Any) -> None:
        check(*given)
        with suppress(threading.BrokenBarrierError):  # where only one writes at a time, the other has not looked yet
            both.wait(3)

    monkeypatch.setattr(programs, "_check_name", looked)
    machines = [town.machine(), (neighbour if elsewhere else town).machine()]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda each: each.act("package_create", name="at-once"), machines))
    assert sorted(each.status_code for each in answers) == [200, 409], [each.text for each in answers]
    [refused] = [each.json()["error"] for each in answers if each.status_code == 409]
    assert refused["name"] == ["That URL is already in use."]
    assert town.visitor().result("package_list") == ["at-once"]


def test_the_quirks_of_the_envelope(town: Town):
    visitor = town.visitor()
    unknown = visitor.get("/opendata/api/3/action/nope")
    assert (unknown.status_code, unknown.json()) == (400, "Bad request: Action name not known: nope")
    get = visitor.get("/opendata/api/3/action/package_create?name=x")
    assert (get.status_code, get.json()) == (
        400, "Bad request: JSON Error: Invalid request. Please use POST method for your request",
    )  # fmt: skip
    broken = visitor.client.post("/opendata/api/3/action/package_list", content=b"{", headers=visitor._headers(False))
    assert broken.status_code == 400 and isinstance(broken.json(), str)
    form = visitor.client.post(
        "/opendata/api/action/status_show", data={'{"a": 1}': ""}, headers=visitor._headers(False)
    )
    assert form.json()["success"] is True
    padded = town.machine().get("/opendata/api/3/action/organization_list_for_user?callback=show", page=False)
    assert padded.text.startswith("show({") and '"result": []' in padded.text, "with a callback nobody is known"
    assert [visitor.get(f"/opendata/api/{n}").json() for n in (1, 2, 3)] == [{"version": n} for n in (1, 2, 3)]
    assert visitor.get("/opendata/api/4").status_code == 404
    assert visitor.get("/opendata/api/3/action/site_read").status_code == 400, "not callable in CKAN either"
    help_ = visitor.result("package_list"), visitor.get("/opendata/api/3/action/package_list").json()["help"]
    assert help_ == ([], "http://127.0.0.1:8080/opendata/api/3/action/help_show?name=package_list")


def test_filters_in_solr_s_language(town: Town, neighbour: Town):
    town.publish()
    neighbour.publish("駅,人\r\n久留米,100\r\n".encode(), "station.csv", title="駅の乗降客数")
    visitor = town.visitor()

    def found(fq: str, **more: object) -> list[str]:
        return sorted(each["title"] for each in visitor.result("package_search", fq=fq, **more)["results"])

    both = ["AED設置箇所一覧", "駅の乗降客数"]
    assert found("organization:405221") == ["AED設置箇所一覧"]
    assert found("+organization:(405221 OR 402036) +state:active") == both
    assert found("-organization:405221") == ["駅の乗降客数"]
    assert found('tags:"AED設置箇所" OR title:駅の乗降客数') == both
    assert found("groups:tran AND res_format:CSV") == []
    assert found("name:405221_*") == ["AED設置箇所一覧"]
    assert found("metadata_modified:[2026-11-20T00:00:00Z TO *]") == both
    assert found("metadata_modified:[* TO 2026-11-19T00:00:00Z]") == []
    assert found("*:*", q="*:*") == both
    assert found("", q="駅 organization:402036") == ["駅の乗降客数"]
    assert [each["title"] for each in visitor.result("package_search", sort="title asc")["results"]] == both
    page = visitor.result("package_search", rows=1, start=1, sort="title asc")
    assert (page["count"], [each["title"] for each in page["results"]]) == (2, ["駅の乗降客数"])


def test_a_harvester_walks_all_pages_and_then_only_what_has_changed(
    town: Town, writer: ckanapi.RemoteCKAN, reader: ckanapi.RemoteCKAN
):
    for number in range(7):
        writer.action.package_create(name=f"data-{number}", title=f"データ{number}")
    seen: list[str] = []
    start = 0
    while page := reader.action.package_search(rows=3, start=start, sort="id asc")["results"]:
        seen += [each["id"] for each in page]
        start += 3
    assert len(seen) == len(set(seen)) == 7
    before = town.service.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    town.service.clock.advance(seconds=60)
    writer.action.package_patch(id="data-3", notes="変わりました")
    changed = reader.action.package_search(
        fq=f"metadata_modified:[{before} TO *] -notes:x", sort="metadata_modified desc", rows=1
    )
    assert changed["results"][0]["name"] == "data-3"


def test_the_command_line_dumps_everything(town: Town, address: str, tmp_path: Path):
    town.publish()
    tools = Path(sys.executable).parent
    command = [str(tools / "ckanapi"), "dump", "datasets", "--all", "-r", address]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        check=False,
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["title"] for line in lines] == ["AED設置箇所一覧"]


def test_a_file_can_be_any_kind_but_only_tables_can_be_queried(town: Town, writer: ckanapi.RemoteCKAN):
    writer.action.package_create(name="ooki-map")
    file = writer.action.resource_create(
        package_id="ooki-map", upload=("map.pdf", io.BytesIO(b"%PDF-1.7\n" + b"x" * 100))
    )
    assert (file["format"], file["datastore_active"]) == ("PDF", False)
    with pytest.raises(ckanapi.NotFound):
        writer.action.datastore_search(resource_id=file["id"])


def test_the_rows_in_every_shape(town: Town):
    town.publish(AED)
    visitor = town.visitor()
    resource = visitor.result("package_search")["results"][0]["resources"][0]["id"]
    lists = visitor.result("datastore_search", resource_id=resource, records_format="lists", fields="名称", limit=1)
    assert lists["records"] == [["大木町役場"]]
    text = visitor.result("datastore_search", resource_id=resource, records_format="csv", fields=["名称"], limit=1)
    assert text["records"] == "大木町役場\n"
    assert visitor.result("datastore_search", resource_id=resource, q="小学校")["total"] == 2
    assert visitor.result("datastore_search", resource_id=resource, limit=0)["records"] == []
    assert visitor.result("datastore_info", id=resource)["meta"]["count"] == 4
    for bad in (
        {"filters": {"ない列": 1}},
        {"sort": "ない列 asc"},
        {"fields": ["ない列"]},
        {"filters": {"緯度": {"like": 1}}},
        {"limit": -1},
    ):
        assert visitor.act("datastore_search", resource_id=resource, **bad).status_code == 409, bad


def test_a_program_changes_a_part_only_while_it_is_as_it_believes(town: Town):
    program = town.machine()
    program.result("package_create", name="part", notes="前", resources=[{"url": "http://example.com/a", "name": "甲"}])
    ident = town.visitor().result("package_show", id="part")["resources"][0]["id"]
    changed = program.result(
        "package_revise",
        match={"name": "part", "notes": "前"},
        update={"notes": "後"},
        update__resources__extend=[{"url": "http://example.com/b"}],
        **{f"update__resources__{ident[:13]}__name": "乙"},
    )["package"]
    assert (changed["notes"], [each["name"] for each in changed["resources"]]) == ("後", ["乙", ""])
    assert (
        program.act("package_revise", match={"name": "part", "notes": "前"}, update={"notes": "x"}).status_code == 409
    )
    program.result("package_revise", match={"name": "part"}, filter=["+resources", "-*"], update={"name": "part"})
    left = town.visitor().result("package_show", id="part")
    assert (left["notes"], len(left["resources"])) == (None, 2)
    order = [each["id"] for each in reversed(left["resources"])]
    program.result("package_resource_reorder", id="part", order=order)
    assert [each["id"] for each in town.visitor().result("package_show", id="part")["resources"]] == order


def test_files_are_found_by_any_field_and_in_order(town: Town):
    program = town.machine()
    program.result("package_create", name="files", resources=[
        {"url": "http://example.com/b", "name": "乙", "format": "CSV", "size": 10},
        {"url": "http://example.com/a", "name": "甲", "size": 7},
    ])  # fmt: skip
    visitor = town.visitor()
    both = visitor.result("resource_search", query="name:", order_by="url")["results"]
    assert [each["name"] for each in both] == ["甲", "乙"]
    assert visitor.result("resource_search", query="size:10")["results"][0]["name"] == "乙"
    assert visitor.result("resource_search", query=f"created:{both[0]['created']}")["count"] == 2
    assert visitor.result("resource_search", query=f"package_id:{both[0]['package_id']}")["count"] == 2
    for bad in ({"query": "none:x"}, {"query": "name:x", "order_by": "none"}):
        assert visitor.act("resource_search", **bad).status_code == 400


def test_a_document_is_no_table_though_it_begins_with_blank_lines(town: Town, writer: ckanapi.RemoteCKAN):
    writer.action.package_create(name="ooki-json")
    text = b"\n" + b" " * 40 + b'\n{"a": 1, "b": 2}\n'
    file = writer.action.resource_create(package_id="ooki-json", upload=("map.geojson", io.BytesIO(text)))
    assert (file["format"], file["datastore_active"]) == ("JSON", False)


def test_a_program_that_sends_every_night_what_is_there_tells_nobody(town: Town):
    program = town.machine()
    said = {
        "name": "nightly",
        "title": "毎晩",
        "notes": "説明",
        "tags": [{"name": "統計"}],
        "extras": [{"key": "a", "value": "1"}],
    }
    made = program.result(
        "package_create", **said, resources=[{"url": "http://example.com/a.csv", "name": "甲", "own": "x"}]
    )
    file = made["resources"][0]
    town.service.clock.advance(days=1)
    program.result("package_update", **made)
    program.result("package_update", **said, id=made["id"])
    program.result("package_patch", id=made["id"], notes="説明")
    program.result("resource_update", **file)
    program.result("resource_patch", id=file["id"], name="甲")
    shown = town.visitor().result("package_show", id="nightly")
    assert (shown["metadata_modified"], shown["resources"]) == (made["metadata_modified"], [file])
    assert len(town.events("opendata.dataset.published.v1")) == 1
    program.result("resource_update", **file | {"own": "y"})
    shown = town.visitor().result("package_show", id="nightly")
    assert shown["metadata_modified"] > made["metadata_modified"] and shown["resources"][0]["own"] == "y"
    assert len(town.events("opendata.dataset.published.v1")) == 2
    program.result("resource_delete", id=file["id"])
    assert len(town.events("opendata.dataset.published.v1")) == 3, "a file that goes is a change"
