"""A published table for everybody: its rows with filters and order, its map, what stands in its columns."""

import math
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.web import Link
from services.opendata.api import shell
from services.opendata.api.drawing import written
from services.opendata.api.pieces import piece
from services.opendata.api.points import Point, point_map
from services.opendata.api.public import check_town
from services.opendata.datastore import Condition, Question, Table, query
from services.opendata.datastore.types import NUMERIC, PLAIN
from services.opendata.db import published
from services.opendata.settings import tables_of

router = APIRouter(tags=["public"])
ROWS, MAP_ROWS = 50, 2000
FILTERS = 4
"""How many conditions the table's form offers at once."""
OPERATORS = {
    "contains": say("をふくむ"), "eq": say("と同じ"), "ne": say("ではない"), "gte": say("以上"), "lte": say("以下"),
}  # fmt: skip


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
    check_town(row, tenant)
    told = published.resource_in(row, resource_id)
    if not told.get("table"):
        raise NotFound(say("このファイルは表として見られません。ダウンロードしてお使いください。"))
    shell.note(request, "view", row.id, resource_id)
    given = request.query_params
    errors: dict[str, str] = {}
    with tables_of(shell.service_of(request)).open(row.tenant, told["table"]) as opened:
        try:
            question, page = question_of(given, opened)
        except Invalid as refusal:
            question, page, errors = Question(limit=ROWS), 1, refusal.fields or {"c0": refusal.message}
        names = opened.wanted(question)
        total = opened.count(question)
        page = min(page, max(1, -(-total // ROWS)))
        question = replace(question, offset=(page - 1) * ROWS)
        rows = list(query.decoded(opened.columns, names, opened.select(question), kinds=PLAIN))
        points = points_of(opened, question, told.get("points"))
        shown = given.get("column", "")
        stats = opened.statistics(shown) if shown in opened.names else None
    code, _place = catalogue.place(row.tenant)
    top = f"{'/t/' + code if tenant else ''}/opendata/datasets/{row.name}"
    here = f"{top}/resources/{resource_id}"
    title = told["name"] if told["name"] != row.document["title"] else row.document["title"]
    drawn = point_map(title, points) if points else None
    asked = [(key, value) for key, value in given.multi_items() if key not in ("page", "column", "lang") and value]
    return shell.render_public(
        request, "public/table.html", title=title,
        crumbs=(Link(shell.short(row.document["title"]), top), Link(shell.spoken(request, say("表")), here)),
        told=told, names=names, rows=rows, total=total, errors=errors, here=here, given=_typed(given), count=FILTERS, stats=stats,
        columns=[("", shell.spoken(request, say("（選ぶ）"))), *((each, each) for each in names if each != "_id")],
        pieces=_pieces(request, resource_id, title, asked, on_a_map=bool(points)),
        operators=shell.spoken_options(request, OPERATORS), map=drawn, mapped=len(points), more_points=total > MAP_ROWS,
        sort_href=lambda column: _sort_address(here, asked, column, given), sorted=question.sort[0] if question.sort else None,
        pager=_row_pager(here, asked, page, total), csv=f"/opendata/data/{resource_id}.csv?{urlencode(as_api(given))}",
        parquet=f"/opendata/data/{resource_id}.parquet?{urlencode(as_api(given))}",
        chart=f"/opendata/datasets/{row.name}/resources/{resource_id}/chart?{urlencode(_without_page(asked))}",
        json=f"/opendata/data/{resource_id}.json?{urlencode(as_api(given))}",
        mean=written(stats["mean"]) if stats and stats["mean"] is not None else None,
        geojson=f"/opendata/data/{resource_id}.geojson?{urlencode(as_api(given))}" if told.get("points") else None,
        stat_href=lambda column: f"{here}?{urlencode([*asked, ('column', column)])}#statistics",
        types={c["name"]: c["type"] for c in told["columns"]},
    )  # fmt: skip


def _pieces(
    request: Request, resource_id: str, title: str, query: list[tuple[str, str]], *, on_a_map: bool
) -> list[tuple[str, str]]:
    """What to call it, and the HTML for another site."""
    offered = [("table", say("表"))] + ([("map", say("地図"))] if on_a_map else [])
    site = shell.site(request)
    return [(shell.spoken(request, label), piece(site, resource_id, view, title, query)) for view, label in offered]


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


def question_of(given: Any, opened: Table) -> tuple[Question, int]:
    number = shell.page_number(given.get("page", "1"), digits=9)
    name = given.get("sort", "")
    sort = ((name.removeprefix("-"), name.startswith("-")),) if name.removeprefix("-") in opened.names else ()
    words = tuple(given.get("q", "").split()[:5])
    _check_numbers(given, opened)
    question = Question(conditions_in(given), words, (), sort, ROWS, (number - 1) * ROWS)
    opened.count(
        replace(question, limit=0, offset=0, words=())
    )  # refuses unknown columns here, not in the middle of rows
    return question, number


def _check_numbers(given: Any, opened: Table) -> None:
    """More or less than something that is no number finds nothing in a column of numbers: that is said, not shown as no rows."""
    numbers = {column.name for column in opened.columns if column.type in NUMERIC}
    for n in range(FILTERS):
        column, operator, value = (given.get(f"{part}{n}", "").strip() for part in "cov")
        if column in numbers and operator in ("gte", "lte", "eq") and value and not is_number(value):
            message = say(
                "「%(column)s」は数の列です。「%(value)s」は数として読めません。", column=column[:40], value=value[:40]
            )
            raise Invalid(message, code="not-a-number", fields={f"v{n}": message})


def is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def as_api(given: Any) -> list[tuple[str, str]]:
    """The same view as a question to the data interface."""
    pairs = [(f"{each.column}__{each.operator}", str(each.value)) for each in conditions_in(given)]
    pairs += [("q", given["q"])] if given.get("q") else []
    return pairs + ([("sort", given["sort"])] if given.get("sort") else [])


def points_of(opened: Table, question: Question, where: dict[str, str] | None) -> list[Point]:
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
