"""How good the data is: by municipality, for everybody, as a page and as CSV."""

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import say
from libs.common.web import Link
from services.opendata.api import shell
from services.opendata.domain.quality import Quality, Score, score

router = APIRouter(tags=["public"])
HEADER = ("全国地方公共団体コード", "市区町村名", "データセット（件）", "星の平均", "標準への準拠の平均（点）", "機械判読性の平均（点）",
          "更新の約束（件）", "約束どおり（件）")  # fmt: skip


def scores(request: Request) -> list[Score]:
    """Of every municipality that takes part; the ones without data come last, with zero."""
    catalogue, now = shell.catalogue_in(request).refresh(), shell.now_of(request)
    found: dict[str, list[Quality]] = {tenant: [] for tenant in catalogue.places}
    for entry in catalogue.entries.values():
        found.setdefault(entry.tenant, []).append(entry.quality)
    judged = [
        score(tenant, each, now) if each else Score(tenant, 0, 0.0, None, None, 0, 0) for tenant, each in found.items()
    ]
    return sorted(judged, key=lambda one: (-one.datasets, one.tenant))


@router.get("/opendata/quality", summary="How good each municipality's data is")
def quality_page(request: Request, actor: Actor = access.public()) -> Response:
    catalogue = shell.catalogue_in(request).refresh()
    found = scores(request)
    title = shell.spoken(request, say("データの品質"))
    return shell.render_public(
        request, "public/quality.html", title=title, crumbs=(Link(title, "/opendata/quality"),), places=catalogue.places,
        scores=found, with_data=sum(bool(one.datasets) for one in found), datasets=len(catalogue.entries),
    )  # fmt: skip


@router.get("/opendata/quality.csv", summary="The same as CSV")
def quality_csv(request: Request, actor: Actor = access.public()) -> Response:
    places = shell.catalogue_in(request).refresh().places

    def line(one: Score) -> tuple[object, ...]:
        code, name = places.get(one.tenant, (one.tenant, ""))
        means = (None if value is None else round(value, 1) for value in (one.stars, one.conformance, one.readability))
        return (code, name, one.datasets, *means, one.promised, one.kept)

    headers = {"Content-Disposition": csvout.attachment("opendata_quality.csv"), "Access-Control-Allow-Origin": "*"}
    rows = csvout.rows(map(line, scores(request)), header=HEADER)
    return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)
