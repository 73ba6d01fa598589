"""`/sign-in/with/…`: there and back; `/sign-in/proved`: whose account a proved identity shall open."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from gateway import db, domain, hygiene
from gateway.oidc.door import Proved
from gateway.oidc.exchange import Begun, Declined, Identity
from gateway.oidc.metadata import ProviderFailed
from gateway.pages.again import require_fresh
from gateway.pages.common import caller_of, local, network_of, page, see, with_cookie
from gateway.pages.entering import begin_session, enter
from gateway.pages.join import landing
from gateway.parts import Parts, parts_of
from gateway.use_cases import accounts, identities, tickets
from gateway.use_cases.sign_in import check_mail_pace
from libs.common import access
from libs.common.actor import STRENGTHS, Actor
from libs.common.errors import Conflict, Invalid, NotFound, TooMany, say

router = APIRouter(prefix="/sign-in", include_in_schema=False)

COOKIE_SECONDS = 3600
AWAY = ("unreachable", "wrong-certificate", "busy", "bad-status")
"""Reasons for which it may go well a little later."""
NOT_KEPT = {"cache-control": "no-store"}


@router.get("/with/{key}")
def go(
    request: Request,
    key: str,
    next: str = "/",
    need: str = "",
    shared: bool = False,
    again: bool = False,
    actor: Actor = access.public(),
) -> Response:
    """To the provider. A GET, because pages of ours may not send forms elsewhere; the answer is bound to this browser.

    `again`: the person shall prove anew there who they are; `shared`: the machine is one that many people use."""
    parts = parts_of(request)
    need = need if need in STRENGTHS else ""
    try:
        beside = _begun(request)
        url, cookie = parts.providers.begin(key, next=local(next), need=need, shared=shared, again=again, beside=beside)
    except ProviderFailed as failure:
        return _failed(request, key, failure, local(next))
    answer = RedirectResponse(url, 303, {"cache-control": "no-store"})
    return with_cookie(answer, parts.cookies.set(parts.cookies.begun, cookie, COOKIE_SECONDS))


@router.get("/with/{key}/back")
def come_back(request: Request, key: str, actor: Actor = access.public()) -> Response:
    parts = parts_of(request)
    cookie, said = _begun(request), _answer_of(request)
    left = parts.providers.still_begun(cookie, said)
    begun_cookie = parts.cookies.begun
    gone = parts.cookies.set(begun_cookie, left, COOKIE_SECONDS) if left else parts.cookies.clear(begun_cookie)
    try:
        identity, begun = parts.providers.finish(key, cookie, said)
    except Declined:
        return with_cookie(see("/sign-in?said=declined"), gone)
    except ProviderFailed as failure:
        return with_cookie(_failed(request, key, failure, "/"), gone)
    return with_cookie(_arrived(parts, request, identity, begun), gone)


def _begun(request: Request) -> str:
    return hygiene.cookie(request.scope["headers"], parts_of(request).cookies.begun) or ""


def _answer_of(request: Request) -> Mapping[str, str]:
    """The answer's parameters; one that is said twice counts as not said (RFC 6749, 3.1)."""
    query = request.query_params
    return {name: query[name] for name in query if len(query.getlist(name)) == 1}


def _arrived(parts: Parts, request: Request, identity: Identity, begun: Begun) -> Response:
    with parts.service.database.transaction(parts.home) as session:
        person = identities.person_of(session, identity, parts.clock.now())
    signed_in = caller_of(request).signed_in
    if person is not None and signed_in is not None and signed_in.person != person.id:
        raise Conflict(
            say(
                "このアカウントは、いまサインインしている方とは別の方の登録につながっています。サインアウトしてから、もう一度お試しください。"
            ),
            code="linked-to-another",
        )
    if person is not None:
        return enter(
            parts, request, person, next=begun.next, acr=identity.acr, shared=begun.shared, **_vouched(identity)
        )
    sealed = parts.providers.keep(Proved(identity, begun.shared))
    cookie = parts.cookies.set(parts.cookies.proved, sealed, COOKIE_SECONDS)
    return with_cookie(see("/sign-in/proved"), cookie)


def _vouched(identity: Identity) -> dict[str, Any]:
    """What a session keeps of the provider that it came from."""
    voucher = domain.Voucher(identity.provider, identity.sid or None, identity.corporate_number or None)
    return {"voucher": voucher, "proved_at": datetime.fromtimestamp(identity.proved_at, UTC)}


@router.post("/with/{key}/ended")
def ended(
    request: Request, key: str, logout_token: Annotated[str, Form()] = "", actor: Actor = access.public()
) -> Response:
    """The provider itself says that somebody has signed out there (OpenID Connect Back-Channel Logout 1.0, 2.5)."""
    parts = parts_of(request)
    try:
        said = parts.providers.ended(key, logout_token)
    except ProviderFailed as failure:
        status = 503 if failure.reason in AWAY else 400
        return JSONResponse({"error": "invalid_request", "error_description": failure.reason}, status, NOT_KEPT)
    provider = parts.providers.seat(key).provider
    with parts.service.database.transaction(parts.home) as session:
        identities.ended_there(session, key, provider.issuer, said, parts.clock.now())
    parts.callers.forget()
    return Response(status_code=200, headers=NOT_KEPT)


