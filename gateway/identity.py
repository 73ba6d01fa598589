"""Who is asking: cookies and keys in, `Actor` out. Nothing here trusts a header of the request beyond those two."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway import domain, switches
from gateway.hygiene import Headers, cookie, header
from gateway.routes import DOOR, Onward, Own
from gateway.snapshot import Snapshot, Tenant
from libs.common.actor import Actor
from libs.common.clock import Clock
from libs.common.errors import NotFound, NotSignedIn, say
from libs.common.inner_token import TokenSigner
from libs.common.remembered import Remembered

FRESH = 2.0
"""Seconds for which a session, a machine token and an inner token are believed without asking again."""
GUEST_DAYS = 14
MANY = 20_000
"""How many of each are remembered at most."""

T = TypeVar("T")


def derive(key: Ed25519PrivateKey, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose, from the gateway's own (HKDF, RFC 5869): the same on every replica."""
    return HKDF(SHA256(), 32, salt=None, info=f"kyodo gateway {purpose}".encode()).derive(key.private_bytes_raw())


# ---- cookies --------------------------------------------------------------------------------------------------------


STAFF = "staff_"
"""The side of the door that STAFF_URL names, as it stands in the names of its cookies; the other side has no word."""
_NAMES = (
    "kyodo_session",
    "kyodo_guest",
    "kyodo_ticket",
    "kyodo_begun",
    "kyodo_proved",
    "kyodo_half",
    "kyodo_place",
    "kyodo_life",
    "kyodo_known",
)


class Cookies:
    """Names and forms of the gateway's cookies. `__Host-` binds them to this very host where there is TLS (RFC 6265bis)."""

    def __init__(self, *, https: bool, side: str = "") -> None:
        self.side = side
        prefix = ("__Host-" if https else "") + side
        self.session = f"{prefix}kyodo_session"
        self.guest = f"{prefix}kyodo_guest"
        self.ticket = f"{prefix}kyodo_ticket"
        self.begun = f"{prefix}kyodo_begun"
        self.proved = f"{prefix}kyodo_proved"
        self.half = f"{prefix}kyodo_half"
        self.place = f"{prefix}kyodo_place"
        self.life = f"{prefix}kyodo_life"
        self.known = f"{prefix}kyodo_known"
        self.ours = frozenset(p + s + n for p in ("", "__Host-", "__Secure-") for s in ("", STAFF) for n in _NAMES)
        self._flags = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if https else "")

    def digest(self, session: str) -> str:
        """What a session's cookie is found by. One side's cookie finds nothing on the other."""
        return domain.digest(self.side + session)

    def set(self, name: str, value: str, seconds: int | None = None) -> str:
        """A Set-Cookie value; without `seconds` it ends with the browser."""
        age = f"; Max-Age={seconds}" if seconds is not None else ""
        return f"{name}={value}{self._flags}{age}"

    def set_life(self, life: domain.SessionLife, now: datetime, *, shared: bool) -> str:
        """When the session ends, for the page to say before it does (WCAG 2.2.1): idle seconds, last second (Unix), 1 on a shared
        machine. No secret, and nothing is decided by it: it alone is readable by scripts."""
        ends = f"{life.idle.total_seconds():.0f}.{(now + life.absolute).timestamp():.0f}.{int(shared)}"
        return self.set(self.life, ends).replace("; HttpOnly", "")

    def clear(self, name: str) -> str:
        return self.set(name, "", 0)

    def clear_all(self) -> list[str]:
        """Of whoever leaves. What was begun here goes too, a mail's open link above all: the next person at this machine could use it."""
        names = (self.session, self.life, self.guest, self.begun, self.proved, self.half, self.ticket)
        return [self.clear(name) for name in names]


