"""`/sign-in/confirm`: the second proof, at sign-in or when something asks for more than this session has shown, or for a newer proof."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from gateway import db
from gateway.identity import SignedIn
from gateway.pages.again import is_fresh
from gateway.pages.common import caller_of, local, network_of, page, see, site_of, with_cookie
from gateway.pages.entering import SECOND, Half, begin_session, half_of
from gateway.pages.sign_in import prove_again
from gateway.pages.ways import ways_of
from gateway.parts import Parts, parts_of
from gateway.passkeys import Question
from gateway.use_cases import second_factors
from gateway.use_cases import sign_in as pace
from libs.common import access
from libs.common.actor import STRENGTHS, Actor, strength
from libs.common.errors import Invalid, NotSignedIn, TooMany, TooWeak, say

router = APIRouter(prefix="/sign-in/confirm", include_in_schema=False)


@router.get("")
def show(
    request: Request, next: str = "/", need: str = SECOND, again: bool = False, actor: Actor = access.public()
) -> Response:
    """`again`: it is not more that is needed but a newer proof (`pages/again.py`)."""
    asked = _asked(request, next)
    if again and half_of(parts_of(request), request) is None:
        return see(asked.next) if is_fresh(request) else _form(request, asked, "")
    need = need if need in STRENGTHS else SECOND
    signed_in = caller_of(request).signed_in
    if (
        signed_in is not None
        and half_of(parts_of(request), request) is None
        and strength(signed_in.acr) >= strength(need)
    ):
        return see(asked.next)
    return _form(request, asked, need)


@router.post("/passkey")
def with_passkey(
    request: Request,
    credential: Annotated[str, Form()] = "",
    challenge: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
    actor: Actor = access.public(),
) -> Response:
    parts, asked = parts_of(request), _asked(request, next)
    now = parts.clock.now()
    try:
        with parts.service.database.transaction(parts.home) as session:
            keys = {row.credential_id: row.public_key for row in db.passkeys_of(session, asked.person)}
            used = parts.passkeys.used(site_of(parts, request), asked.person, challenge, credential, keys, now)
            second_factors.use_passkey(session, asked.person, used, now)
    except Invalid as refusal:
        return _form(request, asked, SECOND, errors=refusal.fields, status=422)
    return _done(parts, request, asked)


@router.post("/code")
def with_code(
    request: Request,
    code: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
    actor: Actor = access.public(),
) -> Response:
    """Slowed down per person and network, like passwords: nobody can lock another one out."""
    parts, asked = parts_of(request), _asked(request, next)
    try:
        _use_code(parts, asked.person, code, network_of(request))
    except Invalid as refusal:
        return _form(request, asked, SECOND, errors=refusal.fields, status=422)
    except TooMany as refusal:
        return _form(request, asked, SECOND, errors={"code": refusal.message}, status=429)
    return _done(parts, request, asked, "/account/second-factor?done=code")


@router.post("/password")
def with_password(
    request: Request,
    current: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
    actor: Actor = access.person(),
) -> Response:
    """The password once more, of somebody who is signed in and has nothing stronger. The session begins anew, as strong as it was."""
    parts, signed_in = parts_of(request), _signed_in(request)
    asked = _of_session(signed_in, next)
    with parts.service.database.reading() as session:
        if db.has_passkey(session, asked.person):
            raise TooWeak(SECOND)
    try:
        prove_again(parts, request, asked.person, current)
    except Invalid as refusal:
        return _form(request, asked, "", errors=refusal.fields, status=422)
    except TooMany as refusal:
        return _form(request, asked, "", errors={"current": refusal.message}, status=429)
    return _done(parts, request, asked, acr=signed_in.acr)


def _use_code(parts: Parts, person: str, code: str, network: str) -> None:
    key, now, account = parts.digest_key, parts.clock.now(), f"code {person}"
    with parts.service.database.transaction(parts.home) as session:
        pace.check_pace(session, key, account, network, now)
        good = second_factors.use_code(session, key, person, code[:60], now)
        if not good:
            pace.note_failure(session, key, account, network, now)
    if not good:
        sentence = say("回復コードが違うか、すでに使われています。控えをもう一度お確かめください。")
        raise Invalid(sentence, fields={"code": sentence})


def _done(parts: Parts, request: Request, asked: Half, to: str = "", *, acr: str = SECOND) -> Response:
    cookies = begin_session(parts, request, asked.person, acr=acr, voucher=asked.voucher, shared=asked.shared)
    return with_cookie(see(to or asked.next), *cookies)


def _asked(request: Request, next: str) -> Half:
    """Whoever is half in, else whoever is signed in. Raises NotSignedIn for anybody else."""
    half = half_of(parts_of(request), request)
    if half is not None:
        return half
    if caller_of(request).signed_in is None:
        raise NotSignedIn(
            say(
                "この画面を開いてから時間がたったため、続けられません。お手数ですが、もう一度はじめからサインインしてください。"
            )
        )
    return _of_session(_signed_in(request), next)


def _of_session(signed_in: SignedIn, next: str) -> Half:
    return Half(signed_in.person, local(next), signed_in.shared, signed_in.voucher)


def _signed_in(request: Request) -> SignedIn:
    signed_in = caller_of(request).signed_in
    if signed_in is None:
        raise NotSignedIn(say("サインインしてください。"))
    return signed_in


def _form(
    request: Request, asked: Half, need: str, *, errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    """`need`: what would do; empty where the same strength again is enough."""
    parts, site = parts_of(request), site_of(parts_of(request), request)
    with parts.service.database.reading() as session:
        person = db.person(session, asked.person)
        known = [row.credential_id for row in db.passkeys_of(session, asked.person)]
        linked = {row.provider for row in db.identities_of(session, asked.person)}
        codes = db.codes_left(session, asked.person)
        password = not need and not known and db.credential(session, asked.person) is not None
    question: Question | None = None
    if known and site.usable:
        question = parts.passkeys.ask_to_use(site, asked.person, known, parts.clock.now())
    strong = bool(need) and strength(need) > strength(SECOND)
    ways = ways_of(parts.providers, asked.next, parts.snapshots.current, need, again_by=None if need else linked)
    return page(
        parts,
        request,
        "confirm.html",
        status,
        question=None if strong else question,
        has_passkey=bool(known) and not strong,
        codes=0 if strong else codes,
        again=not need,
        password=password,
        email=person.email if person else "",
        site=site,
        next=asked.next,
        half=half_of(parts, request) is not None,
        ways=ways,
        strong=strong,
        errors=errors or {},
    )