def _failed(request: Request, key: str, failure: ProviderFailed, next: str) -> Response:
    """What a person is told: whose fault it is not, and what to do. The reason stands in the log and on the operator's page."""
    parts = parts_of(request)
    status = 503 if failure.reason in AWAY else 400
    label = parts.providers.label(key)
    return page(
        parts, request, "provider-failed.html", status, label=label, reason=failure.reason, key=key, next=local(next)
    )


# ---- a proved identity that nobody has claimed yet -------------------------------------------------------------------


@router.get("/proved")
def show(request: Request, actor: Actor = access.public()) -> Response:
    return _choice(request)


@router.post("/proved/link")
def link(request: Request, shown: Annotated[str, Form()] = "", actor: Actor = access.person()) -> Response:
    """The person who is signed in says: this is me, too."""
    parts = parts_of(request)
    identity = _proved(request).identity
    require_fresh(request, "/sign-in/proved")
    if not _is_what_was_shown(request, shown):
        return _choice(request, errors={"shown": CHANGED}, status=409)
    with parts.service.database.transaction(parts.home) as session:
        identities.link(session, actor.subject, identity, parts.clock.now())
    return with_cookie(see("/account/?done=linked"), parts.cookies.clear(parts.cookies.proved))


@router.post("/proved/begin")
def begin(
    request: Request,
    display_name: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
    shown: Annotated[str, Form()] = "",
    actor: Actor = access.public(),
) -> Response:
    """A new account: at once with an address that the provider or a mail of ours has proved, else by a mail to it."""
    parts, proved = parts_of(request), _proved(request)
    identity = proved.identity
    ticket = hygiene.cookie(request.scope["headers"], parts.cookies.ticket)
    typed, opened = {"display_name": display_name, "email": email}, _ticket(parts, request)
    if not _is_what_was_shown(request, shown):
        return _choice(request, errors={"shown": CHANGED}, typed=typed, status=409)
    try:
        domain.display_name_of(display_name)
        if ticket is None and not identity.email:
            return _ask_address(parts, request, email)
        with parts.service.database.transaction(parts.home) as session:
            person = _make(session, parts, identity, ticket, display_name)
    except (Invalid, Conflict, TooMany) as refusal:
        fields = refusal.fields if isinstance(refusal, Invalid) else {"email": refusal.message}
        return _choice(request, errors=fields, typed=typed, status=refusal.status)
    cookies = parts.cookies
    begun = begin_session(parts, request, person.id, acr=identity.acr, shared=proved.shared, **_vouched(identity))
    return with_cookie(
        see(landing(opened.purpose if opened else "")),
        *begun,
        cookies.clear(cookies.proved),
        cookies.clear(cookies.ticket),
    )


def _make(session, parts: Parts, identity: Identity, ticket: str | None, name: str) -> db.PersonRow:  # type: ignore[no-untyped-def]
    now = parts.clock.now()
    if ticket is not None:
        return identities.complete(session, parts.ticket_key, ticket, identity, display_name=name, now=now)
    return identities.begin_account(session, identity, display_name=name, now=now)


def _ask_address(parts: Parts, request: Request, email: str) -> Response:
    """The identity stays in this browser's cookie; the mail's link brings the person back to it."""
    address = domain.email_of(email)
    with parts.service.database.transaction() as session:
        check_mail_pace(session, parts.digest_key, "sign-up", address, network_of(request), parts.clock.now())
        accounts.ask_sign_up(session, address, parts.clock.now())
    return page(parts, request, "sent.html", what="sign-up", email=address)


def _proved(request: Request) -> Proved:
    parts = parts_of(request)
    sealed = hygiene.cookie(request.scope["headers"], parts.cookies.proved)
    proved = parts.providers.kept(sealed, parts.clock.now())
    if proved is None:
        raise NotFound(
            say("時間がたったため、はじめからやり直してください。サインインの画面へお戻りください。"),
            code="link-closed",
        )
    return proved


CHANGED = say(
    "この画面を開いたあとに、サインインしている方か、つなぐアカウントが変わりました。もう一度お確かめください。"
)


def _mark(request: Request) -> str:
    """Stands for whom and what the page is about: in another window somebody else may have signed in since, by another account or
    with another mail's link, and a button pressed afterwards must not mean them."""
    parts, identity = parts_of(request), _proved(request).identity
    signed_in, ticket = caller_of(request).signed_in, _ticket(parts, request)
    about = (identity.issuer, identity.subject, signed_in.person if signed_in else "", ticket.id if ticket else "")
    return domain.keyed_digest(parts.digest_key, "\n".join(about))


def _is_what_was_shown(request: Request, shown: str) -> bool:
    return shown == _mark(request)  # no secret: whoever sees the page has it


def _choice(
    request: Request,
    *,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    parts, identity = parts_of(request), _proved(request).identity
    signed_in = caller_of(request).signed_in
    ticket = _ticket(parts, request)
    return page(
        parts,
        request,
        "proved.html",
        status,
        label=parts.providers.label(identity.provider),
        identity=identity,
        signed_in=signed_in,
        shown=_mark(request),
        address=ticket.email if ticket else identity.email,
        by_mail=ticket is not None,
        typed={"display_name": identity.name, "email": "", **(typed or {})},
        errors=errors or {},
    )


def _ticket(parts: Parts, request: Request) -> db.TicketRow | None:
    """The mail's link that this browser opened, if it is still open."""
    secret = hygiene.cookie(request.scope["headers"], parts.cookies.ticket)
    if secret is None:
        return None
    with parts.service.database.reading() as session:
        try:
            return tickets.find(session, parts.ticket_key, secret, parts.clock.now())
        except NotFound:
            return None
