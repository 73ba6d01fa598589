"""Staff's pages about what comes by itself: files renewed from an address, catalogues read from elsewhere."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid
from libs.common.web import Link
from services.opendata.api.shell import base, changing, now_of, reading, render_desk, service_of, spoken_options, to
from services.opendata.db import datasets, gathering
from services.opendata.domain.gathering import EVERY_NAMES, KINDS
from services.opendata.use_cases import harvest, schedules

router = APIRouter(prefix="/t/{code}/opendata/desk", tags=["desk"])
PUBLISHER, MANAGER = "opendata.publisher", "opendata.manager"
Text = Annotated[str, Form()]


@router.get("/resources/{resource_id}/schedule", summary="How a file renews itself")
def schedule_page(request: Request, resource_id: str, actor: Actor = access.staff(PUBLISHER)) -> Response:
    return _schedule_page(request, actor, resource_id)


def _schedule_page(
    request: Request,
    actor: Actor,
    resource_id: str,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    with reading(request, actor) as session:
        resource = datasets.resource(session, resource_id)
        dataset = datasets.by_id(session, resource.dataset_id)
        row = gathering.schedule(session, resource_id)
    usual = {"url": row.url if row else resource.url, "every": row.every if row else "DAILY"}
    crumbs = (Link(dataset.title, f"{base(request)}/desk/datasets/{dataset.id}"), Link("自動更新", ""))
    return render_desk(
        request, "desk/schedule.html", title=f"{resource.name or dataset.title}の自動更新", crumbs=crumbs, row=row, resource=resource,
        dataset=dataset, errors=errors or {}, typed=usual | (typed or {}), every=spoken_options(request, EVERY_NAMES),
        status=422 if errors else 200,
    )  # fmt: skip


@router.post("/resources/{resource_id}/schedule", summary="Renew a file from an address from now on")
def begin_schedule(
    request: Request, resource_id: str, url: Text = "", every: Text = "", actor: Actor = access.staff(PUBLISHER)
) -> Response:
    try:
        with changing(request, actor) as session:
            schedules.begin(service_of(request), session, actor, resource_id, url, every, now_of(request))
    except Invalid as refusal:
        return _schedule_page(request, actor, resource_id, refusal.fields, {"url": url, "every": every})
    return to(f"{base(request)}/desk/resources/{resource_id}/schedule")


@router.post("/resources/{resource_id}/schedule/now", summary="Fetch a file now")
def fetch_now(request: Request, resource_id: str, actor: Actor = access.staff(PUBLISHER)) -> Response:
    with changing(request, actor) as session:
        schedules.order(session, datasets.resource(session, resource_id).id, now_of(request))
    return to(f"{base(request)}/desk/resources/{resource_id}/schedule")


@router.post("/resources/{resource_id}/schedule/stop", summary="Renew it no more")
def stop_schedule(request: Request, resource_id: str, actor: Actor = access.staff(PUBLISHER)) -> Response:
    with changing(request, actor) as session:
        schedules.stop(session, actor, datasets.resource(session, resource_id).id, now_of(request))
    return to(f"{base(request)}/desk/resources/{resource_id}/schedule")


@router.get("/harvests", summary="Catalogues read from elsewhere")
def harvests_page(request: Request, actor: Actor = access.staff(MANAGER)) -> Response:
    return _harvests_page(request, actor)


def _harvests_page(
    request: Request, actor: Actor, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response:
    with reading(request, actor) as session:
        rows = gathering.harvests(session)
    usual = {"url": "", "kind": "ckan", "every": "DAILY"}
    return render_desk(
        request, "desk/harvests.html", title="ほかのサイトから集める", crumbs=(Link("ほかのサイトから集める", ""),), rows=rows,
        errors=errors or {}, typed=usual | (typed or {}), kinds=spoken_options(request, KINDS),
        every=spoken_options(request, EVERY_NAMES), status=422 if errors else 200,
    )  # fmt: skip


@router.post("/harvests", summary="Read a catalogue from now on")
def begin_harvest(
    request: Request, kind: Text = "", url: Text = "", every: Text = "", actor: Actor = access.staff(MANAGER)
) -> Response:
    try:
        with changing(request, actor) as session:
            harvest.begin(service_of(request), session, actor, kind, url, every, now_of(request))
    except Invalid as refusal:
        return _harvests_page(request, actor, refusal.fields, {"url": url, "kind": kind, "every": every})
    return to(f"{base(request)}/desk/harvests")


@router.post("/harvests/{harvest_id}/now", summary="Read it now")
def harvest_now(request: Request, harvest_id: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with changing(request, actor) as session:
        harvest.order(session, gathering.harvest(session, harvest_id).id, now_of(request), by_hand=True)
    return to(f"{base(request)}/desk/harvests")


@router.post("/harvests/{harvest_id}/stop", summary="Read it no more; what was harvested stays")
def stop_harvest(request: Request, harvest_id: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with changing(request, actor) as session:
        harvest.stop(session, actor, harvest_id, now_of(request))
    return to(f"{base(request)}/desk/harvests")
