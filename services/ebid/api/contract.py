"""契約, 変更契約 and 完了 at the desk."""

from collections.abc import Callable
from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from services.ebid.api.desk import OFFICER, TENDER, show
from services.ebid.api.shell import Form, base, changing, form, now_of, office, to
from services.ebid.domain.money import parse_amount
from services.ebid.use_cases import contracts

router = APIRouter()


@router.post(f"{TENDER}/contract", include_in_schema=False)
def sign(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    def act(session: Session) -> None:
        signed_on, first, last = _day(sent, "signed_on"), _day(sent, "first"), _day(sent, "last")
        contracts.sign(session, actor, tender_id, signed_on, first, last, office(request), now_of(request))

    return _done(request, actor, tender_id, sent, act)


@router.post(f"{TENDER}/contract/amend", include_in_schema=False)
def amend(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    def act(session: Session) -> None:
        on, last, reason = _day(sent, "on"), _day(sent, "new_last"), sent.get("change_reason")[:1000]
        amount = parse_amount(sent.get("amount"))
        contracts.amend(session, actor, tender_id, on, reason, amount, last, office(request), now_of(request))

    return _done(request, actor, tender_id, sent, act)


@router.post(f"{TENDER}/contract/complete", include_in_schema=False)
def complete(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    def act(session: Session) -> None:
        contracts.complete(session, actor, tender_id, _day(sent, "completed_on"), office(request), now_of(request))

    return _done(request, actor, tender_id, sent, act)


def _done(request: Request, actor: Actor, tender_id: str, sent: Form, act: Callable[[Session], None]) -> Response:
    try:
        with changing(request, actor) as session:
            act(session)
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, refusal.fields, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}#contract")


def _day(sent: Form, name: str) -> date:
    try:
        return date.fromisoformat(sent.get(name))
    except ValueError:
        sentence = say("日付を入力してください。")
        raise Invalid(sentence, fields={name: sentence}) from None
