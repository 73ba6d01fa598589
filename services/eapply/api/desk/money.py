"""Fees at the desk: what is owed and by whom, the steps on one charge, the comparison with the provider."""

from datetime import timedelta
from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, say
from services.eapply import paying
from services.eapply.api.desk.shared import CASE, DESK, MANAGER, REVIEWER, do
from services.eapply.api.shell import (
    Form,
    changing,
    form,
    now_of,
    reading,
    render,
    service_of,
    site,
    spoken_all,
    typed_date,
)
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


@router.post(f"{DESK}/fees/ask", include_in_schema=False)
def ask_overdue(request: Request, actor: Actor = access.staff(REVIEWER)) -> Response:
    """Ask for everything that is overdue and was not asked for yet."""
    with changing(request, actor) as session:
        asked = fees.ask_overdue(session, actor, site(request), now_of(request))
    return _page(request, actor, fees.OVERDUE, asked=asked)


def _page(
    request: Request,
    actor: Actor,
    state: str,
    found: fees.Reconciliation | None = None,
    asked: fees.Asked | None = None,
) -> Response:
    now, words = now_of(request), _words(request)
    shown = state if state in words else Charge.DUE
    with reading(request, actor) as session:
        listed, counts = fees.listed(session, shown, now), fees.counts(session, now)
    return render(
        request, "desk/fees.html", desk=True, title=say("手数料"), listed=listed, counts=counts, shown=shown,
        words=words, found=found, asked=asked, owed=fees.owed, late=partial(fees.overdue, now=now),
        simulated=paying.simulated(service_of(request)),
    )  # fmt: skip


def _words(request: Request) -> dict[str, str]:
    """The tabs in their order: what is overdue stands beside what is due."""
    words = {}
    for state, word in rules.WORDS.items():
        words[str(state)] = word
        if state == Charge.DUE:
            words[fees.OVERDUE] = say("期限を過ぎた")
    return spoken_all(request, words)


@router.post(f"{CASE}/fee/fix", include_in_schema=False)
def fix(request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    def step(session: Session) -> None:
        fees.fix(session, actor, application_id, sent.number("amount"), now_of(request), site=site(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/fee/reduce", include_in_schema=False)
def reduce(request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    def step(session: Session) -> None:
        reduction, reason = sent.number("reduction"), sent.get("reduction_reason")
        fees.reduce(session, actor, application_id, reduction, reason, now_of(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/fee/extend", include_in_schema=False)
def extend(request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    def step(session: Session) -> None:
        day, reason = typed_date(sent, "fee_due"), sent.get("extend_reason")
        fees.extend(session, actor, application_id, day, reason, now_of(request), site=site(request))

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
        if paying.provider(service_of(request), session) is None:
            raise Conflict(
                say("収納代行を使っていません。口座振込などで返して、そのことを記録してください。"), code="no-provider"
            )
        fees.refund(session, actor, application_id, now_of(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/fee/window-refund", include_in_schema=False)
def refunded_at_window(
    request: Request, application_id: str, actor: Actor = access.staff(MANAGER), sent: Form = form
) -> Response:
    def step(session: Session) -> None:
        fees.refund_at_window(session, actor, application_id, now_of(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/fee/hand-refund", include_in_schema=False)
def refunded_by_hand(
    request: Request, application_id: str, actor: Actor = access.staff(MANAGER), sent: Form = form
) -> Response:
    def step(session: Session) -> None:
        fees.refund_by_hand(session, actor, application_id, sent.get("refund_how"), now_of(request))

    return do(request, actor, application_id, sent, step)
