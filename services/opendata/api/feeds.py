"""The catalogue for harvesters and search engines: DCAT, data.json, sitemap, Atom, RSS. Streamed; ETag is the catalogue's last change.

`?municipality=<code>` tells of one municipality's data sets only, at every one of these addresses.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from services.opendata.api import describe, shell
from services.opendata.api.public import Asked, asked_in
from services.opendata.catalogue import Catalogue, Entry
from services.opendata.db import PublishedRow, published
from services.opendata.domain.vocabulary import THEMES

router = APIRouter(tags=["harvest"])
PAGE = 100
BATCH = 200
FEED = 50
SITEMAP = 50_000
"""Addresses of one sitemap (sitemaps.org)."""
RDF_XML = "application/rdf+xml; charset=utf-8"


@router.get("/opendata/catalog.ttl", summary="DCAT, Turtle; ?page=1 …")
def catalog_ttl(request: Request, page: int = 1, actor: Actor = access.public()) -> Response:
    _check(request, page)

    def pieces(catalogue: Catalogue) -> Iterator[str]:
        yield describe.prefixes()
        seen: set[str] = set()
        for nodes in _catalog(request, catalogue, page):
            yield from describe.as_turtle(node for node in nodes if not _again(node, seen))

    return _answer(request, pieces, "text/turtle; charset=utf-8")


@router.get("/opendata/catalog.jsonld", summary="DCAT, JSON-LD; ?page=1 …")
def catalog_jsonld(request: Request, page: int = 1, actor: Actor = access.public()) -> Response:
    _check(request, page)

    def pieces(catalogue: Catalogue) -> Iterator[str]:
        yield f'{{"@context": {json.dumps(describe.CONTEXT)}, "@graph": ['
        seen: set[str] = set()
        first = True
        for nodes in _catalog(request, catalogue, page):
            for node in nodes:
                if not _again(node, seen):
                    yield ("" if first else ",\n") + json.dumps(node, ensure_ascii=False)
                    first = False
        yield "]}"

    return _answer(request, pieces, "application/ld+json")


@router.get("/opendata/catalog.rdf", summary="DCAT, RDF/XML; ?page=1 …")
@router.get("/opendata/catalog.xml", include_in_schema=False)
def catalog_rdf(request: Request, page: int = 1, actor: Actor = access.public()) -> Response:
    _check(request, page)

    def pieces(catalogue: Catalogue) -> Iterator[str]:
        yield describe.rdf_begin()
        seen: set[str] = set()
        for nodes in _catalog(request, catalogue, page):
            yield from describe.as_rdf_xml(node for node in nodes if not _again(node, seen))
        yield describe.RDF_END

    return _answer(request, pieces, RDF_XML)


def _again(node: dict[str, Any], seen: set[str]) -> bool:
    """The same publisher and licence stand behind many data sets: they are told once."""
    key = f"{node['@id']} {node['@type']}"
    again = key in seen
    seen.add(key)
    return again


def _check(request: Request, page: int) -> None:
    """What is refused is refused before the first byte: later it would be a broken answer. NotFound, Invalid."""
    _municipality(request)
    if page < 1:
        raise Invalid(say("ページは1から数えます。"))


def _catalog(request: Request, catalogue: Catalogue, page: int) -> Iterator[list[dict[str, Any]]]:
    """A page of the catalogue: its own node (with where the next page is), then the data sets'."""
    site = shell.site(request)
    newest = _newest(request, catalogue)
    part = newest[(page - 1) * PAGE : page * PAGE]
    modified = newest[0].modified.isoformat() if newest else None
    name = shell.settings_in(request).cloud_name or "共同クラウド"
    head = describe.catalog_node(site, name, [f"{site}/datasets/{entry.name}{describe.IT}" for entry in part], modified)
    yield [*head, _paging(request, page, len(newest))]
    for row in rows_of(request, [entry.id for entry in part]):
        yield describe.dataset_nodes(site, row, catalogue.place(row.tenant)[1])


