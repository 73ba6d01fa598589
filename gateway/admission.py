"""Whether a request may go on, where to and as whom. One decision, for the door itself and for a proxy that asks it.

No body is read here and nothing is sent: the door then passes the request on, a proxy that asked passes it on itself.
"""

import logging
import time
from dataclasses import dataclass, field
from datetime import date
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError

from gateway import csrf, hygiene
from gateway.answers import Malformed, Misdirected, Scope, leave_after
from gateway.domain import network_of
from gateway.fairness.door import Line
from gateway.hygiene import Headers, Target, cookie, header
from gateway.identity import FRESH, MANY, Caller, actor_for
from gateway.parts import Parts
from gateway.routes import REGISTRY, Decision, Moved, Onward, Own, decide, is_for_staff, require_open
from gateway.settings import is_loopback
from gateway.snapshot import Snapshot
from libs.common import telemetry
from libs.common.actor import Actor
from libs.common.clock import SystemClock, local_date
from libs.common.errors import Forbidden, NotAllowed, NotFound, Refusal, TooWeak, Unavailable, Unexpected, say
from libs.common.remembered import Remembered

log = logging.getLogger(__name__)

IN_THE_OPEN = say(
    "暗号化されていない通信（http）では受け付けません。アドレスを https:// に直し、送ったキーやパスワードは作り直してください。"
)
PEOPLE = frozenset({"person", "staff", "operator"})
OTHERS_WAY_IN = say(
    "いまは、ほかの自治体の職員アカウントでサインインしています。ここで仕事をするには、サインアウトしてから、この自治体の方法か、メールアドレスとパスワードでサインインしてください。"
)
_MANY_PATHS = 4096
"""Paths whose decisions are kept: as many as `hygiene.canonical_target` keeps."""
_NEEDS_SNAPSHOT = frozenset({"t", "portal", "council", "operator", "door"})


@dataclass(slots=True)  # not frozen, as `Onwards`
class Admitted:
    """A request that may go on. `said` are the headers we add to it, `answered` those its answer gets."""

    caller: Caller
    said: Headers
    personal: bool
    """Whether the answer may be about one person: then nobody keeps it unless the service says otherwise."""
    shared: bool
    """Whether other people use this machine: then nothing stays in its cache, whatever the service says."""
    answered: Headers = field(default_factory=list)
    first: bool = False
    """Whether its sender is inside already: then it stands before others where a service is full."""


@dataclass(frozen=True, slots=True)
class Area:
    """Stands where frameworks put their route: the class of path that logs and metrics may know."""

    path: str


@dataclass(slots=True)
class Decided:
    """What was decided by one state of the registry on one day: canonical path → decision, and its class of path."""

    by: Snapshot | None
    on: date
    known: dict[bytes, tuple[Decision, Area]] = field(default_factory=dict)


