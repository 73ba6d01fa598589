"""DCAT, data.json, sitemap, Atom and schema.org say what is published, in forms independent readers accept."""

import html
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pyshacl
import pytest
import rdflib
from rdflib.namespace import DCAT, DCTERMS, RDF, SH

from services.opendata.api import feeds
from services.opendata.tests.people import Town

pytestmark = pytest.mark.any_store

NAMES = {"a": "http://www.w3.org/2005/Atom", "s": "http://www.sitemaps.org/schemas/sitemap/0.9"}


def test_turtle_and_json_ld_are_the_same_graph(town: Town, neighbour: Town):
    name = town.name_of(town.publish())
    neighbour.publish(b"a,b\r\n1,2\r\n", "x.csv", title='引用符 " と <山> の表\\')
    visitor = town.visitor()
    turtle = rdflib.Graph().parse(data=visitor.get("/opendata/catalog.ttl").text, format="turtle")
    json_ld = rdflib.Graph().parse(data=visitor.get("/opendata/catalog.jsonld").text, format="json-ld")
    assert len(list(turtle.subjects(RDF.type, DCAT.Dataset))) == 2
    paging = [
        graph.subjects(RDF.type, rdflib.URIRef("http://www.w3.org/ns/hydra/core#PagedCollection"))
        for graph in (turtle, json_ld)
    ]
    for graph, pages in zip((turtle, json_ld), paging, strict=True):
        for page in list(pages):
            graph.remove((page, None, None))
    assert set(turtle) == set(json_ld)
    one = rdflib.Graph().parse(data=visitor.get(f"/opendata/datasets/{name}.ttl").text, format="turtle")
    [dataset] = one.subjects(RDF.type, DCAT.Dataset)
    assert str(one.value(dataset, DCTERMS.title)) == "AED設置箇所一覧"
    [distribution] = one.objects(dataset, DCAT.distribution)
    assert str(one.value(distribution, DCTERMS.license)) == "https://creativecommons.org/licenses/by/4.0/"
    download = str(one.value(distribution, DCAT.downloadURL)).removeprefix("http://127.0.0.1:8080")
    assert "大木町役場" in visitor.get(download).text


def test_a_harvester_learns_in_one_question_that_nothing_has_changed(town: Town):
    town.publish()
    visitor = town.visitor()
    for address in ("catalog.ttl", "catalog.jsonld", "data.json", "sitemap.xml"):
        etag = visitor.get(f"/opendata/{address}").headers["etag"]
        assert visitor.get(f"/opendata/{address}", headers={"If-None-Match": etag}).status_code == 304, address
    town.publish(b"a,b\r\n1,2\r\n", "x.csv", title="もう一つ")
    assert visitor.get("/opendata/data.json", headers={"If-None-Match": etag}).status_code == 200


def test_data_json_sitemap_and_feed_name_every_data_set(town: Town):
    name = town.name_of(town.publish())
    visitor = town.visitor()
    [entry] = visitor.get("/opendata/data.json").json()["dataset"]
    assert (entry["title"], entry["publisher"]["name"]) == ("AED設置箇所一覧", "大木町")
    address = f"http://127.0.0.1:8080/opendata/datasets/{name}"
    sitemap = ElementTree.fromstring(visitor.get("/opendata/sitemap.xml").text)
    assert [loc.text for loc in sitemap.iterfind(".//s:loc", NAMES)] == [address]
    feed = ElementTree.fromstring(visitor.get("/opendata/feed.atom").text)
    assert [title.text for title in feed.iterfind("a:entry/a:title", NAMES)] == ["AED設置箇所一覧"]
    elsewhere = ElementTree.fromstring(visitor.get("/opendata/feed.atom?municipality=402036").text)
    assert elsewhere.findall("a:entry", NAMES) == []


def test_the_page_tells_search_engines_and_cannot_be_broken_out_of(town: Town):
    name = town.name_of(town.publish(notes="</script><script>alert(1)</script>"))
    page = town.visitor().get(f"/opendata/datasets/{name}").text
    [told] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    document = json.loads(told)
    assert (document["@type"], document["name"]) == ("Dataset", "AED設置箇所一覧")
    assert document["description"] == "</script><script>alert(1)</script>"
    assert "<script>alert" not in page


SHAPES = Path(__file__).parent / "data" / "shacl"


