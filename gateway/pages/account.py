"""`/account/`: one's own name, password, open sessions; and the programs' keys of the municipalities one administers."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from gateway import db, passwords, switches
from gateway.identity import SignedIn
from gateway.pages.again import is_fresh, require_fresh, with_typed
from gateway.pages.common import caller_of, only_whom_it_was_shown, page, rights_of, see
from gateway.pages.sign_in import prove_again
from gateway.pages.ways import linkable
from gateway.parts import Parts, parts_of
from gateway.snapshot import Snapshot, Tenant
from gateway.use_cases import accounts, identities, machine_tokens, sign_in
from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotSignedIn, TooMany, say
from libs.common.web import Link

router = APIRouter(prefix="/account", include_in_schema=False, dependencies=[Depends(only_whom_it_was_shown)])

DAYS = 90
KEYS = "/account/#tokens"

_ROOMS: tuple[tuple[Callable[[frozenset[str]], bool], str, str], ...] = (
    (lambda roles: "operator" in roles, "運用", "/operator/"),
    (lambda roles: "council.member" in roles, "協議会", "/council/"),
    (lambda roles: "portal.admin" in roles, "{}のポータル", "/portal/{}/"),
    (lambda roles: bool(roles - {"operator", "council.member", "portal.admin"}), "{}の机", "/t/{}/desk/"),
)
"""Roles → the room they open: words with the tenant's name, path with its code."""


@router.get("/")
def show(request: Request, done: str = "", actor: Actor = access.person()) -> Response:
    """What was typed for a key before a new proof was asked for comes back in the address."""
    query = request.query_params
    typed = {name: query[name] for name in ("tenant", "name", "days") if name in query}
    scopes = query.getlist("scopes")
    return _page(request, actor, done=done, typed={**typed, **({"scopes": scopes} if scopes else {})})


@router.post("/stay")
def stay(actor: Actor = access.person()) -> Response:
    """Of a page whose reader was told that the session ends soon: being asked is the use that makes it last."""
    return Response(status_code=204)


@router.post("/name")
def rename(request: Request, display_name: Annotated[str, Form()] = "", actor: Actor = access.person()) -> Response:
    parts = parts_of(request)
    try:
        with parts.service.database.transaction(parts.home) as session:
            accounts.rename(session, actor.subject, display_name, parts.clock.now())
    except Invalid as refusal:
        return _page(request, actor, errors=refusal.fields, typed={"display_name": display_name}, status=422)
    parts.callers.forget()
    return see("/account/?done=name")


@router.post("/password")
def change_password(
    request: Request,
    current: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    actor: Actor = access.person(),
) -> Response:
    parts, signed_in = parts_of(request), _signed_in(request)
    try:
        prove_again(parts, request, actor.subject, current)
        passwords.check_new(password, actor.name, breached=parts.breached)
        password_hash = parts.passwords.hash(password)
        with parts.service.database.transaction(parts.home) as session:
            now = parts.clock.now()
            accounts.set_password(session, actor.subject, password_hash, now, keep=signed_in.cookie_hash)
    except Invalid as refusal:
        return _page(request, actor, errors=refusal.fields, status=422)
    except TooMany as refusal:
        return _page(request, actor, errors={"current": refusal.message}, status=429)
    parts.callers.forget()
    return see("/account/?done=password")


@router.post("/sessions/end-others")
def end_others(request: Request, actor: Actor = access.person()) -> Response:
    parts = parts_of(request)
    with parts.service.database.transaction(parts.home) as session:
        keep = _signed_in(request).cookie_hash
        sign_in.end_other_sessions(session, actor.subject, keep, parts.clock.now())
    parts.callers.forget()
    return see("/account/?done=others")


@router.post("/sessions/{ident}/end")
def end_one(request: Request, ident: str, actor: Actor = access.person()) -> Response:
    parts = parts_of(request)
    with parts.service.database.transaction(parts.home) as session:
        sign_in.end_session_of(session, actor.subject, ident, parts.clock.now())
    parts.callers.forget()
    return see("/account/?done=session")


@router.post("/identities/{ident}/unlink")
def unlink(request: Request, ident: str, actor: Actor = access.person()) -> Response:
    require_fresh(request, "/account/")
    parts = parts_of(request)
    try:
        with parts.service.database.transaction(parts.home) as session:
            keep = _signed_in(request).cookie_hash
            identities.unlink(session, actor.subject, ident, parts.clock.now(), keep=keep)
    except Conflict as refusal:
        return _page(request, actor, errors={"identities": refusal.message}, status=409)
    parts.callers.forget()
    return see("/account/?done=unlinked")


@router.post("/machine-tokens")
def make_token(
    request: Request,
    tenant: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    scopes: Annotated[list[str] | None, Form()] = None,
    days: Annotated[str, Form()] = "",
    actor: Actor = access.person(),
) -> Response:
    """Shows the new key this once; it is kept as a hash only. A key is a way in that outlives the session: it needs a proof as new as
    one for a passkey; ending a key needs none."""
    typed = {"tenant": tenant, "name": name, "scopes": scopes or [], "days": days}
    require_fresh(request, with_typed("/account/", typed, "tokens"))
    parts = parts_of(request)
    administered = administered_by(parts, request)
    try:
        _check_offered(parts, _split(scopes))
        wish = machine_tokens.Wish(tenant, name, _split(scopes), int(days) if days.isascii() and days.isdigit() else 0)
        tenants = {t.id for t in administered}
        with parts.service.database.transaction(tenant if tenant in tenants else None) as session:
            token = machine_tokens.make(session, wish, by=actor.subject, tenants=tenants, now=parts.clock.now())
    except Invalid as refusal:
        return _page(request, actor, errors=refusal.fields, typed=typed, status=422)
    return _page(request, actor, token=token, status=201)


