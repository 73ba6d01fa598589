"""`/account/provider/`: administrators set up the provider by which their own staff sign in."""

import threading
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from gateway import db, switches
from gateway.oidc import health
from gateway.oidc.metadata import Known
from gateway.oidc.providers import key_of_town
from gateway.oidc.towns import TownProvider, provider_of
from gateway.pages.account import administered_by
from gateway.pages.again import require_fresh, with_typed
from gateway.pages.common import only_whom_it_was_shown, page, see
from gateway.pages.door import told_steps
from gateway.parts import Parts, parts_of
from gateway.snapshot import Tenant
from gateway.use_cases import machine_tokens, town_providers
from gateway.use_cases.town_providers import Wish
from libs.common import access, fetch
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, TooWeak, Unavailable, say

router = APIRouter(prefix="/account/provider", include_in_schema=False, dependencies=[Depends(only_whom_it_was_shown)])


@router.get("/")
def choose(request: Request, actor: Actor = access.person()) -> Response:
    """To the municipality that one administers; to a choice where there are several."""
    towns = administered_by(parts_of(request), request)
    if len(towns) == 1:
        return see(_path(towns[0]))
    return page(parts_of(request), request, "town-providers.html", towns=towns)


@router.get("/{town}/")
def show(
    request: Request,
    town: str,
    done: str = "",
    check: bool = False,
    actor: Actor = access.person(),
) -> Response:
    """`check`: ask the provider now. What was typed before a new proof was asked for comes back in the address, without the secret."""
    here = _town(request, town, actor)
    query = request.query_params
    back = {name: query[name] for name in _TYPED if name in query}
    return _page(request, here, done=done, check=check, typed=back or None)


@router.post("/{town}/")
def save(
    request: Request,
    town: str,
    label: Annotated[str, Form()] = "",
    issuer: Annotated[str, Form()] = "",
    client_id: Annotated[str, Form()] = "",
    secret: Annotated[str, Form()] = "",
    domains: Annotated[str, Form()] = "",
    claim: Annotated[str, Form()] = "",
    claim_values: Annotated[str, Form()] = "",
    actor: Actor = access.person(),
) -> Response:
    """Kept, and asked at once whether it would do."""
    parts, here = parts_of(request), _town(request, town, actor)
    wish = Wish(label, issuer, client_id, secret, domains, claim, claim_values)
    typed = {name: value for name, value in asdict(wish).items() if name in _TYPED}
    require_fresh(request, with_typed(_path(here), typed))
    try:
        with parts.service.database.transaction(here.id) as session:
            town_providers.save(
                session,
                parts.vault,
                here,
                wish,
                by=actor,
                administrators=_administrators(parts, here),
                allowed=_allowed(parts),
                now=parts.clock.now(),
            )
    except Invalid as refusal:
        return _page(request, here, typed=typed, errors=refusal.fields, status=422)
    except Conflict as refusal:
        return _page(request, here, typed=typed, errors={"state": refusal.message}, status=409)
    _took_effect(parts)
    return see(f"{_path(here)}?done=saved&check=1#checked")


@router.post("/{town}/on")
def switch_on(request: Request, town: str, actor: Actor = access.person()) -> Response:
    """Only what answers as it must is offered to people: a try comes first."""
    parts, here = parts_of(request), _town(request, town, actor)
    require_fresh(request, _path(here))
    if any(step.problem for step in _steps(parts, _provider(parts, here))):
        return _page(request, here, check=True, errors={"state": _NOT_YET}, status=409)
    with parts.service.database.transaction(here.id) as session:
        town_providers.switch_on(session, here, by=actor, now=parts.clock.now())
    _took_effect(parts)
    return see(f"{_path(here)}?done=on")


@router.post("/{town}/off")
def switch_off(request: Request, town: str, actor: Actor = access.person()) -> Response:
    return _end(request, town, actor, town_providers.switch_off, "off")


@router.post("/{town}/remove")
def remove(request: Request, town: str, actor: Actor = access.person()) -> Response:
    return _end(request, town, actor, town_providers.remove, "removed")


_TRIES = threading.BoundedSemaphore(2)
_TYPED = ("label", "issuer", "client_id", "domains", "claim", "claim_values")
_NOT_YET = say("いま確かめたところ、直すところがあるため、まだ使いはじめていません。下の結果をお読みください。")


