"""Paying a fee: the simulator's page, and the door for a provider's callbacks."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response

from libs.common import access, room
from libs.common.actor import Actor
from libs.common.errors import Conflict, NotFound, say
from libs.common.web import Link
from services.eapply import paying, payments
from services.eapply.api.applications import APPLICATION
from services.eapply.api.shell import base, changing, now_of, reading, render, service_of, to
from services.eapply.db import ChargeRow
from services.eapply.simulator import Simulator
from services.eapply.use_cases import fees, who

router = APIRouter()
PAY = "/t/{code}/eapply/pay/{charge_id}"
MAX_CALLBACK = 10_000


@router.post(f"{APPLICATION}/pay", include_in_schema=False)
def pay(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    """To the provider's own page."""
    with reading(request, actor) as session:
        row = who.own_application(session, actor, application_id, now_of(request))
        room.switches.check(session, paying.ONLINE)
        charge = fees.charge_of(session, row.id)
        provider = paying.provider(service_of(request), session)
        if charge is None or provider is None:
            raise _nothing_due()
        _refuse_unpayable(charge, now_of(request))
        return to(provider.pay_address(base(request), charge.id))


@router.get(PAY, include_in_schema=False)
def simulator_page(request: Request, charge_id: str, actor: Actor = access.guest()) -> Response:
    """Where money would change hands, if this were a provider."""
    _only_simulated(request)
    with reading(request, actor) as session:
        charge = fees.find(session, charge_id)
        who.own_application(session, actor, charge.application_id, now_of(request))
        _refuse_unpayable(charge, now_of(request))
        left = fees.left(session, charge)
    crumbs = (Link(say("支払い（見本）"), "", True),)
    return render(
        request, "pay.html", crumbs=crumbs, title=say("支払い（見本）"), charge=charge, owed=left,
        address=f"{base(request)}/applications/{charge.application_id}",
    )  # fmt: skip


@router.post(PAY, include_in_schema=False)
def paid_with_simulator(request: Request, charge_id: str, actor: Actor = access.guest()) -> Response:
    _only_simulated(request)
    with changing(request, actor) as session:
        charge = fees.find(session, charge_id, lock=True)
        who.own_application(session, actor, charge.application_id, now_of(request))
        _refuse_unpayable(charge, now_of(request))
        simulator = Simulator(session, now_of(request))
        left = fees.left(session, charge)
        if simulator.held(charge.id) < (fees.owed(charge) or 0):  # else pressed twice, or once more after going back
            simulator.pay(charge.id, left)
    return to(f"{base(request)}/applications/{charge.application_id}?paid=1")


def _refuse_unpayable(charge: ChargeRow, now: datetime) -> None:
    if fees.overdue(charge, now):
        raise Conflict(
            say("納付期限を過ぎたため、画面では納められません。納め方は、担当の課にお問い合わせください。"),
            code="overdue",
        )
    if not fees.payable(charge, now):
        raise _nothing_due()


def _nothing_due() -> Conflict:
    return Conflict(say("いま画面で納めていただく手数料はありません。"), code="nothing-due")


def _only_simulated(request: Request) -> None:
    if not paying.simulated(service_of(request)):
        raise NotFound(say("このページは見つかりません。"))


async def _read_body(request: Request) -> bytes:
    return (await request.body())[:MAX_CALLBACK]


raw: Any = Depends(_read_body)


@router.post("/t/{code}/eapply/payments/callback", include_in_schema=False)
def callback(
    request: Request,
    body: bytes = raw,
    x_signature: str = Header("", max_length=200),
    actor: Actor = access.public(),
) -> Response:
    """A provider tells of a payment: `X-Signature` is the HMAC-SHA-256 of the body. 204 also for what we know already."""
    told = payments.read(paying.secret(service_of(request)), body, x_signature)
    with changing(request, actor) as session:
        fees.report(session, actor, told, "callback", now_of(request))
    return Response(status_code=204)