class Admission:
    """`look` says where a path leads, `admit` whether this caller may go there now. Both raise Refusals."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.settings
        self._https = parts.settings.https
        self._scheme, self._usual_port = ("https", ":443") if self._https else ("http", ":80")
        self._own_origin = parts.settings.origin
        self._host = urlsplit(self._own_origin).netloc.removesuffix(self._usual_port)
        self._on_loopback = parts.settings.public_on_loopback
        self._services = parts.settings.services
        self._leave = leave_after(self._settings.shared_idle_minutes)
        self._without_staff = parts.without_staff
        self._day = (-1, date.min)
        self._actors = Remembered[tuple, tuple](FRESH, MANY)
        self._decided = Decided(None, date.min)

    def meet(self, scope: Scope) -> None:
        """Look at a request: `scope["state"]` gets where it comes from, and where it leads or why it is refused."""
        state = scope.setdefault("state", {})
        state["address"] = self.address(scope)
        scope["headers"] = [(n, v) for n, v in scope["headers"] if n != b"x-request-id"]
        scope["scheme"] = self._scheme
        try:
            target, decision, area = self.look(scope)
        except Refusal as refusal:
            state["refusal"] = refusal
            scope["route"] = Area("(refused)")
            return
        state["target"], state["decision"] = target, decision
        scope["route"] = area
        scope["path"], scope["raw_path"] = target.path, target.raw
        if isinstance(decision, Onward) and decision.tenant:
            scope["path_params"] = {"code": decision.tenant.code}

    # ---- where to ---------------------------------------------------------------------------------------------------

    def look(self, scope: Scope) -> tuple[Target, Decision, Area]:
        """The canonical path, where it leads and its class; refuses what two readers could understand differently."""
        try:
            hygiene.check_headers(scope["headers"], scope["http_version"])
            raw_path = scope["raw_path"].split(b"?", 1)[0]
            target = hygiene.canonical_target(raw_path, scope["query_string"])
        except hygiene.BadRequest as error:
            raise Malformed(error.status, error.reason) from error
        if scope["method"] not in hygiene.METHODS:
            raise NotAllowed(say("この操作はできません。"))
        if target.segments[0] != "health":
            self._check_host(scope["headers"])
            if self._https and _came_in_the_open(scope["headers"]):
                moved = self._to_https(scope, target)
                return target, moved, Area(_label(moved))
        snapshots = self._parts.snapshots
        if not snapshots.known and target.segments[0] in _NEEDS_SNAPSHOT:
            raise Unavailable(say("ただいま準備しています。少し待ってから、もう一度開いてください。"), retry_after=5)
        decision, area = self._decide(target)
        if self._without_staff and is_for_staff(decision):
            raise NotFound(say("お探しのページはありません。"))
        return target, decision, area

    def _to_https(self, scope: Scope, target: Target) -> Moved:
        """Where somebody goes who opens a page without https. Raises Forbidden for what is no page that a person opens: a program that was
        led on would go on sending its key in the open, and nobody would notice (OWASP ASVS 5.0, 4.1.2)."""
        headers = scope["headers"]
        if scope["method"] not in ("GET", "HEAD") or not _wants_a_page(scope) or header(headers, b"authorization"):
            raise Forbidden(IN_THE_OPEN, code="https-required")
        return Moved(self._own_origin.encode() + target.raw, "(without https)")

    def _decide(self, target: Target) -> tuple[Decision, Area]:
        """Looked up: the same few paths come again and again, and neither the registry nor the day changes meanwhile."""
        snapshot, today = self._parts.snapshots.current, self._today()
        if self._decided.by is not snapshot or self._decided.on != today or len(self._decided.known) >= _MANY_PATHS:
            self._decided = Decided(snapshot, today)
        known = self._decided.known.get(target.raw)
        if known is None:
            decision = decide(target, snapshot, self._services, today)
            known = self._decided.known[target.raw] = decision, Area(_label(decision))
        return known

    def _today(self) -> date:
        """The day in Japan, looked up once a second."""
        second = int(time.monotonic())
        if self._day[0] != second or self._parts.clock.__class__ is not SystemClock:
            self._day = second, local_date(self._parts.clock.now())
        return self._day[1]

    # ---- whether, and as whom ---------------------------------------------------------------------------------------

    async def admit(self, scope: Scope, decision: Onward) -> Admitted:
        """Let this request on, or raise why not. `scope["state"]` gets the actor, for logs and pages."""
        parts, state = self._parts, scope["state"]
        parts.fairness.check_network(network_of(state["address"]))
        caller = await self.caller(scope)
        parts.fairness.check_rates(caller, decision)
        parts.fairness.check_open(decision, scope["method"])
        known = self._is_inside(caller, decision)
        line = parts.fairness.line(decision)
        answered = [] if line is None else self._stand_in(line, scope, caller, decision, inside=known)
        if caller.unknown and self._is_met_as_a_guest(scope, decision):
            caller, begun = self._new_guest(caller)
            answered += begun
        self._note_inside(caller, decision)
        actor, token = self._actor(caller, decision)
        self.demand(actor, decision.route_class)
        self._say_whose_way_in(caller, decision)
        state["actor"] = actor
        shared = caller.signed_in is not None and caller.signed_in.shared
        return Admitted(
            caller,
            said=[
                token,
                (b"x-request-id", state["request_id"].encode()),
                (b"x-forwarded-for", state["address"].encode()),
                (b"x-forwarded-proto", scope["scheme"].encode()),
                (b"x-forwarded-host", header(scope["headers"], b"host") or b""),
                *_trace_headers(state),
            ],
            personal=caller.by_cookie or caller.machine is not None or bool(answered),
            shared=shared,
            answered=[*answered, *self._leave] if shared else answered,
            first=known,
        )

    async def admit_file(self, scope: Scope) -> Headers:
        """Whether a signed address was made for who opens it now; the file's type and name. Raises Forbidden, and what the request would
        get that it was made for: its service may have been closed since, or be used up for this municipality or person."""
        self._parts.fairness.check_network(network_of(scope["state"]["address"]))
        caller = await self.caller(scope)
        target = scope["state"]["target"]
        opened = self._parts.offload.check(scope["method"], target.raw, scope["query_string"], caller)
        tenant = self._parts.snapshots.current.by_id.get(opened.tenant)
        decision = Onward(opened.service, opened.service, tenant, desk=opened.desk)
        if tenant is not None:
            label = self._parts.snapshots.current.labels.get(opened.service, say("このサービス"))
            require_open(tenant, opened.service, label, self._today())
        self._parts.fairness.check_rates(caller, decision)
        self._parts.fairness.check_open(decision, scope["method"])
        return opened.facts

    async def caller(self, scope: Scope) -> Caller:
        """Who sent this. Raises Forbidden for a change that did not come from our own pages."""
        caller = await self._parts.callers.find(scope["headers"])
        if scope["method"] not in hygiene.SAFE_METHODS:
            csrf.check(scope["method"], scope["headers"], self._origin(scope["headers"]), by_cookie=caller.by_cookie)
        return caller

    async def greet(self, scope: Scope, refusal: Refusal) -> None:
        """Let the page of a refusal know who reads it; a message we do not act on is not looked at that far."""
        if not isinstance(refusal, Malformed | Misdirected) and header(scope["headers"], b"authorization") is None:
            caller = await self._parts.callers.find(scope["headers"])
            scope["state"]["actor"] = self.actor(caller, Own("refusal"))

    def actor(self, caller: Caller, decision: Onward | Own) -> Actor:
        """What the caller is there. At a door where staff have nothing to do nobody is staff."""
        return actor_for(caller, decision, self._parts.snapshots.current, with_roles=not self._without_staff)

    def _actor(self, caller: Caller, decision: Onward) -> tuple[Actor, tuple[bytes, bytes]]:
        """Who this is to the service, and the header that says so. The same answer as long as caller and registry are the same objects."""
        snapshot, who = self._parts.snapshots.current, caller.signed_in or caller.machine
        key = (
            id(who) if who else caller.guest_sid,
            decision.service,
            decision.area,
            decision.tenant and decision.tenant.id,
        )
        known = self._actors.get(key)
        if known is not None and known[0] is snapshot and known[1] is who:
            return known[2], known[3]
        actor = self.actor(caller, decision)
        token = self._parts.inner_tokens.header(actor, decision.service)
        self._actors.put(key, (snapshot, who, actor, token))
        return actor, token

    def _stand_in(self, line: Line, scope: Scope, caller: Caller, decision: Onward, *, inside: bool) -> Headers:
        """Raises Waiting, or for a program Unavailable. Pages that newcomers open are counted; what people send and staff's desks
        pass, and where a line has formed by itself those who were there before it."""
        if decision.desk or (inside and not line.always):
            return []
        if scope["method"] != "GET" or not _wants_a_page(scope) or caller.machine is not None:
            if caller.machine is not None or scope["method"] in hygiene.SAFE_METHODS:
                self._parts.fairness.check_programs(decision)
            return []
        cookies = self._parts.cookies
        sealed = cookie(scope["headers"], cookies.place)
        place = self._parts.fairness.pass_waiting_room(line, sealed)
        return [] if place is None else [(b"set-cookie", cookies.set(cookies.place, place).encode())]

    def _is_inside(self, caller: Caller, decision: Onward) -> bool:
        """Whether this person or guest was let in to the service lately."""
        who = caller.visitor
        return who is not None and self._parts.fairness.visitors.known(decision.service, who)

    def _note_inside(self, caller: Caller, decision: Onward) -> None:
        who = caller.visitor
        if who is not None:
            self._parts.fairness.visitors.note(decision.service, who)

    def demand(self, actor: Actor, route_class: str) -> None:
        """Raises TooWeak where the operator of the cloud demands more of people there than this sign-in has shown."""
        acr = self._settings.demand_acr.get(route_class)
        if acr is not None and actor.kind in PEOPLE and not actor.proved(acr):
            raise TooWeak(acr)

    def _say_whose_way_in(self, caller: Caller, decision: Onward) -> None:
        """Raises Forbidden for somebody who works here but has come in by another municipality's provider: what to do stands there."""
        who, tenant = caller.signed_in, decision.tenant
        if who is None or tenant is None or who.may_act_in(tenant.id) or not is_for_staff(decision):
            return
        if not self._without_staff and self._parts.snapshots.current.roles(who.person, tenant.id):
            raise Forbidden(OTHERS_WAY_IN, code="way-in-of-another-municipality")

    @staticmethod
    def _is_met_as_a_guest(scope: Scope, decision: Onward) -> bool:
        """Whether a visitor of whom nothing is known gets a cookie to be known by again: in a municipality's services, and where a
        browser sends something to a service of all municipalities (a request for data, a vote), which is otherwise read by everybody
        alike, from caches too."""
        if decision.service == REGISTRY:
            return False
        if decision.tenant is not None:
            return True
        return scope["method"] not in hygiene.SAFE_METHODS and _wants_a_page(scope)

    def _new_guest(self, caller: Caller) -> tuple[Caller, Headers]:
        value, sid = self._parts.guests.new()
        set_cookie = self._parts.cookies.set(self._parts.cookies.guest, value)
        return Caller(guest_sid=sid, by_cookie=caller.by_cookie), [(b"set-cookie", set_cookie.encode())]

    # ---- from where -------------------------------------------------------------------------------------------------

    def _check_host(self, headers: Headers) -> None:
        host = (header(headers, b"host") or b"").decode("latin-1").lower()
        if host.removesuffix(self._usual_port) == self._host:  # the usual port may be said or left out (RFC 9110, 4.2)
            return
        if self._on_loopback and is_loopback(urlsplit(f"//{host}").hostname or ""):
            return  # through a tunnel the port differs
        raise Misdirected(say("このアドレスのサイトは、ここにはありません。"))

    def _origin(self, headers: Headers) -> str:
        """Our own origin as this browser sees it."""
        if not self._on_loopback:
            return self._own_origin
        host = (header(headers, b"host") or b"").decode("latin-1").lower()
        return f"{self._scheme}://{host}"

    def address(self, scope: Scope) -> str:
        """The client's address: the peer's, or what the nearest trusted proxies say of it, read from the right."""
        address = peer(scope)
        if not self.trusted(address):
            return address
        for hop in reversed((header(scope["headers"], b"x-forwarded-for") or b"").decode("latin-1").split(",")):
            if hop.strip():
                address = hop.strip()
                if not self.trusted(address):
                    break
        return address if _ip(address) else "unknown"

    def trusted(self, address: str) -> bool:
        """Whether TRUSTED_PROXIES names it."""
        if not self._settings.trusted_proxies:
            return False
        ip = _ip(address)
        return ip is not None and any(
            ip in network for network in self._settings.trusted_proxies if network.version == ip.version
        )


