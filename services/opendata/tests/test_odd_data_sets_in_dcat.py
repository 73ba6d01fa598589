"""Data sets as programs write them, with what is missing, wrong or unusual: every description of them stays clean and readable."""

import json
from xml.etree import ElementTree

import pytest
import rdflib

from services.opendata.tests.people import Town
from services.opendata.tests.test_harvesters_and_search_engines import DCAT_AP, problems

ODD: dict[str, dict[str, object]] = {
    "bare": {},
    "english": {"title": "Bus stops of Ooki", "notes": "All of them.", "tags": [{"name": "bus stop"}],
                "extras": [{"key": "language", "value": "en"}]},
    "two-languages": {"extras": [{"key": "language", "value": '["ja", "en-US"]'}]},
    "unknown-language": {"extras": [{"key": "language", "value": "方言 <script>"}]},
    "unknown-licence": {"license_id": "our-own 規約", "resources": [{"url": "http://example.com/a.csv"}]},
    "no-licence": {"license_id": "notspecified"},
    "contact-without-mail": {"author": "防災課", "maintainer": "情報政策課", "maintainer_email": "みなさま", "url": "なし"},
    "mail-only": {"maintainer_email": "info@town.example"},
    "periods": {"title": "令和3年度〜令和5年度の人口", "extras": [
        {"key": "temporal_start", "value": "2021-04-01"}, {"key": "temporal_end", "value": "R5末"},
        {"key": "issued", "value": "昨年"}, {"key": "modified", "value": "2024-13-45"}]},
    "spatial": {"extras": [{"key": "spatial", "value": '{"type":"Point","coordinates":[130.4,33.2]}'},
                           {"key": "spatial_uri", "value": "福岡県"}]},
    "frequency": {"extras": [{"key": "frequency", "value": "気が向いたとき"}, {"key": "accrual_periodicity", "value": "daily"}]},
    "addresses": {"resources": [{"url": url, "format": form, "mimetype": kind} for url, form, kind in [
        ("なし", "", "なし"), ("ftp://example.com/あ い.csv", "CSV", "text/csv"), ("http://[bad", "PDF", "x/y/z"), ("", "独自形式", ""),
        ("http://example.com/%zz<>", "text/csv; charset=cp932", "text/csv; charset=cp932")]]},
    "long": {"title": "長" * 200, "notes": "文\n\n" * 5000, "tags": [{"name": f"語 {n}"} for n in range(60)]},
    "twice": {"resources": [{"url": "http://example.com/same.csv", "format": "CSV"}] * 2},
}  # fmt: skip


@pytest.fixture
def odd(town: Town) -> Town:
    program = town.machine()
    for name, said in ODD.items():
        program.result("package_create", name=name, **said)
    program.result("package_create", name="withdrawn", title="やめたもの")
    program.result("package_delete", id="withdrawn")
    return town


@pytest.mark.parametrize("edition", DCAT_AP)
def test_odd_data_sets_are_clean_by_dcat_ap_s_own_shapes(odd: Town, edition: str):
    text = odd.visitor().get("/opendata/catalog.ttl").text
    graph = rdflib.Graph().parse(data=text, format="turtle")
    names = {str(each).rpartition("/")[2] for each in graph.subjects(rdflib.RDF.type, rdflib.DCAT.Dataset)}
    assert len(names) == len(ODD) and "やめたもの" not in text
    assert problems(graph, *DCAT_AP[edition]) == []
    [period] = graph.subjects(rdflib.RDF.type, rdflib.DCTERMS.PeriodOfTime)
    told = [str(graph.value(period, each)) for each in (rdflib.DCAT.startDate, rdflib.DCAT.endDate)]
    assert told == ["2021", "2023"], "the years its title names"
    language = {
        str(graph.value(each, rdflib.DCTERMS.identifier)): each
        for each in graph.subjects(rdflib.RDF.type, rdflib.DCAT.Dataset)
    }
    spoken = {
        str(each).rpartition("/")[2]: {
            str(one).rpartition("/")[2] for one in graph.objects(each, rdflib.DCTERMS.language)
        }
        for each in language.values()
    }
    assert spoken.pop("english#dataset") == {"ENG"} and spoken.pop("two-languages#dataset") == {"JPN", "ENG"}
    assert all(each == {"JPN"} for each in spoken.values()), "where nothing is said, or nothing that is known"
    places = {graph.value(each, rdflib.DCTERMS.spatial) for each in language.values()}
    assert {str(graph.value(each, rdflib.SKOS.prefLabel)) for each in places if each} == {"大木町"}
    mails = {str(each) for each in graph.objects(None, rdflib.Namespace("http://www.w3.org/2006/vcard/ns#").hasEmail)}
    assert mails == {"mailto:info@town.example"}


def test_every_description_of_an_odd_data_set_can_be_read(odd: Town):
    visitor = odd.visitor()
    whole = json.loads(visitor.get("/opendata/data.json").text)
    assert len(whole["dataset"]) == len(ODD)
    for each in whole["dataset"]:
        assert (
            each["title"]
            and each["description"]
            and each["keyword"]
            and each["identifier"]
            and each["publisher"]["name"]
        ), each
        assert each["contactPoint"]["fn"], each
        for part in each.get("distribution", []):
            assert part.get("downloadURL") or part.get("accessURL"), each
            assert "downloadURL" not in part or part["mediaType"], each
    spoken = {each["landingPage"].rpartition("/")[2]: each["language"] for each in whole["dataset"]}
    assert (spoken["english"], spoken["two-languages"], spoken["bare"]) == (["en"], ["ja", "en"], ["ja"])
    contacts = {each["landingPage"].rpartition("/")[2]: each["contactPoint"] for each in whole["dataset"]}
    assert contacts["mail-only"] == {"@type": "vcard:Contact", "fn": "大木町", "hasEmail": "mailto:info@town.example"}
    assert contacts["contact-without-mail"] == {"@type": "vcard:Contact", "fn": "情報政策課"}, "みなさま is no address"
    for name in ODD:
        for form in ("ttl", "jsonld", "rdf"):
            graph = rdflib.Graph().parse(
                data=visitor.get(f"/opendata/datasets/{name}.{form}").text,
                format={"ttl": "turtle", "jsonld": "json-ld", "rdf": "xml"}[form],
            )
            assert (None, rdflib.RDF.type, rdflib.DCAT.Dataset) in graph, (name, form)
        package = visitor.get(f"/opendata/datasets/{name}/datapackage.json")
        if "resources" not in ODD[name]:
            assert package.status_code == 404, "a package without files is none"
            continue
        assert package.status_code == 200 and package.json()["name"] == name
        files = [each["name"] for each in package.json()["resources"]]
        assert files and len(set(files)) == len(files), name
    feed = ElementTree.fromstring(visitor.get("/opendata/feed.atom").content)
    entries = feed.findall("{http://www.w3.org/2005/Atom}entry")
    told = [{part.tag.rpartition("}")[2]: part for part in entry} for entry in entries]
    assert all(
        {"id", "title", "updated"} <= set(each) and ("author" in each or feed.find("{*}author") is not None)
        for each in told
    )
    assert len({each["id"].text for each in told}) == len(told) == len(ODD)
