"""DCAT from elsewhere, as plain values. Turtle, RDF/XML and N-Triples; JSON-LD only with its context inside: nothing is loaded."""

import json
from collections.abc import Iterator
from typing import Any

import rdflib
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF

from libs.common.errors import Invalid
from services.opendata.domain.gathering import frequency_of
from services.opendata.domain.vocabulary import THEMES

FORMATS = {
    "text/turtle": "turtle", "application/rdf+xml": "xml", "application/xml": "xml", "text/xml": "xml",
    "application/n-triples": "nt", "application/ld+json": "json-ld", "application/json": "json-ld",
}  # fmt: skip
HYDRA = rdflib.Namespace("http://www.w3.org/ns/hydra/core#")
MOST_FILES = 200


def data_sets(body: bytes, media_type: str, url: str) -> tuple[list[dict[str, Any]], str | None]:
    """(data sets, address of the next page). Invalid for what is no DCAT."""
    form = FORMATS.get(media_type) or (
        "xml" if url.endswith((".rdf", ".xml")) else "json-ld" if url.endswith(".jsonld") else "turtle"
    )
    if form == "json-ld":
        _check_context(body)
    graph = rdflib.Graph()
    try:
        graph.parse(data=body.decode("utf-8-sig"), format=form, publicID=url)
    except Exception as error:  # every parser raises its own
        raise Invalid("DCATとして読めませんでした。Turtle、RDF/XMLのアドレスを入力してください。") from error
    following = next(
        (str(each) for each in _following(graph) if isinstance(each, rdflib.URIRef)),
        None,
    )
    return list(_data_sets(graph)), following


def _following(graph: rdflib.Graph) -> Iterator[Any]:
    for name in (HYDRA.nextPage, HYDRA.next):
        yield from graph.objects(None, name)


def _check_context(body: bytes) -> None:
    """A context by address would be loaded from there."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("JSON-LDとして読めませんでした。") from error
    stack = [told]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            contexts = each.get("@context", {})
            if (
                any(isinstance(one, str) for one in (contexts if isinstance(contexts, list) else [contexts]))
                or "@import" in each
            ):
                raise Invalid(
                    "ほかのサイトの定義（@context）が要るJSON-LDは読めません。Turtleのアドレスを入力してください。"
                )
            stack += each.values()
        elif isinstance(each, list):
            stack += each


def _data_sets(graph: rdflib.Graph) -> Iterator[dict[str, Any]]:
    for node in sorted(graph.subjects(RDF.type, DCAT.Dataset), key=str):
        files = [_file(graph, each) for each in sorted(graph.objects(node, DCAT.distribution), key=str)][:MOST_FILES]
        licenses = [
            str(found)
            for each in graph.objects(node, DCAT.distribution)
            for found in graph.objects(each, DCTERMS.license)
        ]
        themes = (str(theme).rpartition("/")[2].upper() for theme in graph.objects(node, DCAT.theme))
        yield {
            "guid": (_text(graph, node, DCTERMS.identifier) or str(node))[:500], "title": _text(graph, node, DCTERMS.title)[:200],
            "notes": _text(graph, node, DCTERMS.description)[:20_000], "page": _web(_text(graph, node, DCAT.landingPage)),
            "license": next(iter([*licenses, *map(str, graph.objects(node, DCTERMS.license))]), ""),
            "theme": next((theme for theme in themes if theme in THEMES), ""),
            "frequency": frequency_of(_text(graph, node, DCTERMS.accrualPeriodicity)),
            "tags": sorted({str(word) for word in graph.objects(node, DCAT.keyword)})[:50],
            "files": [each for each in files if each["url"]],
        }  # fmt: skip


def _file(graph: rdflib.Graph, node: Any) -> dict[str, str]:
    address = _text(graph, node, DCAT.downloadURL) or _text(graph, node, DCAT.accessURL)
    form = _text(graph, node, DCTERMS["format"]) or _text(graph, node, DCAT.mediaType)
    return {
        "url": _web(address),
        "name": _text(graph, node, DCTERMS.title)[:200],
        "format": form.rpartition("/")[2].upper()[:40],
    }


def _text(graph: rdflib.Graph, node: Any, predicate: Any) -> str:
    """The Japanese value, else any; of a blank node its label."""
    values = list(graph.objects(node, predicate))
    japanese = next((each for each in values if getattr(each, "language", None) == "ja"), None)
    value = japanese if japanese is not None else next(iter(sorted(values, key=str)), "")
    if isinstance(value, rdflib.BNode):
        value = graph.value(value, FOAF.name) or graph.value(value, rdflib.RDFS.label) or ""
    return " ".join(str(value).split()) if predicate != DCTERMS.description else str(value).strip()


def _web(address: str) -> str:
    return address if address.startswith(("http://", "https://")) and len(address) <= 2000 else ""
