"""Pieces of pages that other services put together: a municipality's home, staff's one desk."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from services.opendata.api.shell import base, catalogue_in, pages_of, reading
from services.opendata.db import datasets

router = APIRouter()
SHOWN = 5


@router.get("/t/{code}/opendata/fragments/home", include_in_schema=False)
def home(request: Request, actor: Actor = access.public()) -> Response:
    with reading(request, actor):
        pass
    entries = sorted(catalogue_in(request).of(actor.tenant or ""), key=lambda entry: entry.modified, reverse=True)
    return pages_of(request).render(
        request, "fragments/home.html", entries=entries[:SHOWN], more=len(entries) - SHOWN, base=base(request)
    )


@router.get("/t/{code}/opendata/fragments/desk", include_in_schema=False)
def desk(request: Request, actor: Actor = access.staff("opendata.publisher")) -> Response:
    with reading(request, actor) as session:
        waiting = [row for row in datasets.drafts(session) if row.state != "published"]
        count = datasets.published_count(session)
    return pages_of(request).render(
        request, "fragments/desk.html", waiting=len(waiting), count=count, base=f"{base(request)}/desk/"
    )
