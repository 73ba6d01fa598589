"""`/portal/{code}/takeout/`: everything the municipality owns, from every service, in one archive; the record of a deletion."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from libs.common import access, csvout, jobs
from libs.common.actor import Actor
from libs.common.clock import JST
from libs.common.ranges import resumable
from services.tenants import takeaway
from services.tenants.api import view
from services.tenants.db import requests as requests_db
from services.tenants.db import takeouts as takeouts_db
from services.tenants.db.takeouts import TakeoutRow
from services.tenants.domain import catalogue
from services.tenants.settings import files_of
from services.tenants.use_cases import takeouts

router = APIRouter(include_in_schema=False)


@router.get("/portal/{code}/takeout/")
def show(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """What was asked for, how far it is (live), and what can be taken."""
    town = view.municipality_of(request, actor)
    with view.service_of(request).database.reading() as session:
        rows = takeouts_db.of_tenant(session, town.tenant_id)[:10]
        found = [(row, takeouts_db.parts(session, row.id)) for row in rows]
    now = view.now_of(request)
    moving = any(takeouts.under_way(row, parts, now) for row, parts in found[:1])
    return view.portal_page(
        request,
        "portal/takeout.html",
        town,
        f"/portal/{code}/takeout/",
        found=found,
        kept=lambda row: takeouts.can_be_taken(row, now),
        gathering=_gathering(request, actor, found[0][0]) if moving else None,
        name_of=lambda key: catalogue.service(key).name,
        moving=moving,
    )


@router.post("/portal/{code}/takeout/")
def ask(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        takeouts.ask(session, actor, actor.tenant or "", view.now_of(request))
    return view.see_other(f"/portal/{code}/takeout/")


def _gathering(request: Request, actor: Actor, row: TakeoutRow) -> jobs.JobState | None:
    """How far the newest archive is put together; None where it is not yet begun or is there."""
    if row.job is None or row.file is not None:
        return None
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        return jobs.find(session, row.job)


@router.api_route("/portal/{code}/takeout/{takeout_id}/archive", methods=["GET", "HEAD"])
def archive(request: Request, code: str, takeout_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """The archive, or the part of it that a download which broke off still needs."""
    row = takeaway.gathered(view.service_of(request), actor.tenant or "", takeout_id, view.now_of(request))
    name = f"kyodo-{row.tenant}-{row.asked_at.astimezone(JST):%Y%m%d}.zip"
    headers = {"Content-Disposition": csvout.attachment(name), "Cache-Control": "private, no-cache"}
    return resumable(
        request,
        files_of(view.service_of(request)),
        row.tenant,
        row.file or "",
        mark=row.sha256 or "",
        media_type="application/zip",
        headers=headers,
    )


@router.get("/portal/{code}/requests/{request_id}/deletion.json")
def deletion_record(
    request: Request, code: str, request_id: str, actor: Actor = access.staff("portal.admin")
) -> Response:
    """That the data were deleted, signed."""
    with view.service_of(request).database.reading() as session:
        row = requests_db.find_request(session, request_id, tenant=actor.tenant)
        steps: list[dict[str, Any]] = [
            {"step": step.kind, "at": step.at.isoformat()} for step in requests_db.steps_of(session, row.id)
        ]
        record = takeaway.deletion_record(view.service_of(request), row, steps)
    name = f"deletion-{row.service}-{row.tenant}.json"
    return JSONResponse(record, headers={"Content-Disposition": csvout.attachment(name), "Cache-Control": "no-store"})
