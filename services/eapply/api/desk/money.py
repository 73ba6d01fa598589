"""Fees at the desk: what is owed and by whom, the steps on one charge, the comparison with the provider."""

from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import say
from services.eapply import paying
from services.eapply.api.desk.shared import CASE, DESK, MANAGER, REVIEWER, do
from services.eapply.api.shell import Form, form, now_of, reading, render, service_of, spoken_all
from services.eapply.domain import fees as rules
from services.eapply.domain.fees import Charge
from services.eapply.use_cases import fees

router = APIRouter()
SPAN = timedelta(days=31)


@router.get(f"{DESK}/fees", include_in_schema=False)
def fees_page(request: Request, state: str = Charge.DUE, actor: Actor = access.staff(REVIEWER)) -> Response:
    return _page(request, actor, state)


@router.post(f"{DESK}/fees/reconcile", include_in_schema=False)
def reconcile(request: Request, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor):
        pass
    found = paying.reconcile(service_of(request), actor.tenant or "", actor, SPAN)
    return _page(request, actor, Charge.DUE, found)


def _page(request: Request, actor: Actor, state: str, found: fees.Reconciliation | None = None) -> Response:
    shown = state if state in set(Charge) else Charge.DUE
    with reading(request, actor) as session:
        listed, counts = fees.listed(session, shown), fees.counts(session)
    return render(
        request, "desk/fees.html", desk=True, title=say("手数料"), listed=listed, counts=counts, shown=shown,
        words=spoken_all(request, rules.WORDS), found=found, owed=fees.owed, simulated=paying.simulated(service_of(request)),
    )  # fmt: skip


@router.post(f"{CASE}/fee/fix", include_in_schema=False)
def fix(request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    def step(session: Session) -> None:
        fees.fix(session, actor, application_id, sent.number("amount"), now_of(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/fee/reduce", include_in_schema=False)
def reduce(request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    def step(session: Session) -> None:
        reduction, reason = sent.number("reduction"), sent.get("reduction_reason")
        fees.reduce(session, actor, application_id, reduction, reason, now_of(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/fee/window", include_in_schema=False)
def paid_at_window(
    request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form
) -> Response:
    def step(session: Session) -> None:
        fees.pay_at_window(session, actor, application_id, now_of(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/fee/refund", include_in_schema=False)
def refund(request: Request, application_id: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    def step(session: Session) -> None:
        fees.refund(session, actor, application_id, now_of(request))

    return do(request, actor, application_id, sent, step)
