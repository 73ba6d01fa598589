"""What officials decide about companies: 資格確認, 指名, answers to questions."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid
from services.ebid.api.desk import OFFICER, TENDER, show
from services.ebid.api.shell import (
    Form,
    base,
    changing,
    form,
    now_of,
    office,
    to,
)
from services.ebid.use_cases import (
    participation,
    questions,
)

router = APIRouter()


@router.post(f"{TENDER}/applications/{{company_id}}", include_in_schema=False)
def decide_application(
    request: Request, tender_id: str, company_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form
) -> Response:
    try:
        with changing(request, actor) as session:
            confirmed = sent.get("decision") == "confirmed"
            reason = sent.get("reason")[:1000]
            participation.decide(
                session, actor, tender_id, company_id, confirmed, reason, office(request), now_of(request)
            )
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, {f"reason-{company_id}": refusal.fields["reason"]}, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}#applications")


@router.post(f"{TENDER}/invitations", include_in_schema=False)
def invite(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            number = sent.get("corporate_number")[:40]
            reason = sent.get("nomination").strip()[:1000]
            participation.invite(session, actor, tender_id, number, office(request), now_of(request), reason)
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, {"corporate_number": refusal.message}, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}#applications")


@router.post(f"{TENDER}/questions/{{question_id}}", include_in_schema=False)
def answer(
    request: Request, tender_id: str, question_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form
) -> Response:
    try:
        with changing(request, actor) as session:
            text = sent.get("answer")
            questions.answer(session, actor, tender_id, question_id, text, office(request), now_of(request))
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, {f"answer-{question_id}": refusal.message}, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}#questions")
