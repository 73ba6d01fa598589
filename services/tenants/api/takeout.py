"""`/portal/{code}/takeout/`: everything the municipality owns, from every service, in one archive; the record of a deletion."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.clock import JST
from services.tenants import takeaway
from services.tenants.api import view
from services.tenants.db import requests as requests_db
from services.tenants.db import takeouts as takeouts_db
from services.tenants.domain import catalogue
from services.tenants.use_cases import takeouts

router = APIRouter(include_in_schema=False)


@router.get("/portal/{code}/takeout/")
def show(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """What was asked for, how far it is (live), and what can be taken."""
    town = view.municipality_of(request, actor)
    with view.service_of(request).database.reading() as session:
        rows = takeouts_db.of_tenant(session, town.tenant_id)[:10]
        found = [(row, takeouts_db.parts(session, row.id)) for row in rows]
    return view.portal_page(
        request,
        "portal/takeout.html",
        town,
        f"/portal/{code}/takeout/",
        found=found,
        kept=lambda row: takeouts.can_be_taken(row, view.now_of(request)),
        name_of=lambda key: catalogue.service(key).name,
        moving=any(part.state == "asked" for _, parts in found[:1] for part in parts),
    )


@router.post("/portal/{code}/takeout/")
def ask(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        takeouts.ask(session, actor, actor.tenant or "", view.now_of(request))
    return view.see_other(f"/portal/{code}/takeout/")


@router.get("/portal/{code}/takeout/{takeout_id}/archive")
def archive(request: Request, code: str, takeout_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """The archive, sent while it is written."""
    now = view.now_of(request)
    neighbours = view.neighbours_of(request)
    content = takeaway.pieces(view.service_of(request), neighbours, actor.tenant or "", takeout_id, now)
    name = f"kyodo-{actor.tenant}-{now.astimezone(JST):%Y%m%d}.zip"
    headers = {"Content-Disposition": csvout.attachment(name), "Cache-Control": "no-store"}
    return StreamingResponse(content, media_type="application/zip", headers=headers)


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
