"""`/account/second-factor`: one's passkeys and recovery codes; `/account/help`: an administrator helps somebody who lost all, or
stops an account that somebody else may have entered."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway import db
from gateway.pages.again import require_fresh
from gateway.pages.common import caller_of, local, only_whom_it_was_shown, page, rights_of, see, site_of, with_cookie
from gateway.pages.entering import SECOND, begin_session
from gateway.parts import HERE, Parts, parts_of
from gateway.use_cases import accounts, second_factors
from gateway.use_cases.machine_tokens import OWNER_ROLE
from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, Refusal, TooWeak

router = APIRouter(prefix="/account", include_in_schema=False, dependencies=[Depends(only_whom_it_was_shown)])

HERE_PAGE = "/account/second-factor"
SCRIPT = (HERE / "static" / "passkey.js").read_text("utf-8")


@router.get("/passkey.js")
def script(request: Request, actor: Actor = access.public()) -> Response:
    return PlainTextResponse(SCRIPT, headers={"cache-control": "no-cache"}, media_type="text/javascript")


@router.get("/second-factor")
def show(request: Request, done: str = "", next: str = "", actor: Actor = access.person()) -> Response:
    _require_own_proof(request, actor, next)
    return _page(request, actor, done=done, next=local(next) if next else "")


@router.post("/second-factor/passkeys")
def add(
    request: Request,
    credential: Annotated[str, Form()] = "",
    challenge: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",
    actor: Actor = access.person(),
) -> Response:
    """Whoever has none yet may add the first with what the session has shown; it counts as the second proof from now on."""
    _require_own_proof(request, actor, next)
    parts, now, codes = parts_of(request), parts_of(request).clock.now(), ()
    try:
        made = parts.passkeys.made(site_of(parts, request), actor.subject, challenge, credential, now)
        with parts.service.database.transaction(parts.home) as session:
            first = not db.has_passkey(session, actor.subject)
            second_factors.add_passkey(session, actor.subject, made, name, now)
            if first:
                codes = second_factors.new_codes(session, parts.digest_key, actor.subject, now)
    except (Invalid, Conflict) as refusal:
        return _page(request, actor, errors={"passkey": refusal.message}, next=next, status=refusal.status)
    return _with_proof(
        parts, request, actor, _page(request, actor, done="added", codes=codes, next=local(next) if next else "")
    )


def _with_proof(parts: Parts, request: Request, actor: Actor, answer: Response) -> Response:
    signed_in = caller_of(request).signed_in
    if signed_in is None or actor.proved(SECOND):
        return answer
    cookies = begin_session(
        parts, request, actor.subject, acr=SECOND, voucher=signed_in.voucher, shared=signed_in.shared
    )
    return with_cookie(answer, *cookies)


@router.post("/second-factor/passkeys/{ident}/remove")
def remove(request: Request, ident: str, actor: Actor = access.person()) -> Response:
    _require_own_proof(request, actor)
    parts = parts_of(request)
    with parts.service.database.transaction(parts.home) as session:
        second_factors.remove_passkey(session, actor.subject, ident, parts.clock.now())
    return see("/account/second-factor?done=removed")


@router.post("/second-factor/codes")
def renew_codes(request: Request, actor: Actor = access.person(acr=SECOND)) -> Response:
    _require_own_proof(request, actor)
    parts = parts_of(request)
    with parts.service.database.transaction(parts.home) as session:
        codes = second_factors.new_codes(session, parts.digest_key, actor.subject, parts.clock.now())
    return _page(request, actor, codes=codes)


def _require_own_proof(request: Request, actor: Actor, next: str = "") -> None:
    """Whoever has a passkey shows it before anything about passkeys changes; whoever has none proves again what they have."""
    with parts_of(request).service.database.reading() as session:
        has = db.has_passkey(session, actor.subject)
    if has and not actor.proved(SECOND):
        raise TooWeak(SECOND)
    require_fresh(request, HERE_PAGE + (f"?{urlencode({'next': local(next)})}" if next else ""))


def _page(
    request: Request,
    actor: Actor,
    *,
    done: str = "",
    codes: Sequence[str] = (),
    next: str = "",
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    parts, site, now = parts_of(request), site_of(parts_of(request), request), parts_of(request).clock.now()
    with parts.service.database.reading() as session:
        rows = db.passkeys_of(session, actor.subject)
        left = db.codes_left(session, actor.subject)
        person = db.person(session, actor.subject)
    known, name = [row.credential_id for row in rows], person.email if person else actor.name
    question = parts.passkeys.ask_to_make(site, actor.subject, name, known, now) if site.usable else None
    return page(
        parts,
        request,
        "second-factor.html",
        status,
        rows=rows,
        left=left,
        codes=codes,
        question=question,
        site=site,
        next=next,
        done=done,
        helps=bool(_helped(rights_of(parts, request))),
        errors=errors or {},
    )


# ---- for somebody else who has lost everything ----------------------------------------------------------------------


@router.get("/help")
def show_help(request: Request, done: str = "", actor: Actor = access.person(acr=SECOND)) -> Response:
    return page(
        parts_of(request),
        request,
        "help.html",
        done=done,
        email="",
        helped=_helped(rights_of(parts_of(request), request)),
        errors={},
    )


@router.post("/help")
def give_help(
    request: Request,
    email: Annotated[str, Form()] = "",
    what: Annotated[Literal["reset", "stop", "open"], Form()] = "reset",
    actor: Actor = access.person(acr=SECOND),
) -> Response:
    parts, now = parts_of(request), parts_of(request).clock.now()
    try:
        with parts.service.database.transaction(parts.home) as session:
            may = lambda person: _may_help(parts, request, person)  # noqa: E731
            if what == "reset":
                second_factors.reset(session, email, by=actor, may=may, now=now)
            else:
                act = accounts.stop if what == "stop" else accounts.open_again
                act(session, second_factors.helped(session, email, by=actor, may=may), by=actor, now=now)
    except Refusal as refusal:
        fields = {"email": refusal.message}
        return page(
            parts,
            request,
            "help.html",
            refusal.status,
            done="",
            email=email,
            helped=_helped(rights_of(parts, request)),
            errors=fields,
        )
    parts.callers.forget()
    return see(f"/account/help?done={what}")


def _helped(places: Mapping[str, frozenset[str]]) -> list[str]:
    """Tenants whose people somebody with these rights may help; operators help everybody ("*")."""
    if any("operator" in roles for roles in places.values()):
        return ["*"]
    return [tenant for tenant, roles in places.items() if OWNER_ROLE in roles]


def _may_help(parts: Parts, request: Request, person_id: str) -> bool:
    """Only people all of whose rights are within the helper's own reach."""
    helped, places = _helped(rights_of(parts, request)), parts.snapshots.current.memberships(person_id)
    return helped == ["*"] or (bool(places) and set(places) <= set(helped))