@router.post("/machine-tokens/{ident}/rotate")
def rotate_token(
    request: Request,
    ident: str,
    overlap: Annotated[str, Form()] = "",
    actor: Actor = access.person(),
) -> Response:
    """A new secret beside the present one, which goes on for some days. Shown this once."""
    require_fresh(request, KEYS)
    parts, tenants = parts_of(request), {tenant.id for tenant in administered_by(parts_of(request), request)}
    with parts.service.database.reading() as session:
        owner = machine_tokens.tenant_of(session, ident)
    try:
        change = machine_tokens.Change(ident, int(overlap) if overlap.isascii() and overlap.isdigit() else -1)
        with parts.service.database.transaction(owner if owner in tenants else None) as session:
            token = machine_tokens.rotate(session, change, by=actor.subject, tenants=tenants, now=parts.clock.now())
    except Invalid as refusal:
        return _page(request, actor, errors=refusal.fields, status=422)
    parts.callers.forget()
    return _page(request, actor, token=token, status=201)


@router.post("/machine-tokens/{ident}/revoke")
def revoke_token(request: Request, ident: str, actor: Actor = access.person()) -> Response:
    parts = parts_of(request)
    tenants = {tenant.id for tenant in administered_by(parts, request)}
    with parts.service.database.reading() as session:
        owner = machine_tokens.tenant_of(session, ident)
    with parts.service.database.transaction(owner if owner in tenants else None) as session:
        machine_tokens.revoke(session, ident, by=actor.subject, tenants=tenants, now=parts.clock.now())
    parts.callers.forget()
    return see("/account/?done=token")


def _check_offered(parts: Parts, scopes: tuple[str, ...]) -> None:
    """Raises Invalid for a scope that the page does not offer: it would open what only a service may give, or one day something new."""
    offered = parts.settings.machine_scopes
    if offered and not set(scopes) <= set(offered):
        sentence = say("このキーでできることを、画面にあるものから1つ以上選んでください。")
        raise Invalid(sentence, fields={"scopes": sentence})


def _split(scopes: list[str] | None) -> tuple[str, ...]:
    """Ticked boxes, or one line of words where no list of scopes is set."""
    return tuple(scope for line in scopes or () for scope in line.replace(",", " ").split())


def _signed_in(request: Request) -> SignedIn:
    signed_in = caller_of(request).signed_in
    if signed_in is None:
        raise NotSignedIn(say("サインインしてください。"))
    return signed_in


def administered_by(parts: Parts, request: Request) -> list[Tenant]:
    """The municipalities whose administrator asks, by their codes."""
    snapshot = parts.snapshots.current
    places = rights_of(parts, request).items()
    ids = [tenant for tenant, roles in places if machine_tokens.OWNER_ROLE in roles and tenant in snapshot.by_id]
    return sorted((snapshot.by_id[ident] for ident in ids), key=lambda tenant: tenant.code)


def _page(
    request: Request,
    actor: Actor,
    *,
    done: str = "",
    token: str = "",
    errors: dict[str, str] | None = None,
    typed: dict[str, Any] | None = None,
    status: int = 200,
) -> Response:
    parts, now = parts_of(request), parts_of(request).clock.now()
    administered = administered_by(parts, request)
    with parts.service.database.reading() as session:
        person = db.person(session, actor.subject)
        rows = [row for row in db.sessions_of(session, actor.subject, now) if parts.is_open(row, now)]
        tokens = db.machine_tokens(session, [tenant.id for tenant in administered])
        without_holder = {row.id for row in tokens if not db.has_holder(session, row)}
        linked = db.identities_of(session, actor.subject)
        has_password = db.credential(session, actor.subject) is not None
    return page(
        parts,
        request,
        "account.html",
        status,
        person=person,
        sessions=rows,
        linked=[(row, parts.providers.label(row.provider)) for row in linked],
        linkable=linkable(parts.providers, {row.provider for row in linked}),
        has_password=has_password,
        current_hash=_signed_in(request).cookie_hash,
        places=places_of(parts.snapshots.current, rights_of(parts, request)),
        administered=administered,
        names={tenant.id: tenant.name for tenant in administered},
        tokens=tokens,
        resting=[town for town in administered if not switches.on(parts.snapshots.current, town.id, switches.PROGRAMS)],
        without_holder=without_holder,
        fresh=is_fresh(request),
        token=token,
        now=now,
        scope_choices=list(parts.settings.machine_scopes.items()),
        typed={"scopes": [], "days": str(DAYS), **(typed or {})},
        done=done,
        errors=errors or {},
    )


def places_of(snapshot: Snapshot, memberships: Mapping[str, frozenset[str]]) -> list[Link]:
    """Where somebody's roles (by tenant) lead."""
    found = []
    for ident, roles in memberships.items():
        tenant = snapshot.by_id.get(ident)
        if tenant is not None:
            found += [
                Link(words.format(tenant.name), path.format(tenant.code)) for role, words, path in _ROOMS if role(roles)
            ]
    return found
