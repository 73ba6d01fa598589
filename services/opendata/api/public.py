"""Pages for everybody: search, a data set, its files."""

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, islice
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from markupsafe import Markup

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Invalid, NotFound, say
from libs.common.ranges import resumable, span_of
from libs.common.web import Link
from libs.common.web.i18n import chosen_language
from services.opendata.api import shell
from services.opendata.api.areas import area_map, square_name
from services.opendata.api.describe import json_ld_script, link
from services.opendata.api.points import shape_map
from services.opendata.catalogue import Catalogue, Entry
from services.opendata.db import PublishedRow, published, voices
from services.opendata.domain import meshes, standards, vocabulary
from services.opendata.domain.quality import quality_of, score
from services.opendata.reading import shapes
from services.opendata.settings import files_of
from services.opendata.use_cases import directory, usage
from services.opendata.use_cases.voices import who

router = APIRouter(tags=["public"])
FACETS = ("municipality", "theme", "format", "license", "kind", "map", "year", "updated")
COUNTED = (*FACETS, "mesh")
PAGE, SHOWN_VALUES, MOST_VALUES = 20, 12, 60
SQUARES = 5000
"""Squares of the map that a box may touch: about all of Japan."""
MAP_FILE, MAP_SHAPES, MAP_CORNERS = 4 * 1024**2, 2000, 20_000
"""Of a file that is drawn on its data set's page: bytes, shapes, and corners in all."""
SORTS = {"": say("よく合う順"), "modified": say("新しく更新された順"), "created": say("新しく公開された順")}
LABELS = {
    "municipality": say("市町村"), "theme": say("分野"), "format": say("形式"), "license": say("利用条件"),
    "kind": say("推奨データセット"), "map": say("地図"),
    "year": say("対象の年"), "updated": say("更新した年"), "mesh": say("地図の場所"),
}  # fmt: skip


# ---- search -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A search as it stands in the address: a link to it is a link to its answer."""

    q: str
    filters: dict[str, tuple[str, ...]]
    sort: str
    page: int

    @property
    def wanted(self) -> dict[str, tuple[str, ...]]:
        """`filters` as the index takes them: a box of the map is the squares it touches."""
        found = {name: values for name, values in self.filters.items() if name != "bbox"}
        if "bbox" in self.filters:
            touched = squares_in(self.filters["bbox"][0])
            chosen = set(found.get("mesh", touched))
            found["mesh"] = tuple(square for square in touched if square in chosen) or ("",)
        return found

    def address(self, top: str, **changes: Any) -> str:
        asked = replace(self, page=1, **changes) if "page" not in changes else replace(self, **changes)
        pairs = [("q", asked.q)] if asked.q else []
        pairs += [(name, value) for name, values in asked.filters.items() for value in values]
        pairs += [("sort", asked.sort)] if asked.sort else []
        pairs += [("page", str(asked.page))] if asked.page > 1 else []
        return f"{top}?{urlencode(pairs)}" if pairs else top

    def without(self, facet: str, value: str) -> dict[str, tuple[str, ...]]:
        left = tuple(each for each in self.filters.get(facet, ()) if each != value)
        return {name: values for name, values in (self.filters | {facet: left}).items() if values}


def asked_in(request: Request, tenant: str | None) -> Asked:
    """From the query string. Values nobody has find nothing; they are no error."""
    given = request.query_params
    filters = {name: tuple(given.getlist(name)[:20]) for name in COUNTED if any(given.getlist(name))}
    if given.get("bbox"):
        filters["bbox"] = (given["bbox"][:100],)
    if tenant:
        filters["municipality"] = (tenant,)
    sort = given.get("sort", "")
    number = shell.page_number(given.get("page", "1"), digits=4)
    return Asked(given.get("q", "").strip()[:200], filters, sort if sort in SORTS else "", number)


def squares_in(bbox: str) -> tuple[str, ...]:
    """`west,south,east,north` in degrees: the squares of the map it touches; none where it is no box."""
    try:
        west, south, east, north = (float(part) for part in bbox.split(","))
    except ValueError:
        return ()
    sound = math.isfinite(west + south + east + north)
    return tuple(islice(meshes.of_box((west, south, east, north)), SQUARES)) if sound else ()