def _newest(request: Request, catalogue: Catalogue) -> list[Entry]:
    """All data sets, or those of the municipality asked for. NotFound for one that has none here."""
    tenant = _municipality(request)
    if not tenant:
        return catalogue.newest()
    return catalogue.listed(
        ("newest of", tenant), lambda: [entry for entry in catalogue.newest() if entry.tenant == tenant]
    )


def _municipality(request: Request) -> str:
    """The tenant asked for by its present code or its first; "" for all."""
    wanted = request.query_params.get("municipality", "")
    tenant = _tenant(request, wanted)
    if wanted and not tenant:
        raise NotFound(say("この市町村のオープンデータはありません。"), code="unknown-municipality")
    return tenant


def _tenant(request: Request, code: str) -> str:
    places = shell.catalogue_in(request).refresh().places
    return next((tenant for tenant, (present, _) in places.items() if code in (tenant, present)), "")


def _paging(request: Request, page: int, total: int) -> dict[str, Any]:
    """As Hydra tells it, which CKAN's harvesters follow."""
    here = f"{shell.site(request)}{request.url.path.removeprefix('/opendata')}"
    last = max(-(-total // PAGE), 1)

    wanted = request.query_params.get("municipality")
    narrowed = {"municipality": wanted} if wanted else {}

    def address(number: int) -> dict[str, str]:
        return describe.ref(f"{here}?{urlencode({**narrowed, 'page': number})}")

    node: dict[str, Any] = {"@id": address(page)["@id"], "@type": "hydra:PagedCollection"}
    node |= {"hydra:firstPage": address(1), "hydra:lastPage": address(last)}
    node |= {"hydra:nextPage": address(page + 1)} if page < last else {}
    node |= {"hydra:previousPage": address(page - 1)} if page > 1 else {}
    return node | {
        "hydra:totalItems": describe.typed(total, "integer"),
        "hydra:itemsPerPage": describe.typed(PAGE, "integer"),
    }


@router.get("/opendata/datasets/{name}.rdf", summary="One data set, RDF/XML")
@router.get("/opendata/datasets/{name}.xml", include_in_schema=False)
@router.get("/opendata/dataset/{name}.rdf", include_in_schema=False)
@router.get("/opendata/dataset/{name}.xml", include_in_schema=False)
def dataset_rdf(request: Request, name: str, actor: Actor = access.public()) -> Response:
    text = describe.rdf_begin() + "".join(describe.as_rdf_xml(_nodes(request, name))) + describe.RDF_END
    return Response(text, media_type=RDF_XML, headers=_open())


@router.get("/opendata/datasets/{name}.ttl", summary="One data set, Turtle")
@router.get("/opendata/dataset/{name}.ttl", include_in_schema=False)
def dataset_ttl(request: Request, name: str, actor: Actor = access.public()) -> Response:
    text = describe.prefixes() + "".join(describe.as_turtle(_nodes(request, name)))
    return Response(text, media_type="text/turtle; charset=utf-8", headers=_open())


@router.get("/opendata/datasets/{name}.jsonld", summary="One data set, JSON-LD")
@router.get("/opendata/dataset/{name}.jsonld", include_in_schema=False)
def dataset_jsonld(request: Request, name: str, actor: Actor = access.public()) -> Response:
    return Response(describe.as_json_ld(_nodes(request, name)), media_type="application/ld+json", headers=_open())


def _nodes(request: Request, name: str) -> list[dict[str, Any]]:
    catalogue = shell.catalogue_in(request).refresh()
    with shell.public(request) as session:
        row = published.get(session, name)
    seen: set[str] = set()
    nodes = describe.dataset_nodes(shell.site(request), row, catalogue.place(row.tenant)[1])
    return [node for node in nodes if not _again(node, seen)]


@router.get("/opendata/data.json", summary="All data sets (Project Open Data 1.1)")
def data_json(request: Request, actor: Actor = access.public()) -> Response:
    _municipality(request)

    def pieces(catalogue: Catalogue) -> Iterator[str]:
        site = shell.site(request)
        yield '{"@type": "dcat:Catalog", "conformsTo": "https://project-open-data.cio.gov/v1.1/schema", "dataset": ['
        for number, row in enumerate(rows_of(request, [entry.id for entry in _newest(request, catalogue)])):
            told = describe.project_open_data(site, row, catalogue.place(row.tenant)[1])
            yield (",\n" if number else "") + json.dumps(told, ensure_ascii=False)
        yield "]}"

    return _answer(request, pieces, "application/json")


@router.get(
    "/opendata/sitemap.xml", summary="Every data set's page; where there are too many for one, a list of sitemaps"
)
def sitemap(request: Request, page: int = 0, actor: Actor = access.public()) -> Response:
    """`page`: the how-manieth of the list, from 1."""
    wanted, given = _municipality(request), request.query_params.get("municipality", "")

    def pieces(catalogue: Catalogue) -> Iterator[str]:
        site, entries = shell.site(request), _newest(request, catalogue)
        if not page and len(entries) > SITEMAP:
            yield '<?xml version="1.0" encoding="UTF-8"?>\n<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
            for number in range(1, -(-len(entries) // SITEMAP) + 1):
                part = urlencode(({"municipality": given} if wanted else {}) | {"page": str(number)})
                yield f"<sitemap><loc>{escape(f'{site}/sitemap.xml?{part}')}</loc></sitemap>\n"
            yield "</sitemapindex>\n"
            return
        first = max(page - 1, 0) * SITEMAP
        yield '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        for entry in entries[first : first + SITEMAP]:
            moment = entry.modified.isoformat(timespec="seconds")
            yield f"<url><loc>{escape(f'{site}/datasets/{entry.name}')}</loc><lastmod>{moment}</lastmod></url>\n"
        yield "</urlset>\n"

    return _answer(request, pieces, "application/xml")


@router.get(
    "/opendata/feed.atom", summary="What was published or renewed last (Atom, RFC 4287); takes a search's parameters"
)
def feed(request: Request, actor: Actor = access.public()) -> Response:
    asked = _asked(request)
    return _atom(request, asked.q, asked.wanted)


@router.get("/opendata/feed.rss", summary="The same as RSS 2.0")
def rss(request: Request, actor: Actor = access.public()) -> Response:
    catalogue, asked = shell.catalogue_in(request), _asked(request)
    site, rows = shell.site(request), _latest(request, asked.q, asked.wanted)
    name = shell.settings_in(request).cloud_name or "共同クラウド"
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>',
        f"<title>{escape(name)} オープンデータ</title><link>{escape(site + '/')}</link>",
        "<description>公開・更新されたデータ</description><language>ja</language>",
        *(_rss_item(site, row, catalogue.place(row.tenant)[1]) for row in rows),
        "</channel></rss>\n",
    ]
    return Response("\n".join(parts), media_type="application/rss+xml", headers=_open())


def _rss_item(site: str, row: PublishedRow, place: str) -> str:
    told, here = row.document, escape(describe.dataset_address(site, row))
    moment = format_datetime(datetime.fromisoformat(told["modified"]))
    return (
        f'<item><title>{_escaped(told["title"])}</title><link>{here}</link><guid isPermaLink="true">{here}</guid>'
        f"<pubDate>{moment}</pubDate><dc:creator>{_escaped(place)}</dc:creator>"
        f"<description>{_escaped(told['notes'][:500])}</description></item>"
    )


def _asked(request: Request) -> Asked:
    """A search's parameters; a municipality by its present code, too. As in a search, one that nobody has finds nothing."""
    asked, tenant = asked_in(request, None), _tenant(request, request.query_params.get("municipality", ""))
    return replace(asked, filters=asked.filters | {"municipality": (tenant,)}) if tenant else asked


def _latest(request: Request, q: str, filters: Mapping[str, tuple[str, ...]]) -> list[PublishedRow]:
    found = shell.catalogue_in(request).search(q, filters=filters, order="modified", limit=FEED)
    return list(rows_of(request, [hit.key for hit in found.hits]))


@router.get("/opendata/feeds/dataset.atom", summary="The same, where CKAN has it")
@router.get("/opendata/feeds/custom.atom", include_in_schema=False)
def ckan_feed(request: Request, actor: Actor = access.public()) -> Response:
    return feed(request, actor)


@router.get("/opendata/feeds/organization/{name}.atom", summary="The same of a municipality or one of its divisions")
def organization_feed(request: Request, name: str, actor: Actor = access.public()) -> Response:
    places = shell.catalogue_in(request).refresh().places
    tenant = next((tenant for tenant, (code, _) in places.items() if name in (tenant, code)), None)
    return _atom(request, "", {"municipality": (tenant,)} if tenant else {"division": (name,)})


@router.get("/opendata/feeds/group/{name}.atom", summary="The same of a theme or a collection")
def group_feed(request: Request, name: str, actor: Actor = access.public()) -> Response:
    return _atom(request, "", {"theme": (name.upper(),)} if name.upper() in THEMES else {"collection": (name,)})


@router.get("/opendata/feeds/tag/{name}.atom", summary="The same of a word")
def tag_feed(request: Request, name: str, actor: Actor = access.public()) -> Response:
    return _atom(request, "", {"tag": (name,)})


def _atom(request: Request, q: str, filters: Mapping[str, tuple[str, ...]]) -> Response:
    catalogue = shell.catalogue_in(request)
    rows = _latest(request, q, filters)
    site = shell.site(request)
    updated = rows[0].document["modified"] if rows else shell.now_of(request).isoformat()
    name = shell.settings_in(request).cloud_name or "共同クラウド"
    here = f"{site}{request.url.path.removeprefix('/opendata')}" + (
        f"?{request.url.query}" if request.url.query else ""
    )
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="ja">',
        f"<title>{escape(name)} オープンデータ</title><id>{escape(here)}</id><updated>{updated}</updated>",
        f"<link rel='self' href={quoteattr(here)}/><link href={quoteattr(site + '/')}/>",
        *(_atom_entry(site, row, catalogue.place(row.tenant)[1]) for row in rows),
        "</feed>\n",
    ]
    return Response("\n".join(parts), media_type="application/atom+xml", headers=_open())


def _atom_entry(site: str, row: PublishedRow, place: str) -> str:
    told = row.document
    here = describe.dataset_address(site, row)
    return (
        f"<entry><title>{_escaped(told['title'])}</title><id>{escape(here)}</id><link href={quoteattr(here)}/>"
        f"<updated>{told['modified']}</updated><published>{told['created']}</published>"
        f"<author><name>{_escaped(place)}</name></author><summary>{_escaped(told['notes'][:500])}</summary></entry>"
    )


def _escaped(text: str) -> str:
    """As XML can hold it: one character that it cannot would break the feed for all its readers."""
    return escape(describe.NOT_XML.sub("", text))


# ---- how they answer --------------------------------------------------------------------------------------------------


def rows_of(request: Request, ids: list[str]) -> Iterator[PublishedRow]:
    """The published rows, a batch at a time: however many there are, few are in memory."""
    for part in (ids[start : start + BATCH] for start in range(0, len(ids), BATCH)):
        with shell.public(request) as session:
            rows = published.many(session, part)
        yield from rows


def _answer(request: Request, pieces: Any, media_type: str) -> Response:
    catalogue = shell.catalogue_in(request).refresh()
    etag = f'W/"{catalogue.change}-{len(catalogue.entries)}"'
    if shell.is_known(request, etag):
        return Response(status_code=304, headers=_open() | {"ETag": etag})
    return StreamingResponse(pieces(catalogue), media_type=media_type, headers=_open() | {"ETag": etag})


def _open() -> dict[str, str]:
    """Programs in any page may read it; nobody keeps it unasked."""
    return {"Cache-Control": "public, no-cache", "Access-Control-Allow-Origin": "*"}
