"""Pages for everybody: search, a data set, its tables with filters, statistics and map, downloads."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.web import Link
from services.opendata.api import shell
from services.opendata.api.describe import json_ld_script
from services.opendata.api.points import Point, point_map
from services.opendata.catalogue import Catalogue, Entry
from services.opendata.datastore import Condition, Question, Table
from services.opendata.db import PublishedRow, published, voices
from services.opendata.domain import standards, vocabulary
from services.opendata.domain.quality import quality_of
from services.opendata.settings import files_of, tables_of
from services.opendata.use_cases import directory, usage
from services.opendata.use_cases.voices import who

router = APIRouter(tags=["public"])
FACETS = ("municipality", "theme", "format", "license", "kind", "map")
PAGE, SHOWN_VALUES = 20, 12
ROWS, MAP_ROWS = 50, 2000
FILTERS = 4
"""How many conditions the table's form offers at once."""
OPERATORS = {
    "contains": say("をふくむ"), "eq": say("と同じ"), "ne": say("ではない"), "gte": say("以上"), "lte": say("以下"),
}  # fmt: skip
SORTS = {"": say("よく合う順"), "modified": say("新しく更新された順"), "created": say("新しく公開された順")}
LABELS = {
    "municipality": say("市町村"), "theme": say("分野"), "format": say("形式"), "license": say("利用条件"),
    "kind": say("推奨データセット"), "map": say("地図"),
}  # fmt: skip


# ---- search -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A search as it stands in the address: a link to it is a link to its answer."""

    q: str
    filters: dict[str, tuple[str, ...]]
    sort: str
    page: int

    def address(self, top: str, **changes: Any) -> str:
        asked = replace(self, page=1, **changes) if "page" not in changes else replace(self, **changes)
        pairs = [("q", asked.q)] if asked.q else []
        pairs += [(name, value) for name, values in asked.filters.items() for value in values]
        pairs += [("sort", asked.sort)] if asked.sort else []
        pairs += [("page", str(asked.page))] if asked.page > 1 else []
        return f"{top}?{urlencode(pairs)}" if pairs else top

    def with_value(self, facet: str, value: str) -> dict[str, tuple[str, ...]]:
        return self.filters | {facet: (*self.filters.get(facet, ()), value)}

    def without(self, facet: str, value: str) -> dict[str, tuple[str, ...]]:
        left = tuple(each for each in self.filters.get(facet, ()) if each != value)
        return {name: values for name, values in (self.filters | {facet: left}).items() if values}


def asked_in(request: Request, tenant: str | None) -> Asked:
    """From the query string. Values nobody has find nothing; they are no error."""
    given = request.query_params
    filters = {name: tuple(given.getlist(name)[:20]) for name in FACETS if any(given.getlist(name))}
    if tenant:
        filters["municipality"] = (tenant,)
    page = given.get("page", "1")
    sort = given.get("sort", "")
    number = int(page) if page.isascii() and page.isdigit() and 0 < int(page) < 10_000 else 1
    return Asked(given.get("q", "").strip()[:200], filters, sort if sort in SORTS else "", number)


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
    asked = asked_in(request, tenant)
    catalogue = shell.catalogue_in(request)
    order = asked.sort or (None if asked.q else "modified")
    answer = catalogue.search(
        asked.q, filters=asked.filters, facets=FACETS, order=order, offset=(asked.page - 1) * PAGE, limit=PAGE
    )
    with shell.public(request) as session:
        rows = published.many(session, [hit.key for hit in answer.hits])
        used = usage.totals(session, [row.id for row in rows])
    top = f"{shell.base(request)}/" if tenant else "/opendata/"
    return shell.render_public(
        request, "public/search.html", title=shell.spoken(request, say("オープンデータをさがす")), asked=asked, answer=answer,
        cards=[card(request, catalogue, row, used.get(row.id, {})) for row in rows], total=len(catalogue.entries),
        facets=_facets(request, catalogue, asked, dict(answer.facets), top, own=bool(tenant)),
        chosen=_chosen(request, catalogue, asked, top, own=bool(tenant)), pager=_pager(asked, answer.total, top),
        sorts=shell.spoken_options(request, SORTS), feed=f"/opendata/feed.atom?{request.url.query}",
        corrected=answer.corrected, relaxed=answer.relaxed,
    )  # fmt: skip