class Guests:
    """Sessions of people who have not signed in: random, signed by us, kept nowhere."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def new(self) -> tuple[str, str]:
        """(cookie, sid)"""
        body = f"{secrets.token_urlsafe(24)}.{int(self._clock.now().timestamp()):x}"
        return f"{body}.{self._mac(body)}", self._sid(body)

    def read(self, value: str) -> str | None:
        """The sid, or None for anything we did not make or made too long ago."""
        body, _, mac = value.rpartition(".")
        if not hmac.compare_digest(self._mac(body).encode(), mac.encode()):
            return None
        made_at = int(body.rpartition(".")[2], 16)
        if self._clock.now().timestamp() - made_at > GUEST_DAYS * 86_400:
            return None
        return self._sid(body)

    def _mac(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()

    def _sid(self, body: str) -> str:
        """Not the cookie itself: a service that logs it gives nothing away."""
        return "g-" + hashlib.sha256(body.encode()).hexdigest()[:32]


# ---- callers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A live session. `sid` is its public id; `cookie_hash` finds its row; `earlier_guest` see `use_cases/guests.py`."""

    person: str
    name: str
    acr: str
    sid: str
    cookie_hash: str
    earlier_guest: str | None = None
    voucher: domain.Voucher = domain.OURS
    proved_at: datetime | None = None
    shared: bool = False
    staff_of: str | None = None
    """The municipality whose own provider says that this is its member of staff: it says nothing about rights elsewhere."""

    def may_act_in(self, tenant: str) -> bool:
        """Whether this sign-in opens the rights that the person has in `tenant`."""
        return self.staff_of in (None, tenant)


@dataclass(frozen=True, slots=True)
class Machine:
    """A live machine token."""

    token: str
    tenant: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Caller:
    """At most one of `signed_in` and `machine`. `guest_sid` may come beside either: a sign-in reads it, nothing else does."""

    signed_in: SignedIn | None = None
    machine: Machine | None = None
    guest_sid: str | None = None
    by_cookie: bool = False

    @property
    def unknown(self) -> bool:
        """Neither a person nor a program, and no guest's session yet."""
        return self.signed_in is None and self.machine is None and self.guest_sid is None

    @property
    def visitor(self) -> str | None:
        """The person or guest; None for programs and for whom we do not know again."""
        return (
            self.signed_in.person
            if self.signed_in is not None
            else None
            if self.machine is not None
            else self.guest_sid
        )


NOBODY = Caller()

LoadSession = Callable[[str], SignedIn | None]
LoadMachine = Callable[[str, str], Machine | None]


class Callers:
    """Finds out who sent a request. The store is asked in threads of its own, at most every `FRESH` seconds a secret."""

    def __init__(self, cookies: Cookies, guests: Guests, load_session: LoadSession, load_machine: LoadMachine) -> None:
        self._cookies = cookies
        self._guests = guests
        self._load_session = load_session
        self._load_machine = load_machine
        self._known: Remembered[bytes, Caller] = Remembered(FRESH, MANY)
        self._machines: Remembered[str, Machine | bool] = Remembered(FRESH, MANY)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="callers")

    async def find(self, headers: Headers) -> Caller:
        """Raises NotSignedIn for a key that is none of ours: whoever shows a wrong key must be told."""
        shown = header(headers, b"authorization")
        if shown is not None:
            return Caller(machine=await self._machine(shown.decode("latin-1")))
        said = [value for name, value in headers if name == b"cookie"]
        if not said:
            return NOBODY
        raw = said[0] if len(said) == 1 else b"; ".join(said)
        known = self._known.get(raw)
        if known is None:
            known = await self._by_cookies(headers)
            self._known.put(raw, known)
        return known

    async def _by_cookies(self, headers: Headers) -> Caller:
        session = cookie(headers, self._cookies.session)
        guest = cookie(headers, self._cookies.guest)
        if session is None and guest is None:
            return NOBODY
        return Caller(
            signed_in=await self._signed_in(self._cookies.digest(session)) if session else None,
            guest_sid=self._guests.read(guest) if guest else None,
            by_cookie=True,
        )

    def forget(self) -> None:
        """A session or a token has just ended: believe nothing without asking."""
        self._known.forget()
        self._machines.forget()

    def close(self) -> None:
        self._threads.shutdown(wait=False)

    async def _signed_in(self, cookie_hash: str) -> SignedIn | None:
        return await self._in_thread(lambda: self._load_session(cookie_hash))

    async def _machine(self, shown: str) -> Machine:
        parts = domain.read_machine_token(secret_of(shown) or "")
        if parts is None:
            raise wrong_key()
        known = self._machines.get(shown)
        if known is None:
            known = await self._in_thread(lambda: self._load_machine(*parts) or False)
            self._machines.put(shown, known)
        if not isinstance(known, Machine):
            raise wrong_key()
        return known

    async def _in_thread(self, ask: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)


