"""Pieces of shared pages: a line for a municipality's home, the state of all repositories for staff's one desk."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.web import Pages
from services.backup.api.shell import base, now_of, reading, service_of, to
from services.backup.use_cases import overview, watch

router = APIRouter()


@router.get("/t/{code}/backup/", include_in_schema=False)
def entrance(request: Request, actor: Actor = access.public()) -> Response:
    """Nothing here is for citizens; staff's pages are at the desk."""
    return to(base(request))


@router.get("/internal/backup/watch", include_in_schema=False)
def watched(request: Request, actor: Actor = access.public()) -> Response:
    """For a monitor outside of the cloud: 503 when the worker that raises the alarms has not looked for a while."""
    with service_of(request).database.reading() as session:
        silent, seen = watch.is_silent(session, now_of(request)), watch.last_look(session)
    return JSONResponse({"last_look": seen and seen.isoformat(), "silent": silent}, 503 if silent else 200)


@router.get("/t/{code}/backup/fragments/home", include_in_schema=False)
def home(request: Request, actor: Actor = access.public()) -> Response:
    with reading(request, actor):
        pages: Pages = service_of(request).extras["pages"]
        return pages.render(request, "fragments/home.html")


@router.get("/t/{code}/backup/fragments/desk", include_in_schema=False)
def desk(request: Request, actor: Actor = access.staff("backup.manager")) -> Response:
    with reading(request, actor) as session:
        seen = overview.listed(session, now_of(request))
    pages: Pages = service_of(request).extras["pages"]
    late = sum(item.health == "overdue" for item in seen)
    alerts = sum(len(item.alerts) for item in seen)
    return pages.render(
        request,
        "fragments/desk.html",
        count=len(seen),
        late=late,
        alerts=alerts,
        base=base(request),
        standing=request.state.standing,
    )
