"""`/sign-up`, `/reset` and `/welcome/`: from a mail address to an account with a password."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from gateway import db, domain, hygiene, passwords
from gateway.pages.common import network_of, page, see, with_cookie
from gateway.pages.entering import enter
from gateway.pages.ways import ways_of
from gateway.parts import Parts, parts_of
from gateway.use_cases import accounts, tickets
from gateway.use_cases.sign_in import check_mail_pace
from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, TooMany, say

router = APIRouter(include_in_schema=False)

TICKET_COOKIE_SECONDS = 1800
_ASKS = {"sign-up": accounts.ask_sign_up, "reset": accounts.ask_reset}


@router.get("/sign-up")
def show_sign_up(request: Request, actor: Actor = access.public()) -> Response:
    return _ask_form(request, "sign-up")


@router.get("/reset")
def show_reset(request: Request, actor: Actor = access.public()) -> Response:
    return _ask_form(request, "reset")


@router.post("/sign-up")
def sign_up(request: Request, email: Annotated[str, Form()] = "", actor: Actor = access.public()) -> Response:
    return _ask(request, "sign-up", email)


@router.post("/reset")
def reset(request: Request, email: Annotated[str, Form()] = "", actor: Actor = access.public()) -> Response:
    return _ask(request, "reset", email)


def _ask(request: Request, what: str, email: str) -> Response:
    """Mail a link. The answer is the same whether the address is known or not."""
    parts = parts_of(request)
    try:
        address = domain.email_of(email)
        with parts.service.database.transaction() as session:
            check_mail_pace(session, parts.digest_key, what, address, network_of(request), parts.clock.now())
            _ASKS[what](session, address, parts.clock.now())
    except Invalid as refusal:
        return _ask_form(request, what, email=email, errors=refusal.fields, status=422)
    except TooMany as refusal:
        return _ask_form(request, what, email=email, errors={"email": refusal.message}, status=429)
    return page(parts, request, "sent.html", what=what, email=address)


def _ask_form(
    request: Request, what: str, *, email: str = "", errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    return page(parts_of(request), request, f"{what}.html", status, email=email, errors=errors or {})


@router.get("/welcome/")
def arrive(request: Request, t: str = "", actor: Actor = access.public()) -> Response:
    """The link of a mail. Its secret moves into a cookie at once; opening it uses nothing up (mail scanners open links)."""
    parts = parts_of(request)
    if t:
        _look_up(parts, t)
        cookie = parts.cookies.set(parts.cookies.ticket, t, TICKET_COOKIE_SECONDS)
        return with_cookie(see("/welcome/"), cookie)
    ticket = _look_up(parts, _ticket_cookie(parts, request))
    return _welcome_form(parts, request, ticket)


@router.post("/welcome/")
def begin(
    request: Request,
    display_name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    actor: Actor = access.public(),
) -> Response:
    parts = parts_of(request)
    secret = _ticket_cookie(parts, request)
    ticket = _look_up(parts, secret)
    name = display_name or ("" if ticket.purpose != "reset" else "-")
    try:
        if ticket.purpose != "reset":
            domain.display_name_of(name)
        passwords.check_new(password, ticket.email, name, breached=parts.breached)
        password_hash = parts.passwords.hash(password)
        with parts.service.database.transaction(parts.home) as session:
            person = accounts.complete(
                session,
                parts.ticket_key,
                secret,
                display_name=name,
                password_hash=password_hash,
                now=parts.clock.now(),
            )
    except Invalid as refusal:
        return _welcome_form(parts, request, ticket, display_name=display_name, errors=refusal.fields, status=422)
    except Conflict as refusal:
        return _welcome_form(
            parts, request, ticket, display_name=display_name, errors={"password": refusal.message}, status=409
        )
    cookies = parts.cookies
    return with_cookie(enter(parts, request, person, next=landing(ticket.purpose)), cookies.clear(cookies.ticket))


def landing(purpose: str) -> str:
    """Where a link leads in the end. Whoever was invited came to work: the first page names their work; keys and passwords can wait."""
    return "/" if purpose == "invitation" else "/account/"


def _look_up(parts: Parts, secret: str) -> db.TicketRow:
    with parts.service.database.reading() as session:
        return tickets.find(session, parts.ticket_key, secret, parts.clock.now())


def _ticket_cookie(parts: Parts, request: Request) -> str:
    secret = hygiene.cookie(request.scope["headers"], parts.cookies.ticket)
    if not secret:
        raise NotFound(say("メールのリンクから開いてください。"), code="link-closed")
    return secret


def _welcome_form(
    parts: Parts,
    request: Request,
    ticket: db.TicketRow,
    *,
    display_name: str | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    if display_name is None:
        with parts.service.database.reading() as session:
            person = db.person_by_email(session, ticket.email)
        display_name = person.display_name if person else ""
    return page(
        parts,
        request,
        "welcome.html",
        status,
        purpose=ticket.purpose,
        email=ticket.email,
        ways=ways_of(parts.providers, landing(ticket.purpose), parts.snapshots.current)
        if ticket.purpose != "reset"
        else [],
        display_name=display_name,
        errors=errors or {},
    )