@router.get("/opendata", include_in_schema=False)
def entrance(request: Request, actor: Actor = access.public()) -> Response:
    return shell.to("/opendata/")


@router.get("/opendata/", summary="Search all municipalities' data sets")
def search(request: Request, actor: Actor = access.public()) -> Response:
    return _search_page(request, None)


@router.get("/t/{code}/opendata/", summary="A municipality's own catalogue")
def own_search(request: Request, actor: Actor = access.public()) -> Response:
    with shell.reading(request, actor):
        pass
    return _search_page(request, actor.tenant)


def _search_page(request: Request, tenant: str | None) -> Response:
    asked, catalogue = asked_in(request, tenant), shell.catalogue_in(request).refresh()
    top = f"{shell.base(request)}/" if tenant else "/opendata/"
    today = local_date(shell.now_of(request))
    key = ("search", asked.address(top), asked.page, tenant, chosen_language(request), catalogue.state, today)
    found = shell.kept_in(request).or_make(key, lambda: _found(request, catalogue, asked, top, tenant))
    title, feed = _search_title(request, tenant), asked.address("/opendata/feed.atom")
    return shell.render_public(request, "public/search.html", title=title, found=found, feed=feed)


def _found(request: Request, catalogue: Catalogue, asked: Asked, top: str, tenant: str | None) -> Markup:
    """The answer, without what depends on who asks."""
    order = asked.sort or (None if asked.q else "modified")
    answer = catalogue.search(
        asked.q, filters=asked.wanted, facets=COUNTED, order=order, offset=(asked.page - 1) * PAGE, limit=PAGE
    )
    return shell.pages_of(request).part(
        request, "public/found.html", asked=asked, answer=answer, top=top,
        cards=_cards(request, catalogue, [hit.key for hit in answer.hits]), total=len(catalogue.entries),
        facets=_facets(request, catalogue, asked, dict(answer.facets), top, own=bool(tenant)),
        area=area_map(request, answer.facets["mesh"], lambda mesh: asked.address(top, filters=asked.filters | {"mesh": (mesh,)})),
        chosen=_chosen(request, catalogue, asked, top, own=bool(tenant)), pager=_pager(asked, answer.total, top),
        sorts=[pair for pair in shell.spoken_options(request, SORTS) if pair[0] or asked.q], order=order or "",
        feed=asked.address("/opendata/feed.atom"), corrected=answer.corrected, relaxed=answer.relaxed,
        own=_own_face(request, catalogue, tenant) if tenant else None,
    )  # fmt: skip


def _cards(request: Request, catalogue: Catalogue, ids: list[str]) -> list[Markup]:
    """Items of a list, each made once for its version. Only data sets whose item is not kept are read."""
    kept, lang, face = shell.kept_in(request), chosen_language(request), request.path_params.get("code")

    def key(id_: str, tenant: str, change: int) -> tuple[Hashable, ...]:
        return ("card", id_, change, catalogue.place(tenant), lang, face)

    entries = [catalogue.entries[id_] for id_ in ids if id_ in catalogue.entries]
    found: dict[str, Markup | None] = {each.id: kept.get(key(each.id, each.tenant, each.change)) for each in entries}
    if missing := [id_ for id_, item in found.items() if item is None]:
        with shell.public(request) as session:
            rows = published.many(session, missing)
        for row in rows:
            item = shell.pages_of(request).part(request, "public/card.html", item=card(request, catalogue, row))
            found[row.id] = kept.put(key(row.id, row.tenant, row.change), item)
    return [item for item in found.values() if item is not None]


def _own_face(request: Request, catalogue: Catalogue, tenant: str) -> dict[str, Any]:
    """What a municipality says of its own catalogue above it: how much, how good, how kept."""
    qualities = [entry.quality for entry in catalogue.of(tenant)]
    told = score(tenant, qualities, shell.now_of(request)) if qualities else None
    return {"tenant": tenant, "name": request.state.place_name, "score": told}


def _search_title(request: Request, tenant: str | None) -> str:
    if tenant:
        return shell.spoken(request, say("%(name)sのオープンデータ", name=request.state.place_name))
    return shell.spoken(request, say("オープンデータをさがす"))