def problems(graph: rdflib.Graph, *shapes: str) -> list[str]:
    """What DCAT-AP's own shapes find wrong."""
    wanted = rdflib.Graph()
    for name in shapes:
        wanted.parse(SHAPES / name, format="turtle")
    conforms, report, _ = pyshacl.validate(graph, shacl_graph=wanted, inference="rdfs", advanced=True)
    assert isinstance(report, rdflib.Graph)
    messages = [str(message) for message in report.objects(None, SH.resultMessage)]
    return messages or ([] if conforms else ["does not conform"])


DCAT_AP = {
    "2.1.1": ("dcat-ap_2.1.1_shacl_shapes.ttl", "dcat-ap_2.1.1_shacl_range.ttl"),
    "3.0": ("dcat-ap_3_shacl_shapes.ttl",),
}


def test_the_catalogue_is_clean_by_dcat_ap_s_own_shapes(town: Town):
    town.publish()
    program = town.machine()
    program.result("package_create", name="bare")
    program.result("package_create", name="links", resources=[{"url": "https://example.com/a b.pdf", "format": "PDF"}])
    rows = program.result("datastore_create", resource={"package_id": "links"}, records=[{"数": 1}])
    assert rows["resource_id"]
    text = town.visitor().get("/opendata/catalog.ttl").text
    for edition, shapes in DCAT_AP.items():
        assert problems(rdflib.Graph().parse(data=text, format="turtle"), *shapes) == [], edition
        broken = rdflib.Graph().parse(data=text, format="turtle")
        broken.remove((None, DCTERMS.description, None))
        broken.remove((None, DCAT.accessURL, None))
        assert problems(broken, *shapes), f"the shapes of {edition} find what is planted"


def test_what_a_program_writes_breaks_no_reader_and_leads_nobody_into_a_script(town: Town):
    hard = "悪\x01い\x0b\ufffe\"'<b>&]]></script>\\ {{7*7}}\u2028"
    addresses = [
        "javascript:alert(1)", " JaVaScRiPt:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "//example.com/x",
        "https://example.com/あ い?<x>\u2028\"'|", "ftp://example.com/a", "なし", "",
    ]  # fmt: skip
    files = [{"url": address, "name": hard, "format": hard[:20], "description": hard} for address in addresses]
    made = town.machine().result("package_create", name="hard", title=hard, notes=hard, author=hard, resources=files)
    assert [each["url"] for each in made["resources"]] == addresses, "programs read what a program wrote"
    visitor = town.visitor()
    page = visitor.get("/opendata/datasets/hard").text
    links = [html.unescape(found) for found in re.findall(r'href="([^"]*)"', page)]
    outside = [each for each in links if "example.com" in each or "script" in each or "data:" in each]
    assert outside == ["https://example.com/あ%20い?%3Cx%3E%E2%80%A8%22'%7C", "ftp://example.com/a"]
    feed = ElementTree.fromstring(visitor.get("/opendata/feed.atom").content)
    assert "悪い" in (feed.findtext("a:entry/a:title", namespaces=NAMES) or "")
    ElementTree.fromstring(visitor.get("/opendata/sitemap.xml").content)
    for path in ("catalog.ttl", "catalog.jsonld", "datasets/hard.ttl", "datasets/hard.jsonld"):
        form = "turtle" if path.endswith("ttl") else "json-ld"
        graph = rdflib.Graph().parse(data=visitor.get(f"/opendata/{path}").text, format=form)
        graph.serialize(format="nt")
        assert not [each for each in graph.objects(None, DCAT.accessURL) if not str(each).startswith(("http", "ftp"))]
    told = visitor.get("/opendata/data.json").json()["dataset"][0]
    assert not [each for each in told["distribution"] if each.get("downloadURL", "http").startswith(("java", "data"))]


def test_rdf_xml_says_what_turtle_says(town: Town):
    name = town.name_of(town.publish())
    town.publish(b"a,b\r\n1,2\r\n", "x.csv", title='引用符 " と <山> & の表')
    visitor = town.visitor()
    for xml, turtle in (
        (f"datasets/{name}.rdf", f"datasets/{name}.ttl"), (f"dataset/{name}.xml", f"dataset/{name}.ttl"),
    ):  # fmt: skip
        answer = visitor.get(f"/opendata/{xml}")
        assert answer.headers["content-type"].startswith("application/rdf+xml")
        graph = rdflib.Graph().parse(data=answer.text, format="xml")
        assert set(graph) == set(rdflib.Graph().parse(data=visitor.get(f"/opendata/{turtle}").text, format="turtle"))
    whole = rdflib.Graph().parse(data=visitor.get("/opendata/catalog.xml").text, format="xml")
    titles = {str(whole.value(each, DCTERMS.title)) for each in whole.subjects(RDF.type, DCAT.Dataset)}
    assert titles == {"AED設置箇所一覧", '引用符 " と <山> & の表'}
    page = visitor.get(f"/opendata/dataset/{name}")
    assert (page.status_code, page.headers["location"]) == (301, f"/opendata/datasets/{name}")


