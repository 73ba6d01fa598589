"""通知書 at the desk: what companies were told about a tender, to be printed and sent to whoever bids on paper."""

from itertools import groupby

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import say
from libs.common.web import Link
from services.ebid.api.desk import OFFICER, TENDER
from services.ebid.api.prints import letter_paper
from services.ebid.api.shell import base, reading, render
from services.ebid.use_cases import companies, letters, papers, tenders

router = APIRouter()
TITLE = say("通知書の印刷")


@router.get(f"{TENDER}/letters", summary="The notices of a tender, by company", tags=["desk"])
def page(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    """Who bid on paper stands first."""
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        told = letters.of_tender(session, row)
        on_paper = papers.bidders(session, row)
        known = companies.by_ids(session, {each.company_id for each in told})
    rows = [(known[key], key in on_paper, list(found)) for key, found in groupby(told, lambda each: each.company_id)]
    rows.sort(key=lambda each: (not each[1], each[0].name))
    return render(
        request, "desk/letters.html", desk=True, title=TITLE, crumbs=(Link(row.title, f"../{row.id}"), Link(TITLE, "", True)),
        row=row, rows=rows, address=f"{base(request)}/desk/tenders/{row.id}",
    )  # fmt: skip


@router.get(f"{TENDER}/letters/{{letter_id}}.pdf", summary="One of them, with the company's address", tags=["desk"])
def paper(request: Request, tender_id: str, letter_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        found = letters.find(session, row, letter_id)
        to = companies.by_ids(session, {found.company_id})[found.company_id]
    return letter_paper(request, row, found, to, address=True)