def card(request: Request, catalogue: Catalogue, row: PublishedRow) -> dict[str, Any]:
    """What a list shows of a data set."""
    told = row.document
    code, place = catalogue.place(row.tenant)
    own = request.path_params.get("code")
    top = f"/t/{code}/opendata" if own else "/opendata"
    scores = [each["conformance"]["score"] for each in told["resources"] if each.get("conformance")]
    return {
        "title": told["title"], "href": f"{top}/datasets/{row.name}", "place": place, "notes": told["notes"][:140],
        "formats": sorted({each["format"].upper() for each in told["resources"] if each["format"]}),
        "modified": datetime.fromisoformat(told["modified"]),
        "rows": sum(each.get("rows") or 0 for each in told["resources"]), "score": max(scores, default=None),
        "theme": shell.spoken(request, vocabulary.theme_title(told["theme"])),
    }  # fmt: skip


def _facets(
    request: Request, catalogue: Catalogue, asked: Asked, found: dict[str, Any], top: str, *, own: bool
) -> list[dict[str, Any]]:
    shown, here = [], asked.address(top)
    here += "&" if "?" in here else "?"
    for name in FACETS:
        if own and name == "municipality":
            continue
        chosen = set(asked.filters.get(name, ()))
        left = ((value, count) for value, count in found.get(name, ()) if value not in chosen)
        items = [
            {"label": _label(request, catalogue, name, value), "count": count, "href": f"{here}{urlencode({name: value})}"}
            for value, count in islice(left, MOST_VALUES)
        ]  # fmt: skip
        if items:
            shown.append(
                {"name": name, "label": shell.spoken(request, LABELS[name]), "items": items, "first": SHOWN_VALUES}
            )
    return shown


def _chosen(request: Request, catalogue: Catalogue, asked: Asked, top: str, *, own: bool) -> list[dict[str, str]]:
    return [
        {
            "label": _label(request, catalogue, name, value),
            "href": asked.address(top, filters=asked.without(name, value)),
        }
        for name, values in asked.filters.items()
        for value in values
        if not (own and name == "municipality")
    ]


def _label(request: Request, catalogue: Catalogue, facet: str, value: str) -> str:
    match facet:
        case "municipality":
            return catalogue.place(value)[1]
        case "theme":
            return shell.spoken(request, vocabulary.theme_title(value))
        case "license":
            return shell.spoken(request, vocabulary.license_title(value))
        case "kind":
            kind = standards.kind(value)
            return kind.name if kind else value
        case "year" | "updated":
            return shell.spoken(request, say("%(year)s年", year=value))
        case "mesh":
            return square_name(request, value)
        case "bbox":
            return shell.spoken(request, LABELS["mesh"])
        case "map":
            return shell.spoken(request, say("地図で見られる"))
    return value


def _pager(asked: Asked, total: int, top: str) -> dict[str, Any]:
    first, last = (asked.page - 1) * PAGE + 1, min(asked.page * PAGE, total)
    return {
        "first": first if total else 0, "last": last, "total": total,
        "next": asked.address(top, page=asked.page + 1) if last < total else None,
        "previous": asked.address(top, page=asked.page - 1) if asked.page > 1 else None,
    }  # fmt: skip


@router.get("/opendata/suggest", summary="Completions of what is being typed")
def suggest(request: Request, q: str = "", actor: Actor = access.public()) -> Response:
    catalogue = shell.catalogue_in(request).refresh()
    return JSONResponse({"q": q[:100], "suggestions": list(catalogue.index.suggest(q[:100]))})


@router.get("/opendata/api/", summary="How programs read the catalogue")
def api_page(request: Request, actor: Actor = access.public()) -> Response:
    title = shell.spoken(request, say("プログラムで使う"))
    crumbs = (Link(title, "/opendata/api/"),)
    example = _example(request)
    return shell.render_public(
        request, "public/api.html", title=title, crumbs=crumbs, site=shell.site(request), example=example
    )


