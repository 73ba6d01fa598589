"""When the service could not be reached: for everybody."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import say
from libs.common.web import Link
from services.ebid.api.shell import render, service_of
from services.ebid.use_cases import log, outages

router = APIRouter()
TITLE = say("使えなかった時間の記録")


@router.get("/ebid/outages", summary="When e-bidding could not be reached")
def page(request: Request, actor: Actor = access.public()) -> Response:
    with service_of(request).database.reading() as session:
        rows = [{"row": each, "minutes": outages.minutes([each])} for each in outages.listed(session)]
    return render(
        request, "outages.html", title=TITLE, crumbs=(Link(TITLE, "", True),), rows=rows, every=outages.EVERY,
        least=int(outages.LEAST.total_seconds()),
    )  # fmt: skip


@router.get("/ebid/outages.json", summary="The same for programs, newest first")
def data(request: Request, actor: Actor = access.public()) -> Response:
    with service_of(request).database.reading() as session:
        return JSONResponse({"outages": [outages.document(each) for each in outages.listed(session)]})


@router.get("/ebid/outages/{outage_id}.json", summary="One of them, with its proof from the log")
def one(request: Request, outage_id: str, actor: Actor = access.public()) -> Response:
    with service_of(request).database.reading() as session:
        row = outages.find(session, outage_id)
        found = outages.document(row) | log.proof_of(session, row.receipt["index"])
    return JSONResponse(found)