def peer(scope: Scope) -> str:
    """Who is at the other end of this very connection."""
    return scope["client"][0] if scope.get("client") else "unknown"


def refusal_of(error: Exception) -> Refusal:
    """What a person is told. Guests and what needs no store go on working while the store is away."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, DBAPIError):
        log.error("store unreachable", extra={"error": type(error).__name__})
        sentence = say("いま、サインインの状態を確かめられません。少し待ってから、もう一度お試しください。")
        return Unavailable(sentence, code="store-unreachable", retry_after=10)
    log.error("unexpected", exc_info=error)
    return Unexpected()


def _trace_headers(state: dict[str, Any]) -> Headers:
    """What the service is told of the trace: that of the span, or that of a request without one."""
    if "traceparent" in state:
        return [(b"traceparent", state["traceparent"].encode())]
    return [(n.encode(), v.encode()) for n, v in telemetry.headers_with_trace().items()]


def _ip(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


def _label(decision: Decision) -> str:
    match decision:
        case Moved(_, label):
            return label
        case Own(area):
            return f"/{area}"
        case Onward(service, "tenant", _):
            return "/t/{code}/…"
        case Onward(service, "portal", tenant) if tenant:
            return "/portal/{code}/…"
        case Onward(service, area, tenant) if tenant and service != REGISTRY:
            return f"/t/{{code}}/{area}/…"
        case Onward(_, area, _):
            return f"/{area}/…"


def _came_in_the_open(headers: Headers) -> bool:
    """Whether whoever stands before us took this request without encryption. Who says so need not be trusted: nobody gains by it."""
    said = header(headers, b"x-forwarded-proto")
    return said is not None and said.split(b",")[-1].strip().lower() == b"http"


def _wants_a_page(scope: Scope) -> bool:
    """Whether a browser asks, as far as it says."""
    return b"text/html" in (header(scope["headers"], b"accept") or b"")