def _example(request: Request) -> dict[str, str] | None:
    """A table of today's catalogue, so that what the page says can be tried: of the last published, the first one of rows."""
    entries = shell.catalogue_in(request).refresh().newest()[:PAGE]
    with shell.public(request) as session:
        rows = {row.id: row for row in published.many(session, [entry.id for entry in entries])}
    for row in (rows[entry.id] for entry in entries if entry.id in rows):
        for told in row.document["resources"]:
            names = [column["name"] for column in told.get("columns", ()) if "," not in column["name"]]
            if told.get("table") and told.get("rows") and names:
                column = names[0]
                return {
                    "title": row.document["title"], "name": row.name, "id": told["id"], "column": column,
                    "count": f"/opendata/data/{told['id']}/count?{urlencode({'group': column})}",
                }  # fmt: skip
    return None


# ---- a data set -------------------------------------------------------------------------------------------------------


@router.get("/opendata/datasets/{name}", summary="A data set")
def dataset(request: Request, name: str, actor: Actor = access.public()) -> Response:
    return _dataset_page(request, name, None)


@router.get("/opendata/dataset/{name}", summary="The same where CKAN has it: harvesters link there")
def ckan_dataset(request: Request, name: str, actor: Actor = access.public()) -> Response:
    return RedirectResponse(f"/opendata/datasets/{quote(name, safe='')}", 301)


@router.get("/t/{code}/opendata/datasets/{name}", summary="A data set in the municipality's own catalogue")
def own_dataset(request: Request, name: str, actor: Actor = access.public()) -> Response:
    with shell.reading(request, actor):
        pass
    return _dataset_page(request, name, actor.tenant)


def _dataset_page(request: Request, name: str, tenant: str | None) -> Response:
    catalogue = shell.catalogue_in(request).refresh()
    with shell.public(request) as session:
        row = published.get(session, name)
        used = usage.by_resource(session, row.id)
        apps = [each for each in voices.published(session, "app", row.tenant) if each.document["dataset_id"] == row.id]
        actor: Actor = request.state.actor
        person = actor.kind == "person"
        follows = person and who(actor) in directory.followers(session, "dataset", row.id)
    check_town(row, tenant)
    shell.note(request, "view", row.id)
    told, (code, place) = row.document, catalogue.place(row.tenant)
    here = f"{'/t/' + code if tenant else ''}/opendata/datasets/{row.name}"
    return shell.render_public(
        request, "public/dataset.html", title=told["title"], crumbs=(Link(shell.short(told["title"]), here),), told=told,
        row=row, used=used, apps=apps, person=person, follows=follows, guest=actor.kind == "guest", near=_near(request, catalogue, row),
        parts={part: _part(request, row, part, here, (code, place)) for part in ("head", "about", "quality")},
    )  # fmt: skip


def _part(request: Request, row: PublishedRow, part: str, here: str, place: tuple[str, str]) -> Markup:
    """What a data set's page says as long as its version stays, and the day: promises break at midnight."""
    now = shell.now_of(request)
    key = ("part", part, row.id, row.change, here, place, chosen_language(request), local_date(now))
    told = row.document

    def make() -> Markup:
        kind = standards.kind(told["kind"])
        return shell.pages_of(request).part(
            request, "public/dataset_parts.html", part=part, told=told, row=row, place_name=place[1], kind=kind,
            resources=[_resource_card(here, each) | _drawing(request, row, each) for each in told["resources"]],
            theme=shell.spoken(request, vocabulary.theme_title(told["theme"])),
            license=shell.spoken(request, vocabulary.license_title(told["license"])), license_url=_license_url(told["license"]),
            frequency=shell.spoken(request, vocabulary.frequency_title(told["frequency"])),
            modified=datetime.fromisoformat(told["modified"]), created=datetime.fromisoformat(told["created"]),
            json_ld=json_ld_script(shell.site(request), row, place[1]), site=shell.site(request), quality=quality_of(told), now=now,
            broken=[rule for each in told["resources"] if each.get("readability") for rule in each["readability"]["broken"]],
            shortfalls=[line for each in told["resources"] if each.get("conformance") for line in each["conformance"]["shortfalls"]],
        )  # fmt: skip

    return shell.kept_in(request).or_make(key, make)


def check_town(row: PublishedRow, tenant: str | None) -> None:
    if tenant and row.tenant != tenant:
        raise NotFound(say("このデータセットは、この自治体のものではありません。"), code="unknown-dataset")


