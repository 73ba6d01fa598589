"""The page of 入札監視委員会: indicators with their meaning and base rate, the tenders they point at, and the same as a table."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access, csvout, room
from libs.common.actor import Actor
from libs.common.errors import say
from libs.common.web import Link
from services.ebid.api.desk import DESK
from services.ebid.api.shell import reading, render, service_of, spoken
from services.ebid.domain import flags
from services.ebid.use_cases import companies, watching

router = APIRouter()
WATCHER = "ebid.watcher"
TITLE = say("入札の監視")
SHOWN_FIRMS = 30


@router.get(f"{DESK}/watching", summary="Indicators for 入札監視委員会", tags=["desk"])
def page(request: Request, only: str = "", actor: Actor = access.staff(WATCHER)) -> Response:
    with reading(request, actor) as session:
        found = watching.results(session)
        results = [result for _, result in found]
        firms = flags.firms(results)[:SHOWN_FIRMS]
        names = {key: each.name for key, each in companies.by_ids(session, {firm.bidder for firm in firms}).items()}
    rows = [(row, odd) for row, odd in watching.screened(found) if not only or only in odd]
    return render(
        request, "desk/watching.html", desk=True, title=TITLE, crumbs=(Link(TITLE, "", True),), rows=rows, firms=firms, names=names,
        indicators=_indicators(request, results), only=only, rotation=flags.rotation(results), count=len(results),
    )  # fmt: skip


def _indicators(request: Request, own: list[flags.Result]) -> list[dict[str, Any]]:
    here, everywhere = flags.base_rates(own), flags.base_rates(_everywhere(request))
    return [
        {"key": each.key, "name": spoken(request, each.name), "meaning": spoken(request, each.meaning),
         "here": here[each.key], "everywhere": everywhere[each.key]}
        for each in flags.INDICATORS
    ]  # fmt: skip


def _everywhere(request: Request) -> list[flags.Result]:
    """The published results of all municipalities, one after the other."""
    database = service_of(request).database
    with database.reading() as session:
        tenants = room.rooms(session)
    found: list[flags.Result] = []
    for tenant in tenants:
        with database.reading(tenant=tenant) as session:
            found += [result for _, result in watching.results(session)]
    return found


@router.get(f"{DESK}/watching.csv", summary="The figures of every concluded tender", tags=["desk"])
def table(request: Request, actor: Actor = access.staff(WATCHER)) -> Response:
    with reading(request, actor) as session:
        found = [(row.number, row.title, result) for row, result in watching.results(session)]
    rows = [
        (number, title, *(_figure(each.value(result)) for each in flags.INDICATORS)) for number, title, result in found
    ]
    header = ("案件番号", "件名", *(str(each.name) for each in flags.INDICATORS))
    headers = {"Content-Disposition": csvout.attachment("watching.csv")}
    return Response(b"".join(csvout.rows(rows, header=header)), media_type="text/csv; charset=utf-8", headers=headers)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