def _end(request: Request, town: str, actor: Actor, use_case, done: str) -> Response:  # type: ignore[no-untyped-def]
    parts, here = parts_of(request), _town(request, town, actor)
    require_fresh(request, _path(here))
    try:
        with parts.service.database.transaction(here.id) as session:
            administrators = _administrators(parts, here)
            use_case(session, here, by=actor, administrators=administrators, now=parts.clock.now())
    except Conflict as refusal:
        return _page(request, here, errors={"state": refusal.message}, status=409)
    _took_effect(parts)
    return see(f"{_path(here)}?done={done}")


def _took_effect(parts: Parts) -> None:
    """Here at once; at the other gateways when they look next (`Providers.keep_new`)."""
    parts.providers.renew()
    parts.callers.forget()


def _path(town: Tenant) -> str:
    return f"/account/provider/{town.code}/"


def _town(request: Request, code: str, actor: Actor) -> Tenant:
    """The municipality of this code, if whoever asks administers it. Raises NotFound; TooWeak where the operator demands more of
    administrators than this sign-in has shown."""
    parts = parts_of(request)
    found = next((town for town in administered_by(parts, request) if town.code == code), None)
    if found is None:
        raise NotFound(say("お探しのページはありません。"))
    demanded = parts.settings.demand_acr.get("portal")
    if demanded is not None and not actor.proved(demanded):
        raise TooWeak(demanded)
    return found


def _administrators(parts: Parts, town: Tenant) -> list[str]:
    members = parts.snapshots.current.members
    return [person for person, places in members.items() if machine_tokens.OWNER_ROLE in places.get(town.id, ())]


def _allowed(parts: Parts) -> frozenset[tuple[str, int]]:
    return fetch.allow_list(parts.settings.fetch_allowed)


def _provider(parts: Parts, town: Tenant) -> TownProvider | None:
    """As it is kept, on or off."""
    with parts.service.database.reading() as session:
        row = db.town_provider(session, town.id)
    if row is None:
        return None
    secret = parts.vault.open(town.id, row.issuer, row.secret, parts.clock.now())
    return provider_of(row, secret, _allowed(parts))


def _steps(parts: Parts, provider: TownProvider | None) -> list[health.Step]:
    """What it says now. Few at once: a slow server that somebody named must not hold the threads of everybody's pages."""
    if provider is None:
        raise NotFound(say("職員のサインインは、まだ登録していません。"))
    if not _TRIES.acquire(blocking=False):
        raise Unavailable(
            say("いま、ほかの確認と重なっています。少し待ってから、もう一度お試しください。"), retry_after=10
        )
    try:
        return health.check(Known(provider), parts.clock.now(), parts.providers.redirect_uri(provider))
    finally:
        _TRIES.release()


def _page(
    request: Request,
    town: Tenant,
    *,
    done: str = "",
    check: bool = False,
    typed: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    parts, key = parts_of(request), key_of_town(town.id)
    with parts.service.database.reading() as session:
        row = db.town_provider(session, town.id)
    kept = _kept(row, town)
    seat = parts.providers.seats.get(key)
    failures = seat.record.failures.most_common() if seat else []
    tell = lambda sentence: parts.pages.translate(request, sentence)  # noqa: E731
    return page(
        parts,
        request,
        "town-provider.html",
        status,
        town=town,
        resting=not switches.on(parts.snapshots.current, town.id, switches.PROVIDERS),
        row=row,
        base=_path(town),
        redirect_uri=f"{parts.settings.public_url.rstrip('/')}/sign-in/with/{key}/back",
        ended_uri=f"{parts.settings.public_url.rstrip('/')}/sign-in/with/{key}/ended",
        steps=told_steps(request, _steps(parts, _provider(parts, town))) if check and row is not None else [],
        failures=[(tell(health.WORDS.get(reason, reason)), count) for reason, count in failures],
        typed={**kept, **(typed or {})},
        done=done,
        errors=errors or {},
    )


def _kept(row: db.TownProviderRow | None, town: Tenant) -> dict[str, str]:
    """As the form shows it; never the secret."""
    if row is None:
        return {name: "" for name in _TYPED}
    return {
        "label": row.label.removeprefix(town.name).strip(),
        "issuer": row.issuer,
        "client_id": row.client_id,
        "domains": "\n".join(row.domains),
        "claim": row.claim or "",
        "claim_values": "\n".join(row.claim_values),
    }
