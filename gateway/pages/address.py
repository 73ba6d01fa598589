"""`/account/address`: another mail address for one's account, by a link that is mailed to it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from gateway import db, domain, hygiene
from gateway.pages.again import require_fresh
from gateway.pages.common import caller_of, network_of, only_whom_it_was_shown, page, see, with_cookie
from gateway.parts import Parts, parts_of
from gateway.use_cases import accounts, tickets
from gateway.use_cases.sign_in import check_mail_pace
from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, TooMany

router = APIRouter(prefix="/account/address", include_in_schema=False, dependencies=[Depends(only_whom_it_was_shown)])

TICKET_COOKIE_SECONDS = 1800


@router.get("")
def show(request: Request, t: str = "", actor: Actor = access.public()) -> Response:
    """The form, or with the link of the mail the question whether to change. The link's secret moves into a cookie at once; only
    its own person, signed in, can use it: whoever a mistyped address belongs to must not get the account."""
    parts = parts_of(request)
    if t:
        tickets.ident_of(parts.ticket_key, t)
        return with_cookie(see("/account/address"), parts.cookies.set(parts.cookies.ticket, t, TICKET_COOKIE_SECONDS))
    if caller_of(request).signed_in is None:
        return see("/sign-in?next=/account/address")
    require_fresh(request, "/account/address")
    return _page(request, actor)


@router.post("")
def ask(request: Request, email: Annotated[str, Form()] = "", actor: Actor = access.person()) -> Response:
    """The answer is the same whether the address is somebody's already or not."""
    require_fresh(request, "/account/address")
    parts, now = parts_of(request), parts_of(request).clock.now()
    try:
        address = domain.email_of(email)
        with parts.service.database.transaction(parts.home) as session:
            check_mail_pace(session, parts.digest_key, "address", address, network_of(request), now)
            accounts.ask_new_address(session, actor.subject, address, now)
    except Invalid as refusal:
        return _page(request, actor, email=email, errors=refusal.fields, status=422)
    except TooMany as refusal:
        return _page(request, actor, email=email, errors={"email": refusal.message}, status=429)
    return page(parts, request, "sent.html", what="account/address", email=address)


@router.post("/change")
def change(request: Request, actor: Actor = access.person()) -> Response:
    require_fresh(request, "/account/address")
    parts, signed_in = parts_of(request), caller_of(request).signed_in
    try:
        with parts.service.database.transaction(parts.home) as session:
            accounts.change_address(
                session,
                parts.ticket_key,
                _secret(parts, request),
                actor.subject,
                parts.clock.now(),
                keep=signed_in.cookie_hash if signed_in else "",
            )
    except Conflict as refusal:
        return _page(request, actor, errors={"email": refusal.message}, status=409)
    parts.callers.forget()
    return with_cookie(see("/account/?done=address"), parts.cookies.clear(parts.cookies.ticket))


def _secret(parts: Parts, request: Request) -> str:
    return hygiene.cookie(request.scope["headers"], parts.cookies.ticket) or ""


def _page(
    request: Request, actor: Actor, *, email: str = "", errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    parts = parts_of(request)
    with parts.service.database.reading() as session:
        person = db.person(session, actor.subject)
        try:
            found = tickets.find(
                session, parts.ticket_key, _secret(parts, request), parts.clock.now(), purposes=tickets.ADDRESS
            )
            new = found.email if found.person_id == actor.subject else ""
        except NotFound:
            new = ""
    return page(parts, request, "address.html", status, person=person, new=new, email=email, errors=errors or {})