def _resource_card(here: str, told: dict[str, Any]) -> dict[str, Any]:
    return told | {
        "page": f"{here}/resources/{told['id']}" if told.get("table") else None,
        "download": _bytes_address(told),
        "conformance": told.get("conformance"), "points": told.get("points"), "rows": told.get("rows"),
        "columns": told.get("columns", ()), "size": told.get("size"),
    }  # fmt: skip


def _drawing(request: Request, row: PublishedRow, told: dict[str, Any]) -> dict[str, Any]:
    """A file that is a map, drawn: as many of its shapes as a phone takes. `map` is None where there are none, and where they are the
    points that the table's page draws."""
    found = _shapes(request, row, told)
    corners = accumulate(sum(map(len, shape.lines)) for shape in found)
    drawn = [shape for shape, sum_ in zip(found[:MAP_SHAPES], corners, strict=False) if sum_ <= MAP_CORNERS]
    if not drawn or (told.get("points") and all(shape.kind == "point" for shape in drawn)):
        return {"map": None}
    title = told["name"] or row.document["title"]
    return {"map": shape_map(title, drawn, f"map-{told['id']}"), "drawn": len(drawn), "shapes": len(found)}


def _shapes(request: Request, row: PublishedRow, told: dict[str, Any]) -> list[shapes.Shape]:
    if told["format"] not in shapes.FORMATS or not told.get("file") or told["size"] > MAP_FILE:
        return []
    content = files_of(shell.service_of(request)).read(row.tenant, told["file"])
    try:
        return list(shapes.shapes_in(told["format"], content))
    except (Invalid, ValueError, RecursionError):
        return []


def _bytes_address(told: dict[str, Any]) -> str:
    if told.get("file"):
        return f"/opendata/datasets/files/{told['id']}/{told['filename']}"
    return link(told["url"]) or (f"/opendata/data/{told['id']}.csv" if told.get("table") else "")


def _license_url(key: str) -> str:
    found = vocabulary.LICENSES.get(key)
    return found.url if found else ""


def _near(request: Request, catalogue: Catalogue, row: PublishedRow) -> list[dict[str, str]]:
    """The same kind of data of other municipalities, else the same theme's: where one goes on looking."""
    told = row.document
    filters = {"kind": (told["kind"],)} if told["kind"] else {"theme": (told["theme"],)}
    answer = catalogue.search("", filters=filters, order="modified", limit=7)
    found: list[Entry] = [
        catalogue.entries[hit.key] for hit in answer.hits if hit.key in catalogue.entries and hit.key != row.id
    ]
    return [
        {"label": entry.title, "href": f"/opendata/datasets/{entry.name}", "place": catalogue.place(entry.tenant)[1]}
        for entry in found[:6]
    ]


# ---- files ------------------------------------------------------------------------------------------------------------


@router.get(
    "/opendata/datasets/files/{resource_id}/{filename}", summary="A published file; its name in the address is free"
)
def download(request: Request, resource_id: str, filename: str, actor: Actor = access.public()) -> Response:
    with shell.public(request) as session:
        row = published.dataset_of(session, resource_id)
    told = published.resource_in(row, resource_id)
    if not told.get("file"):
        raise NotFound(say("このファイルは、ここにはありません。"))
    mark = told["sha256"][:32]
    headers = {"Cache-Control": "public, no-cache", "Access-Control-Allow-Origin": "*"}
    if shell.is_known(request, f'"{mark}"'):
        return Response(status_code=304, headers=headers | {"ETag": f'"{mark}"'})
    headers |= {"Content-Disposition": csvout.attachment(told["filename"])}
    store = files_of(shell.service_of(request))
    answer = resumable(
        request, store, row.tenant, told["file"], mark=mark, media_type=told["media_type"], headers=headers
    )
    if _begins(request, answer, told["size"]):
        shell.note(request, "download", row.id, resource_id)
    return answer


def _begins(request: Request, answer: Response, size: int) -> bool:
    """Whether it is the file from its first byte: the rest of a download that broke off is no further one."""
    if "x-accel-redirect" in answer.headers:  # nginx sends the part
        span = span_of(request.headers.get("range", ""), size)
        return span is not None and span.start == 0
    return answer.status_code == 200 or answer.headers.get("content-range", "").startswith("bytes 0-")
