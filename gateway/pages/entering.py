"""The step after somebody has proved who they are: a session, or first the second proof that they have chosen to have."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway import db, hygiene
from gateway.domain import OURS, Voucher
from gateway.pages.common import address_is_shared, caller_of, device_of, see, with_cookie
from gateway.parts import Parts
from gateway.use_cases import sign_in as use_cases
from libs.common.actor import strength

SECOND = "two-factor"
HALF_FOR = timedelta(minutes=10)
"""How long a first proof waits for the second."""


@dataclass(frozen=True, slots=True)
class Half:
    """A person whose first proof was good and whose second is still missing, and where they wanted to go. Travels sealed in a cookie;
    opens nothing."""

    person: str
    next: str
    shared: bool
    voucher: Voucher


def enter(
    parts: Parts,
    request: Request,
    person: db.PersonRow,
    *,
    next: str,
    acr: str = "password",
    voucher: Voucher = OURS,
    shared: bool = False,
    proved_at: datetime | None = None,
) -> Response:
    """On to `next` with a session, or to the question for the passkey if `acr` is one proof and the person has one."""
    with parts.service.database.reading() as session:
        more = strength(acr) < strength(SECOND) and db.has_passkey(session, person.id)
    if not more:
        return with_cookie(
            see(next),
            *begin_session(parts, request, person.id, acr=acr, voucher=voucher, shared=shared, proved_at=proved_at),
        )
    half = asdict(Half(person.id, next, shared, voucher))
    cookie = parts.halves.close(half, parts.clock.now() + HALF_FOR)
    answer = see("/sign-in/confirm")
    return with_cookie(answer, parts.cookies.set(parts.cookies.half, cookie, int(HALF_FOR.total_seconds())))


def half_of(parts: Parts, request: Request) -> Half | None:
    sealed = hygiene.cookie(request.scope["headers"], parts.cookies.half)
    values: Mapping[str, Any] | None = parts.halves.open(sealed, parts.clock.now()) if sealed else None
    if not values or "voucher" not in values:  # one that a gateway of before this version has sealed
        return None
    return Half(values["person"], values["next"], values["shared"], Voucher(**values["voucher"]))


def begin_session(
    parts: Parts,
    request: Request,
    person_id: str,
    *,
    acr: str = "password",
    voucher: Voucher = OURS,
    shared: bool = False,
    proved_at: datetime | None = None,
) -> list[str]:
    """A new session for `person` in this browser, the old one ended; returns the Set-Cookie values. `proved_at`: None for now.

    A machine that many people use stays one: another proof on it makes no long session.
    A guest's cookie has done its work and goes: nothing more can be begun under a sid that is somebody's now.
    """
    now, caller, cookies = parts.clock.now(), caller_of(request), parts.cookies
    old = caller.signed_in
    shared = shared or address_is_shared(parts, request) or (old is not None and old.shared)
    with parts.service.database.transaction(parts.home) as session:
        if old is not None:
            use_cases.end_session(session, old.cookie_hash, now)
        secret = use_cases.open_session(
            session,
            person_id,
            acr=acr,
            voucher=voucher,
            shared=shared,
            proved_at=proved_at,
            device=device_of(request),
            now=now,
            life=parts.life_of(shared=shared),
            guest_sid=None if old else caller.guest_sid,
            digest=cookies.digest,
        )
    parts.callers.forget()
    begun = [cookies.set(cookies.session, secret), cookies.set_life(parts.life_of(shared=shared), now, shared=shared)]
    if hygiene.cookie(request.scope["headers"], cookies.half):
        begun.append(cookies.clear(cookies.half))
    return [*begun, cookies.clear(cookies.guest)] if caller.guest_sid else begun
