"""Paying a fee: the simulator's page, and the door for a provider's callbacks."""

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
from services.eapply.domain.fees import Charge
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
        if charge is None or provider is None or charge.charge_state != Charge.DUE:
            raise Conflict(say("いま画面で納めていただく手数料はありません。"), code="nothing-due")
        return to(provider.pay_address(base(request), charge.id))


@router.get(PAY, include_in_schema=False)
def simulator_page(request: Request, charge_id: str, actor: Actor = access.guest()) -> Response:
    """Where money would change hands, if this were a provider."""
    _only_simulated(request)
    with reading(request, actor) as session:
        charge = fees.find(session, charge_id)
        who.own_application(session, actor, charge.application_id, now_of(request))
    crumbs = (Link(say("支払い（見本）"), "", True),)
    return render(
        request, "pay.html", crumbs=crumbs, title=say("支払い（見本）"), charge=charge, owed=fees.owed(charge),
        address=f"{base(request)}/applications/{charge.application_id}",
    )  # fmt: skip


@router.post(PAY, include_in_schema=False)
def paid_with_simulator(request: Request, charge_id: str, actor: Actor = access.guest()) -> Response:
    _only_simulated(request)
    with changing(request, actor) as session:
        charge = fees.find(session, charge_id, lock=True)
        who.own_application(session, actor, charge.application_id, now_of(request))
        Simulator(session, now_of(request)).pay(charge.id, fees.owed(charge) or 0)
    return to(f"{base(request)}/applications/{charge.application_id}?paid=1")


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
