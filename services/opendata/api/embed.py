"""Tables, charts and maps that other sites show in a frame: the same as on our pages, with whose data it is and the way to it.

`GET /opendata/embed/<file>/table | chart | map`, with the parameters of the page it was taken from. No script, no form, no cookie
is needed; any site may frame it (the gateway opens the frame on this word, gateway/openness.py).
"""

from typing import Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from services.opendata.api import shell
from services.opendata.api.charts import chart_of, chosen_in
from services.opendata.api.points import point_map
from services.opendata.api.tables import points_of, question_of
from services.opendata.datastore import Table
from services.opendata.db import published
from services.opendata.domain import vocabulary
from services.opendata.settings import tables_of

router = APIRouter(tags=["public"])
View = Literal["table", "chart", "map"]
FRAMED = {"Content-Security-Policy": "frame-ancestors *"}


@router.get("/opendata/embed/{resource_id}/{view}", summary="A table, chart or map of a file, for another site's frame")
def embedded(request: Request, resource_id: str, view: View, actor: Actor = access.public()) -> Response:
    catalogue = shell.catalogue_in(request).refresh()
    with shell.public(request) as session:
        row = published.dataset_of(session, resource_id)
    told = published.resource_in(row, resource_id)
    if not told.get("table"):
        raise NotFound(say("このファイルは表ではないので、埋め込めません。"))
    shell.note(request, "view", row.id, resource_id)
    title = told["name"] or row.document["title"]
    with tables_of(shell.service_of(request)).open(row.tenant, told["table"]) as opened:
        shown = _shown(request, opened, view, told, title)
    page = f"{shell.site(request)}/datasets/{row.name}/resources/{resource_id}"
    source = f"{page}/chart" if view == "chart" else page
    query = urlencode([(key, value) for key, value in request.query_params.multi_items() if key != "lang" and value])
    return shell.pages_of(request).render(
        request, "embed/frame.html", title=title, view=view, source=f"{source}?{query}" if query else source, headers=FRAMED,
        place_name=catalogue.place(row.tenant)[1], license=_license(request, row.document["license"]), **shown,
    )  # fmt: skip


def _shown(request: Request, opened: Table, view: View, told: dict[str, Any], title: str) -> dict[str, Any]:
    """What stands in the frame. A condition that is not understood shows nothing: another site must not show all rows instead."""
    nothing: dict[str, Any] = {"names": [], "rows": [], "types": {}, "total": 0, "chart": None, "map": None}
    try:
        if view == "chart":
            chosen = chosen_in(request.query_params, opened)
            return nothing | {"chart": chart_of(request, opened, chosen, title) if chosen["x"] else None}
        question, _page = question_of(request.query_params, opened)
        if view == "map":
            points = points_of(opened, question, told.get("points"))
            return nothing | {"map": point_map(title, points) if points else None}
        found = {
            "names": opened.wanted(question),
            "rows": list(opened.select(question)),
            "total": opened.count(question),
        }
        return nothing | found | {"types": {each["name"]: each["type"] for each in told["columns"]}}
    except Invalid:
        return nothing


def _license(request: Request, key: str) -> str:
    return shell.spoken(request, vocabulary.license_title(key))