def test_feeds_stand_where_ckan_has_them(town: Town, neighbour: Town):
    town.publish()
    neighbour.publish(b"a,b\r\n1,2\r\n", "x.csv", title="駅の乗降客数", theme="TRAN")
    visitor = town.visitor()

    def titles(path: str) -> list[str]:
        answer = visitor.get(f"/opendata/feeds/{path}")
        assert answer.headers["content-type"].startswith("application/atom+xml"), path
        return sorted(
            each.text or "" for each in ElementTree.fromstring(answer.text).iterfind("a:entry/a:title", NAMES)
        )

    both = ["AED設置箇所一覧", "駅の乗降客数"]
    assert titles("dataset.atom") == both
    assert titles("custom.atom?q=駅") == both[1:]
    assert titles(f"organization/{town.code}.atom") == both[:1]
    assert titles("group/tran.atom") == both[1:]
    assert titles("tag/AED設置箇所.atom") == both[:1]
    assert titles("organization/nobody.atom") == []


@pytest.mark.parametrize(
    "path", ["catalog.ttl", "catalog.jsonld", "catalog.rdf", "data.json", "sitemap.xml", "feed.atom", "feed.rss"]
)
def test_a_municipality_has_its_own_data_sets_alone_in_each_list(town: Town, neighbour: Town, path: str):
    own, other = (
        town.name_of(town.publish()),
        neighbour.name_of(neighbour.publish(b"a,b\r\n1,2\r\n", "x.csv", title="駅の表")),
    )
    visitor = town.visitor()
    told = visitor.get(f"/opendata/{path}?municipality={town.code}").text
    assert f"/datasets/{own}" in told and f"/datasets/{other}" not in told
    assert f"/datasets/{other}" in visitor.get(f"/opendata/{path}").text
    nobody = visitor.get(f"/opendata/{path}?municipality=999999", page=False)
    assert nobody.status_code == (200 if path.startswith("feed") else 404) and "/datasets/" not in nobody.text


def test_readers_of_rss_get_what_readers_of_atom_get(town: Town):
    town.publish(title="AED & 救急")
    channel = ElementTree.fromstring(town.visitor().get("/opendata/feed.rss?q=AED").text).find("channel")
    assert channel is not None and [each.text for each in channel.iterfind("item/title")] == ["AED & 救急"]
    assert (channel.findtext("item/pubDate") or "").endswith("+0000")


def test_no_data_set_is_left_out_of_the_sitemaps(town: Town, monkeypatch: pytest.MonkeyPatch):
    names = {town.name_of(town.publish(title=f"表その{n}")) for n in range(3)}
    monkeypatch.setattr(feeds, "SITEMAP", 2)
    visitor = town.visitor()
    listed = re.findall("<loc>http://127.0.0.1:8080([^<]+)</loc>", visitor.get("/opendata/sitemap.xml").text)
    assert len(listed) == 2
    found = [re.findall("/datasets/([^<]+)</loc>", visitor.get(html.unescape(each)).text) for each in listed]
    assert sorted(map(len, found)) == [1, 2] and {name for part in found for name in part} == names


def test_a_page_number_without_end_is_the_first_page(town: Town):
    town.publish()
    assert "AED" in town.visitor().get("/opendata/?page=" + "9" * 5000).text


@pytest.mark.parametrize("page", ["0", "-1"])
@pytest.mark.parametrize("form", ["ttl", "jsonld", "rdf", "xml"])
def test_a_page_before_the_first_is_refused_before_anything_is_sent(town: Town, form: str, page: str):
    """A refusal in the middle of an answer is a broken connection."""
    answer = town.visitor().get(f"/opendata/catalog.{form}?page={page}", page=False)
    assert answer.status_code == 422 and "1から" in answer.text
