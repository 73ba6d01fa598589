"""Pieces of shared pages: a municipality's home, staff's one desk."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from services.ebid.api.desk import OFFICER
from services.ebid.api.public import phase_of, words
from services.ebid.api.shell import base, pages_of, reading
from services.ebid.domain.states import State
from services.ebid.use_cases import tenders

router = APIRouter()
SHOWN = 5


@router.get("/t/{code}/ebid/fragments/home", include_in_schema=False)
def home(request: Request, actor: Actor = access.public()) -> Response:
    with reading(request, actor) as session:
        rows = [
            (row, tenders.round_of(session, row, row.round))
            for row in tenders.published(session, limit=4 * SHOWN)
            if not tenders.is_practice(row)
        ][:SHOWN]
    found = [{"row": row, "held": held, "phase": phase_of(request, row, held)} for row, held in rows]
    return pages_of(request).render(
        request, "fragments/home.html", rows=found, base=base(request), words=words(request)
    )


@router.get("/t/{code}/ebid/fragments/desk", include_in_schema=False)
def desk(request: Request, actor: Actor = access.staff(OFFICER)) -> Response:
    with reading(request, actor) as session:
        rows = tenders.for_the_desk(session)
    counts = {state.value: sum(row.state == state for row in rows) for state in State}
    return pages_of(request).render(request, "fragments/desk.html", counts=counts, base=base(request))
