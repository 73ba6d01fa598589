"""Charts of a published table, made by choosing columns. The address says all of it: a link to a chart is the chart, for ever."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.web import Link
from libs.common.web.charts import Bar, Chart, bar_list
from services.opendata.api import shell
from services.opendata.api.drawing import line
from services.opendata.api.pieces import piece
from services.opendata.api.tables import FILTERS, conditions_in
from services.opendata.datastore import Question, Table
from services.opendata.datastore.types import NUMERIC
from services.opendata.db import published
from services.opendata.settings import tables_of

router = APIRouter(tags=["public"])
MOST_BARS, MOST_POINTS = 40, 2000
LOOKED_AT = 2000
"""Rows that say which column is worth drawing: millions would take the time of the answer."""
HOW = {"count": say("行の数"), "sum": say("合計"), "avg": say("平均"), "min": say("最小"), "max": say("最大")}
KINDS = {"bar": say("棒グラフ"), "line": say("折れ線グラフ")}
WHERE = {"緯度", "経度"}
TIMES = {"date", "timestamp", "timestamptz"}


@router.get("/opendata/datasets/{name}/resources/{resource_id}/chart", summary="A chart of a table's columns")
def chart_page(request: Request, name: str, resource_id: str, actor: Actor = access.public()) -> Response:
    with shell.public(request) as session:
        row = published.get(session, name)
    told = published.resource_in(row, resource_id)
    if not told.get("table"):
        raise NotFound(say("このファイルは表として見られません。ダウンロードしてお使いください。"))
    shell.note(request, "view", row.id, resource_id)
    given, error, chart = request.query_params, "", None
    with tables_of(shell.service_of(request)).open(row.tenant, told["table"]) as table:
        chosen = chosen_in(given, table)
        try:
            chart = chart_of(request, table, chosen, told["name"]) if chosen["x"] else None
        except Invalid as refusal:
            error = str(refusal.message)
    here = f"/opendata/datasets/{row.name}/resources/{resource_id}"
    conditions = [
        (f"{part}{n}", given[f"{part}{n}"]) for n in range(FILTERS) for part in "cov" if given.get(f"{part}{n}")
    ]
    title = shell.spoken(request, say("%(name)sのグラフ", name=told["name"]))
    crumbs = (
        Link(shell.short(row.document["title"]), f"/opendata/datasets/{row.name}"),
        Link(shell.spoken(request, say("表")), here),
        Link(shell.spoken(request, say("グラフ")), f"{here}/chart"),
    )
    return shell.render_public(
        request, "public/chart.html", title=title, crumbs=crumbs, chart=chart, error=error, chosen=chosen, here=here,
        columns=[*([] if chosen["x"] else [("", shell.spoken(request, say("（選ぶ）")))]), *((c.name, c.name) for c in table.columns)],
        conditions=conditions, conditioned=bool(conditions_in(given)),
        numbers=[("", "－"), *((c.name, c.name) for c in table.columns if c.type in NUMERIC)],
        how=shell.spoken_options(request, HOW), kinds=shell.spoken_options(request, KINDS),
        piece=piece(shell.site(request), resource_id, "chart", title, [*conditions, *chosen.items()]),
        link=f"{shell.site(request)}{here.removeprefix('/opendata')}/chart?{urlencode([*conditions, *chosen.items()])}",
    )  # fmt: skip


def chosen_in(given: Any, table: Table) -> dict[str, str]:
    """What stands in the address; where nothing does, the first columns that make a chart that says something."""
    kinds = {column.name: column.type for column in table.columns}
    x = given.get("x") if given.get("x") in kinds else _first_worth_drawing(table)
    y = given.get("y", "") if kinds.get(given.get("y", "")) in NUMERIC else ""
    how = given.get("how", "count") if given.get("how") in HOW and y else "count"
    if kinds.get(x) in TIMES and "x" not in given:
        # One row a day says nothing by their number: the first numbers do.
        y = next((name for name, kind in kinds.items() if kind in NUMERIC and name not in WHERE), "")
        how = "sum" if y else "count"
    usual = "line" if kinds.get(x) in TIMES else "bar"
    return {"x": x, "y": y, "how": how, "kind": given.get("kind") if given.get("kind") in KINDS else usual}


def _first_worth_drawing(table: Table) -> str:
    """A column of times, else one whose values come more than once and are few; "" where there is none."""
    times = next((column.name for column in table.columns if column.type in TIMES), "")
    if times:
        return times
    rows = list(table.select(Question(limit=LOOKED_AT)))
    words = [(n, column.name) for n, column in enumerate(table.columns, start=1) if column.type not in NUMERIC]
    return next((name for n, name in words if _groups([row[n] for row in rows])), "")


def _groups(cells: Sequence[Any]) -> bool:
    filled = [cell for cell in cells if cell is not None]
    return 1 < len(set(filled)) <= MOST_BARS and len(filled) >= 2 * len(set(filled))


def chart_of(request: Request, table: Table, chosen: dict[str, str], title: str) -> Chart | None:
    measure = (chosen["how"], chosen["y"] or "*")
    bars = chosen["kind"] == "bar"
    most = MOST_BARS if bars else MOST_POINTS
    question = Question(conditions_in(request.query_params), limit=most + 2)
    rows = table.aggregate([chosen["x"]], [measure], question, largest=bars)
    found = [(str(key), float(value)) for key, value in rows if key is not None and _can_be_drawn(value)]
    if not found:
        return None
    more, found = len(found) > most, found[:most]
    unit = shell.spoken(request, HOW[chosen["how"]]) + (f"（{chosen['y']}）" if chosen["y"] else "")
    caption = shell.spoken(
        request, say("%(title)s：%(column)sごとの%(unit)s", title=title, column=chosen["x"], unit=unit)
    )
    if more:
        part = say("（大きいほうから%(count)s件）", count=most) if bars else say("（はじめの%(count)s件）", count=most)
        caption += shell.spoken(request, part)
    if bars:
        return _bars(caption, found, chosen["x"], unit)
    kind = next(column.type for column in table.columns if column.name == chosen["x"])
    return line("chart", caption, _places(found, kind), along=chosen["x"], unit="")


def _can_be_drawn(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _bars(caption: str, found: Sequence[tuple[str, float]], along: str, measured: str) -> Chart:
    if any(value < 0 for _, value in found):
        raise Invalid(
            say("負の数があるため、棒グラフにできません。折れ線グラフを選んでください。"), code="negative-bars"
        )
    bars = [Bar(name[:40], value) for name, value in found]
    return bar_list("chart", caption, bars, first_column=along, value_column=measured)


def _places(found: Sequence[tuple[str, float]], kind: str) -> list[tuple[str, float, float]]:
    """Days and numbers stand where they lie, other values one after another: all of a column alike, or the line would go back."""
    try:
        if kind in TIMES:
            return [(name, datetime.fromisoformat(name).timestamp(), value) for name, value in found]
        if kind in NUMERIC:
            return [(name, float(name), value) for name, value in found]
    except (ValueError, OverflowError):  # a year that no calendar has
        pass
    return [(name, float(number), value) for number, (name, value) in enumerate(found)]
