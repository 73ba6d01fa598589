"""`/portal/{code}/takeout/`: everything the municipality owns, from every service, in one archive; the record of a deletion."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from libs.common import access, csvout, jobs
from libs.common.actor import Actor
from libs.common.clock import JST
from libs.common.errors import NotFound, say
from libs.common.ranges import resumable
from services.tenants import deletions, takeaway
from services.tenants.api import view
from services.tenants.db import deletions as deletions_db
from services.tenants.db import takeouts as takeouts_db
from services.tenants.db.takeouts import TakeoutRow
from services.tenants.domain import catalogue
from services.tenants.settings import files_of
from services.tenants.use_cases import forgetting, takeouts

router = APIRouter(include_in_schema=False)


@router.get("/portal/{code}/takeout/")
def show(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """What was asked for, how far it is (live), and what can be taken."""
    return _page(request, actor)


def _page(request: Request, actor: Actor, errors: dict[str, str] | None = None, typed: str = "") -> Response:
    town = view.municipality_of(request, actor)
    with view.service_of(request).database.reading(tenant=town.tenant_id) as session:
        hindrance = forgetting.in_the_way(session, town.tenant_id, view.now_of(request))
        rows = takeouts_db.of_tenant(session, town.tenant_id)[:10]
        found = [(row, takeouts_db.parts(session, row.id)) for row in rows]
    now = view.now_of(request)
    moving = any(takeouts.under_way(row, parts, now) for row, parts in found[:1])
    return view.portal_page(
        request,
        "portal/takeout.html",
        town,
        f"/portal/{town.code}/takeout/",
        status_code=422 if errors else 200,
        errors=view.told(request, errors or {}),
        typed=typed,
        hindrance=hindrance,
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


@router.get("/portal/{code}/takeout/{takeout_id}/archive")
@router.head("/portal/{code}/takeout/{takeout_id}/archive", include_in_schema=False)
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
    """That the data were deleted, as it was signed."""
    content = deletions.of_request(view.service_of(request), actor.tenant or "", request_id)
    return _record(content, f"deletion-{actor.tenant}-{request_id}.json")


@router.post("/portal/{code}/takeout/forget")
def forget(
    request: Request, code: str, name: Annotated[str, Form()] = "", actor: Actor = access.staff("portal.admin")
) -> Response:
    """What the registry itself keeps for a municipality that left goes; the answer is the signed record of it."""
    town = view.municipality_of(request, actor)
    if name.strip() != town.name:
        return _page(request, actor, {"name": say("市町村の名前が違います。もう一度入力してください。")}, name)
    content = deletions.forget(view.service_of(request), actor, town.tenant_id, view.now_of(request))
    return _record(content, f"deletion-{actor.tenant}.json")


@router.get("/operator/registry/{tenant}/deletions/{ident}.json")
def kept_record(request: Request, tenant: str, ident: str, actor: Actor = access.operator()) -> Response:
    """The same record, for who keeps the register: nobody of the municipality may be left to ask."""
    with view.service_of(request).database.reading() as session:
        row = deletions_db.find(session, ident)
    if row is None or row.tenant != tenant:
        raise NotFound(say("この記録は見つかりません。"))
    return _record(row.content, f"deletion-{tenant}-{row.subject}.json")


def _record(content: str, name: str) -> Response:
    headers = {"Content-Disposition": csvout.attachment(name), "Cache-Control": "no-store"}
    return Response(content.encode(), headers=headers, media_type="application/json")
