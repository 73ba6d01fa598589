"""Pieces of pages that other services put together: a municipality's home, staff's one desk."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from services.eapply.api.shell import base, now_of, pages_of, reading, shown
from services.eapply.use_cases import procedures, queue

router = APIRouter()
SHOWN = 8


@router.get("/t/{code}/eapply/fragments/home", include_in_schema=False)
def home(request: Request, actor: Actor = access.public()) -> Response:
    with reading(request, actor) as session:
        rows = [shown(request, each) for each in procedures.offered_definitions(session)]
    return pages_of(request).render(
        request, "fragments/home.html", rows=rows[:SHOWN], more=len(rows) - SHOWN, base=base(request)
    )


@router.get("/t/{code}/eapply/fragments/desk", include_in_schema=False)
def desk(request: Request, actor: Actor = access.staff("eapply.reviewer")) -> Response:
    now = now_of(request)
    with reading(request, actor) as session:
        counts = queue.counts(session, actor, now)
    return pages_of(request).render(request, "fragments/desk.html", counts=counts, base=base(request))