def card(request: Request, catalogue: Catalogue, row: PublishedRow, used: dict[str, int]) -> dict[str, Any]:
    """What a list shows of a data set."""
    told = row.document
    code, place = catalogue.place(row.tenant)
    own = request.path_params.get("code")
    top = f"/t/{code}/opendata" if own else "/opendata"
    scores = [each["conformance"]["score"] for each in told["resources"] if each.get("conformance")]
    return {
        "title": told["title"], "href": f"{top}/datasets/{row.name}", "place": place, "notes": told["notes"][:140],
        "formats": sorted({each["format"].upper() for each in told["resources"] if each["format"]}),
        "modified": datetime.fromisoformat(told["modified"]), "views": used.get("view", 0),
        "rows": sum(each.get("rows") or 0 for each in told["resources"]), "score": max(scores, default=None),
        "theme": shell.spoken(request, vocabulary.theme_title(told["theme"])),
    }  # fmt: skip


def _facets(
    request: Request, catalogue: Catalogue, asked: Asked, found: dict[str, Any], top: str, *, own: bool
) -> list[dict[str, Any]]:
    shown = []
    for name in FACETS:
        if own and name == "municipality":
            continue
        chosen = set(asked.filters.get(name, ()))
        items = [
            {"label": _label(request, catalogue, name, value), "count": count,
             "href": asked.address(top, filters=asked.with_value(name, value))}
            for value, count in found.get(name, ()) if value not in chosen
        ]  # fmt: skip
        if items:
            shown.append(
                {"name": name, "label": shell.spoken(request, LABELS[name]), "items": items[:60], "first": SHOWN_VALUES}
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
    return shell.render_public(request, "public/api.html", title=title, crumbs=crumbs, site=shell.site(request))


# ---- a data set -------------------------------------------------------------------------------------------------------


@router.get("/opendata/datasets/{name}", summary="A data set")
def dataset(request: Request, name: str, actor: Actor = access.public()) -> Response:
    return _dataset_page(request, name, None)


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
        apps = [each for each in voices.published(session, "app") if each.document["dataset_id"] == row.id]
        actor: Actor = request.state.actor
        person = actor.kind == "person"
        follows = person and who(actor) in directory.followers(session, "dataset", row.id)
    _check_town(row, tenant)
    shell.note(request, "view", row.id)
    told = row.document
    code, place = catalogue.place(row.tenant)
    here = f"{'/t/' + code if tenant else ''}/opendata/datasets/{row.name}"
    kind = standards.kind(told["kind"])
    return shell.render_public(
        request, "public/dataset.html", title=told["title"], crumbs=(Link(told["title"], here),), told=told, place_name=place,
        code=code, here=here, resources=[_resource_card(here, each) for each in told["resources"]], kind=kind, used=used,
        theme=shell.spoken(request, vocabulary.theme_title(told["theme"])),
        license=shell.spoken(request, vocabulary.license_title(told["license"])), license_url=_license_url(told["license"]),
        frequency=shell.spoken(request, vocabulary.frequency_title(told["frequency"])),
        modified=datetime.fromisoformat(told["modified"]), created=datetime.fromisoformat(told["created"]),
        json_ld=json_ld_script(shell.site(request), row, place), site=shell.site(request), row=row,
        near=_near(request, catalogue, row), apps=apps, person=person, follows=follows, quality=quality_of(told), now=shell.now_of(request),
        broken=[rule for each in told["resources"] if each.get("readability") for rule in each["readability"]["broken"]],
        shortfalls=[line for each in told["resources"] if each.get("conformance") for line in each["conformance"]["shortfalls"]],
    )  # fmt: skip


def _check_town(row: PublishedRow, tenant: str | None) -> None:
    if tenant and row.tenant != tenant:
        raise NotFound("このデータセットは、この自治体のものではありません。", code="unknown-dataset")


def _resource_card(here: str, told: dict[str, Any]) -> dict[str, Any]:
    return told | {
        "page": f"{here}/resources/{told['id']}" if told.get("table") else None,
        "download": _bytes_address(told),
        "conformance": told.get("conformance"), "points": told.get("points"), "rows": told.get("rows"),
        "columns": told.get("columns", ()), "size": told.get("size"),
    }  # fmt: skip


def _bytes_address(told: dict[str, Any]) -> str:
    if told.get("file"):
        return f"/opendata/datasets/files/{told['id']}/{told['filename']}"
    return told["url"] or (f"/opendata/data/{told['id']}.csv" if told.get("table") else "")


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


# ---- a table ----------------------------------------------------------------------------------------------------------


@router.get("/opendata/datasets/{name}/resources/{resource_id}", summary="A table: rows, filters, statistics, map")
def table(request: Request, name: str, resource_id: str, actor: Actor = access.public()) -> Response:
    return _table_page(request, name, resource_id, None)


@router.get(
    "/t/{code}/opendata/datasets/{name}/resources/{resource_id}", summary="The same under the municipality's name"
)
def own_table(request: Request, name: str, resource_id: str, actor: Actor = access.public()) -> Response:
    with shell.reading(request, actor):
        pass
    return _table_page(request, name, resource_id, actor.tenant)


def _table_page(request: Request, name: str, resource_id: str, tenant: str | None) -> Response:
    catalogue = shell.catalogue_in(request).refresh()
    with shell.public(request) as session:
        row = published.get(session, name)
    _check_town(row, tenant)
    told = published.resource_in(row, resource_id)
    if not told.get("table"):
        raise NotFound("このファイルは表として見られません。ダウンロードしてお使いください。")
    shell.note(request, "view", row.id, resource_id)
    given = request.query_params
    errors: dict[str, str] = {}
    with tables_of(shell.service_of(request)).open(row.tenant, told["table"]) as opened:
        try:
            question, page = _question(given, opened)
        except Invalid as refusal:
            question, page, errors = Question(limit=ROWS), 1, {"c0": refusal.message}
        names = opened.wanted(question)
        rows, total = list(opened.select(question)), opened.count(question)
        points = _points(opened, question, told.get("points"))
        shown = given.get("column", "")
        stats = opened.statistics(shown) if shown in opened.names else None
    code, _place = catalogue.place(row.tenant)
    top = f"{'/t/' + code if tenant else ''}/opendata/datasets/{row.name}"
    here = f"{top}/resources/{resource_id}"
    title = told["name"] if told["name"] != row.document["title"] else row.document["title"]
    drawn = point_map(title, points) if points else None
    query = [(key, value) for key, value in given.multi_items() if key not in ("page", "column", "lang") and value]
    return shell.render_public(
        request, "public/table.html", title=title, crumbs=(Link(row.document["title"], top), Link(shell.spoken(request, say("表")), here)),
        told=told, names=names, rows=rows, total=total, errors=errors, here=here, given=_typed(given), count=FILTERS, stats=stats,
        columns=[("", shell.spoken(request, say("（選ぶ）"))), *((each, each) for each in names if each != "_id")],
        operators=shell.spoken_options(request, OPERATORS), map=drawn, mapped=len(points), more_points=total > MAP_ROWS,
        sort_href=lambda column: _sort_address(here, query, column, given), sorted=question.sort[0] if question.sort else None,
        pager=_row_pager(here, query, page, total), csv=f"/opendata/data/{resource_id}.csv?{urlencode(_as_api(given))}",
        parquet=f"/opendata/data/{resource_id}.parquet?{urlencode(_as_api(given))}",
        chart=f"/opendata/datasets/{row.name}/resources/{resource_id}/chart?{urlencode(_without_page(query))}",
        json=f"/opendata/data/{resource_id}.json?{urlencode(_as_api(given))}",
        geojson=f"/opendata/data/{resource_id}.geojson?{urlencode(_as_api(given))}" if told.get("points") else None,
        stat_href=lambda column: f"{here}?{urlencode([*query, ('column', column)])}#statistics",
        types={c["name"]: c["type"] for c in told["columns"]},
    )  # fmt: skip


def _without_page(query: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The conditions alone."""
    return [pair for pair in query if pair[0] not in ("page", "column", "sort")]


def _typed(given: Any) -> dict[str, str]:
    return {f"{part}{n}": given.get(f"{part}{n}", "") for n in range(FILTERS) for part in "cov"} | {
        "q": given.get("q", "")
    }


def conditions_in(given: Any) -> tuple[Condition, ...]:
    """The form's conditions: c0 (column), o0 (operator), v0 (value) … Half-filled ones are left out."""
    found = []
    for n in range(FILTERS):
        column, operator, value = (given.get(f"{part}{n}", "").strip() for part in "cov")
        if column and value:
            found.append(Condition(column, operator if operator in OPERATORS else "contains", value))
    return tuple(found)


def _question(given: Any, opened: Table) -> tuple[Question, int]:
    page = given.get("page", "1")
    number = int(page) if page.isascii() and page.isdigit() and 0 < int(page) < 1_000_000 else 1
    name = given.get("sort", "")
    sort = ((name.removeprefix("-"), name.startswith("-")),) if name.removeprefix("-") in opened.names else ()
    words = tuple(given.get("q", "").split()[:5])
    question = Question(conditions_in(given), words, (), sort, ROWS, (number - 1) * ROWS)
    opened.count(
        replace(question, limit=0, offset=0, words=())
    )  # refuses unknown columns here, not in the middle of rows
    return question, number


def _as_api(given: Any) -> list[tuple[str, str]]:
    """The same view as a question to the data interface."""
    pairs = [(f"{each.column}__{each.operator}", str(each.value)) for each in conditions_in(given)]
    pairs += [("q", given["q"])] if given.get("q") else []
    return pairs + ([("sort", given["sort"])] if given.get("sort") else [])


def _points(opened: Table, question: Question, where: dict[str, str] | None) -> list[Point]:
    if not where:
        return []
    label = next((name for name in ("名称", "施設名", "名前", "地名") if name in opened.names), opened.names[0])
    wanted = (where["lat"], where["lng"], label)
    found = opened.select(replace(question, columns=wanted, limit=MAP_ROWS, offset=0))
    return [Point(float(lat), float(lng), str(name or ""), n) for n, lat, lng, name in found if _on_earth(lat, lng)]


def _on_earth(lat: Any, lng: Any) -> bool:
    return isinstance(lat, int | float) and isinstance(lng, int | float) and abs(lat) <= 90 and abs(lng) <= 180


def _sort_address(here: str, query: list[tuple[str, str]], column: str, given: Any) -> str:
    pairs = [(key, value) for key, value in query if key != "sort"]
    return f"{here}?{urlencode([*pairs, ('sort', f'-{column}' if given.get('sort') == column else column)])}#rows"


def _row_pager(here: str, query: list[tuple[str, str]], page: int, total: int) -> dict[str, Any]:
    first, last = (page - 1) * ROWS + 1, min(page * ROWS, total)

    def address(number: int) -> str:
        return f"{here}?{urlencode([*query, ('page', str(number))])}#rows"

    return {
        "first": first if total else 0, "last": max(last, 0), "total": total,
        "next": address(page + 1) if last < total else None, "previous": address(page - 1) if page > 1 else None,
    }  # fmt: skip


# ---- files ------------------------------------------------------------------------------------------------------------


@router.get(
    "/opendata/datasets/files/{resource_id}/{filename}", summary="A published file; its name in the address is free"
)
def download(request: Request, resource_id: str, filename: str, actor: Actor = access.public()) -> Response:
    with shell.public(request) as session:
        row = published.dataset_of(session, resource_id)
    told = published.resource_in(row, resource_id)
    if not told.get("file"):
        raise NotFound("このファイルは、ここにはありません。")
    etag = f'"{told["sha256"][:32]}"'
    headers = {"ETag": etag, "Cache-Control": "public, no-cache", "Access-Control-Allow-Origin": "*"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    shell.note(request, "download", row.id, resource_id)
    store = files_of(shell.service_of(request))

    def pieces() -> Any:
        with store.open(row.tenant, told["file"]) as opened:
            yield from opened.chunks

    headers |= {"Content-Disposition": csvout.attachment(told["filename"])}
    place = store.place(row.tenant, told["file"]) if "x-accel-offered" in request.headers else None
    if place is not None:  # the gateway has it sent by nginx (OFFLOAD)
        return Response(headers=headers | {"X-Accel-Redirect": place}, media_type=told["media_type"])
    headers |= {"Content-Length": str(told["size"])}
    return StreamingResponse(pieces(), headers=headers, media_type=told["media_type"])