def wrong_key() -> NotSignedIn:
    sentence = say("アクセスキーが正しくないか、期限が切れています。新しいキーを作って設定してください。")
    return NotSignedIn(sentence, code="bad-credential")


def secret_of(authorization: str) -> str | None:
    """The key in `Bearer <key>`, `Basic <anything:key>` or a bare `<key>` (restic and CKAN clients send the last two)."""
    scheme, _, rest = authorization.strip().partition(" ")
    match scheme.lower(), rest.strip():
        case _, "":
            return scheme
        case "bearer", key:
            return key
        case "basic", pair:
            try:
                return base64.b64decode(pair, validate=True).decode("ascii").partition(":")[2]
            except (binascii.Error, ValueError):
                return None
    return None


# ---- actors ---------------------------------------------------------------------------------------------------------


def actor_for(caller: Caller, decision: Onward | Own, snapshot: Snapshot, *, with_roles: bool = True) -> Actor:
    """What `caller` is in the eyes of the service behind `decision`. Roles are the snapshot's, read now.

    Without `with_roles` staff are persons like everybody: at the door where staff have nothing to do. So they are in one municipality
    when another one's provider has said who they are: whoever runs that provider would else have the rights of all who work in both.

    Raises NotFound when a machine token of one tenant knocks at another's, Forbidden where operators have switched programs off.
    """
    tenant = decision.tenant
    if caller.machine is not None:
        return _machine_actor(caller.machine, tenant, snapshot)
    where: dict[str, Any] = {"tenant": tenant.id, "code": tenant.code} if tenant else {}
    if caller.signed_in is not None:
        who = caller.signed_in
        with_roles = with_roles and tenant is not None and who.may_act_in(tenant.id)
        roles = snapshot.roles(who.person, tenant.id) if tenant and with_roles else frozenset()
        kind = "person" if not roles else "operator" if _as_operator(decision, roles) else "staff"
        was = who.earlier_guest
        return Actor(
            kind=kind,
            subject=who.person,
            name=who.name,
            roles=roles,
            acr=who.acr,
            sid=who.sid,
            earlier_guest=was,
            corporate_number=who.voucher.corporate_number,
            **where,
        )  # type: ignore[arg-type]
    return Actor(kind="guest", subject=caller.guest_sid or "guest", sid=caller.guest_sid, **where)


def _as_operator(decision: Onward | Own, roles: frozenset[str]) -> bool:
    return decision.area in ("operator", DOOR) and "operator" in roles


def _machine_actor(machine: Machine, tenant: Tenant | None, snapshot: Snapshot) -> Actor:
    if tenant is not None and tenant.id != machine.tenant:
        raise NotFound(say("このページは見つかりません。"))
    home = snapshot.by_id.get(machine.tenant)
    if home is None:
        raise wrong_key()
    switches.check(snapshot, home.id, switches.PROGRAMS)
    return Actor(
        kind="machine", subject=machine.token, tenant=home.id, code=home.code, roles=machine.scopes, acr="key", sid=None
    )


class InnerTokens:
    """Signed once per actor and audience, and used again for `FRESH` seconds (they live 60): a signature costs 80 µs."""

    def __init__(self, signer: TokenSigner) -> None:
        self._signer = signer
        self._kept: Remembered[tuple[Actor, str], str] = Remembered(FRESH, MANY)

    def header(self, actor: Actor, audience: str) -> tuple[bytes, bytes]:
        token = self._kept.get((actor, audience))
        if token is None:
            token = self._signer.sign(actor, audience)
            self._kept.put((actor, audience), token)
        return b"authorization", b"Bearer " + token.encode()


def still_open(created_at: datetime, last_used_at: datetime, life: domain.SessionLife, now: datetime) -> bool:
    """Whether a session may still be used: neither idle nor old."""
    return now - last_used_at < life.idle and now - created_at < life.absolute
