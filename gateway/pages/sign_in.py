"""`/sign-in` and `/sign-out`."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from gateway import db, domain, hygiene
from gateway.pages.common import CLEARED, address_is_shared, caller_of, local, page, see, with_cookie
from gateway.pages.entering import enter
from gateway.pages.known import place_of, remember
from gateway.pages.ways import ways_of
from gateway.parts import Parts, parts_of
from gateway.use_cases import sign_in as use_cases
from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, TooMany, say

router = APIRouter(include_in_schema=False)

STAYS = "kyodo_stays"
"""Set by the page (kyodo.js) when its reader pressed "stay": the leaving that a shared machine's pages order (`answers.leave_after`) then
leads here while the session lives, and an answer without content leaves the page, with what was typed, where it is (HTML, navigate)."""

WRONG = say("メールアドレスかパスワードが違います。もう一度お確かめください。")


@router.get("/sign-in")
def show(
    request: Request, next: str = "/", said: str = "", shared: bool = False, actor: Actor = access.public()
) -> Response:
    """`shared`: somebody says that the machine is one that many people use, before they choose how to sign in."""
    if actor.kind != "guest":
        if said == "ended" and STAYS in request.cookies:
            return Response(status_code=204)
        return see(local(next))
    parts = parts_of(request)
    answer = _form(parts, request, next, said=said, shared=shared)
    return _left_clean(parts, request, answer) if said == "ended" else answer


def _left_clean(parts: Parts, request: Request, answer: Response) -> Response:
    """Where a session on a machine that many people use has ended by itself, as little stays as after a sign-out."""
    life = hygiene.cookie(request.scope["headers"], parts.cookies.life) or ""
    if not life.endswith(".1"):
        return answer
    answer.headers.update(CLEARED)
    return with_cookie(answer, *parts.cookies.clear_all())


@router.post("/sign-in")
def sign_in(
    request: Request,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
    shared: Annotated[str, Form()] = "",
    actor: Actor = access.public(),
) -> Response:
    parts = parts_of(request)
    try:
        person = _prove(parts, request, domain.email_of(email), password)
    except Invalid as refusal:
        return _form(parts, request, next, email=email, errors=refusal.fields, shared=bool(shared), status=422)
    except TooMany as refusal:
        wait = parts.pages.translate(request, refusal.message)
        answer = _form(parts, request, next, email=email, wait=wait, shared=bool(shared), status=429)
        answer.headers["retry-after"] = str(refusal.details["retry_after"])
        return answer
    answer = enter(parts, request, person, next=local(next), shared=bool(shared))
    return remember(parts, request, person.email, answer, shared=bool(shared))


@router.post("/sign-out")
def sign_out(request: Request, actor: Actor = access.public()) -> Response:
    parts = parts_of(request)
    signed_in = caller_of(request).signed_in
    if signed_in is not None:
        with parts.service.database.transaction(parts.home) as session:
            use_cases.end_session(session, signed_in.cookie_hash, parts.clock.now())
        parts.callers.forget()
    provider = signed_in.voucher.provider if signed_in else None
    elsewhere = parts.providers.sign_out_link(provider) if provider else None
    answer = page(parts, request, "signed-out.html", elsewhere=elsewhere, actor=None) if elsewhere else see("/")
    if signed_in is not None and signed_in.shared:
        answer.headers.update(CLEARED)
    return with_cookie(answer, *parts.cookies.clear_all())


def _prove(parts: Parts, request: Request, email: str, password: str) -> db.PersonRow:
    """The person whose password this is. The hash is computed between the transactions, never in one."""
    network, database = place_of(parts, request, email), parts.service.database
    with database.reading() as session:
        use_cases.check_pace(session, parts.digest_key, email, network, parts.clock.now())
        person = db.person_by_email(session, email)
        kept = db.credential(session, person.id) if person else None
    right = parts.passwords.matches(kept.password_hash if kept else None, password[: domain.PASSWORD_MOST + 1])
    if person is None or kept is None or not right:
        with database.transaction() as session:
            use_cases.note_failure(session, parts.digest_key, email, network, parts.clock.now())
        raise Invalid(WRONG, code="wrong-credentials", fields={"password": WRONG})
    renewed = parts.passwords.hash(password) if parts.passwords.outdated(kept.password_hash) else None
    with database.transaction() as session:
        use_cases.forget_failures(session, parts.digest_key, email, network)
        if renewed is not None:
            session.get_one(db.CredentialRow, person.id).password_hash = renewed
    return person


def prove_again(parts: Parts, request: Request, person_id: str, password: str) -> None:
    """Ask the password of somebody who is signed in: an open screen is not enough to take an account over (ASVS 5.0, 6.2.3)."""
    key, now = parts.digest_key, parts.clock.now()
    with parts.service.database.reading() as session:
        person = db.person(session, person_id)
        kept = db.credential(session, person_id)
        email = person.email if person else ""
        network = place_of(parts, request, email)
        use_cases.check_pace(session, key, email, network, now)
    if parts.passwords.matches(kept.password_hash if kept else None, password[: domain.PASSWORD_MOST + 1]):
        return
    with parts.service.database.transaction() as session:
        use_cases.note_failure(session, key, email, network, now)
    sentence = say("いまのパスワードが違います。もう一度お確かめください。")
    raise Invalid(sentence, fields={"current": sentence})


def _form(
    parts: Parts,
    request: Request,
    next: str,
    *,
    email: str = "",
    errors: dict[str, str] | None = None,
    said: str = "",
    wait: str = "",
    shared: bool = False,
    status: int = 200,
) -> Response:
    ways = ways_of(parts.providers, local(next), parts.snapshots.current, shared=shared)
    return page(
        parts,
        request,
        "sign-in.html",
        status,
        next=local(next),
        email=email,
        errors=errors or {},
        ways=ways,
        said=said,
        wait=wait,
        shared=shared,
        on_shared=address_is_shared(parts, request),
    )
