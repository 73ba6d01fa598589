"""技術点 at the desk: proposals read, points given, points fixed."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.web import Link
from services.ebid.api.desk import OFFICER, TENDER
from services.ebid.api.public import file_answer
from services.ebid.api.shell import Form, base, changing, form, now_of, office, reading, render, to
from services.ebid.use_cases import companies, participation, proposals, scores, tenders

router = APIRouter()
TITLE = say("技術点を入れる")


@router.get(f"{TENDER}/scores/{{company_id}}", summary="Points of one company", tags=["desk"])
def page(request: Request, tender_id: str, company_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    return _page(request, actor, tender_id, company_id, {}, {})


def _page(
    request: Request, actor: Actor, tender_id: str, company_id: str, typed: dict[str, str], errors: dict[str, str],
    status_code: int = 200,
) -> Response:  # fmt: skip
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        if participation.of(session, row, company_id) is None:
            raise NotFound(say("この会社は、この案件の評価の対象ではありません。"))
        score = scores.of(session, row).get(company_id)
        company = companies.by_ids(session, {company_id})[company_id]
        papers = proposals.listed(session, row).get(company_id, [])
    known: dict[str, Any] = dict(score.points) if score else {}
    return render(
        request, "desk/scores.html", desk=True, title=TITLE, crumbs=(Link(row.title, f"../../{row.id}"), Link(TITLE, "", True)),
        row=row, company=company, papers=papers, criteria=list(enumerate(scores.criteria(row))), typed=typed or known,
        errors=errors, fixed=score is not None and score.entry_id is not None,
        address=f"{base(request)}/desk/tenders/{row.id}", status_code=status_code,
    )  # fmt: skip


@router.post(f"{TENDER}/scores/{{company_id}}", include_in_schema=False)
def give(
    request: Request, tender_id: str, company_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form
) -> Response:
    points = {name.removeprefix("points-"): text for name, text in sent.pairs if name.startswith("points-")}
    try:
        with changing(request, actor) as session:
            scores.give(session, actor, tender_id, company_id, points, now_of(request))
    except Invalid as refusal:
        errors = {f"points-{place}": sentence for place, sentence in refusal.fields.items()}
        return _page(request, actor, tender_id, company_id, points, errors, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}#applications")


@router.post(f"{TENDER}/scores", include_in_schema=False)
def fix(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    with changing(request, actor) as session:
        scores.fix(session, actor, tender_id, office(request), now_of(request))
    return to(f"{base(request)}/desk/tenders/{tender_id}#applications")


@router.get(f"{TENDER}/proposals/{{file_id}}", summary="A paper of an application", tags=["desk"])
def proposal(request: Request, tender_id: str, file_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    with changing(request, actor) as session:
        found = proposals.read(session, actor, tenders.load(session, tender_id), file_id, now_of(request))
    return file_answer(request, actor, found)
