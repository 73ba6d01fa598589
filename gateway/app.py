"""The gateway as one ASGI callable: hygiene, decision, identity, then a page of its own or the proxied path.

Raw ASGI, because the proxied path must stay cheap; FastAPI only behind the door of our own pages.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import RedirectResponse

from gateway import csrf, hygiene
from gateway.answers import (
    Malformed,
    Message,
    Misdirected,
    Receive,
    Scope,
    Send,
    leave_after,
    security_headers,
    with_headers,
)
from gateway.domain import network_of
from gateway.hygiene import Headers, Target, cookie, header
from gateway.identity import Caller, Remembered, actor_for
from gateway.parts import Parts
from gateway.proxy import Body, ClientGone, Onwards, Proxy, has_body, too_large
from gateway.routes import REGISTRY, Decision, Moved, Onward, Own, decide
from gateway.settings import is_loopback
from gateway.upstream import HttpUpstreams, Patience, Upstreams
from libs.common import telemetry
from libs.common.actor import Actor
from libs.common.clock import SystemClock, local_date
from libs.common.errors import NotAllowed, Refusal, TooWeak, Unavailable, Unexpected
from libs.common.web import static_app
from libs.common.web.assets import assets

log = logging.getLogger(__name__)

OWN_LIMIT = 64_000
"""Bytes of a form sent to the gateway itself."""
PEOPLE = frozenset({"person", "staff", "operator"})
_NEEDS_SNAPSHOT = frozenset({"t", "portal", "council", "operator", "door"})


@dataclass(frozen=True, slots=True)
class Area:
    """Stands where frameworks put their route: the class of path that logs and metrics may know."""

    path: str


class Gateway:
    """The ASGI callable people reach. `own_app` answers the gateway's own pages."""

    def __init__(
        self, parts: Parts, own_app: Callable, *, make_upstreams: Callable[[], Upstreams] | None = None
    ) -> None:
        self._parts = parts
        self._settings = parts.settings
        self._services = parts.settings.services
        self._own_app = own_app
        self._make_upstreams = make_upstreams or self._http
        self._security = security_headers(https=self._settings.https)
        self._static = static_app()
        self._leave = leave_after(self._settings.shared_idle_minutes)
        self._traced = telemetry.SeldomTraced(self._answer, "gateway", self._settings.trace_ratio)  # type: ignore[arg-type]
        self._tasks: list[asyncio.Task[None]] = []
        self._day = (-1, date.min)
        self._actors = Remembered[tuple, tuple]()
        self._proxy: Proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)

    # ---- life -------------------------------------------------------------------------------------------------------

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        upstreams = await self._start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in self._tasks:
            task.cancel()
        await upstreams.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> Upstreams:
        upstreams = self._make_upstreams()
        self.attach(upstreams)
        self._parts.snapshots.load_kept()
        self._tasks.append(asyncio.create_task(self._parts.snapshots.keep_new()))
        self._tasks.append(asyncio.create_task(self._parts.fairness.keep(self._parts.service.database)))
        return upstreams

    def attach(self, upstreams: Upstreams) -> None:
        """From now on services are reached by `upstreams`."""
        idle = self._settings.upstream_idle_seconds
        self._proxy = Proxy(upstreams, self._parts.fairness, self._parts.cookies.ours, self._security, idle)

    def _http(self) -> Upstreams:
        settings = self._settings
        patience = Patience(
            connect=settings.upstream_connect_seconds,
            first_byte=settings.upstream_first_byte_seconds,
            idle=settings.upstream_idle_seconds,
        )
        return HttpUpstreams(self._services, pool=settings.upstream_pool, patience=patience)

    # ---- one request ------------------------------------------------------------------------------------------------

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.setdefault("state", {})
        state["address"] = self._address(scope)
        scope["headers"] = [(n, v) for n, v in scope["headers"] if n != b"x-request-id"]
        scope["scheme"] = "https" if self._settings.https else "http"
        try:
            target, decision = self._decide(scope)
        except Refusal as refusal:
            state["refusal"] = refusal
            scope["route"] = Area("(refused)")
            return await self._traced(scope, receive, send)
        state["target"], state["decision"] = target, decision
        scope["route"] = Area(_label(decision))
        scope["path"], scope["raw_path"] = target.path, target.raw
        if isinstance(decision, Onward) and decision.tenant:
            scope["path_params"] = {"code": decision.tenant.code}
        if isinstance(decision, Own):
            return await self._refusing(self._answer_own, scope, receive, send)
        await self._traced(scope, receive, send)

    def _decide(self, scope: Scope) -> tuple[Target, Decision]:
        try:
            hygiene.check_headers(scope["headers"], scope["http_version"])
            raw_path = scope["raw_path"].split(b"?", 1)[0]
            target = hygiene.canonical_target(raw_path, scope["query_string"])
        except hygiene.BadRequest as error:
            raise Malformed(error.status, error.reason) from error
        if scope["method"] not in hygiene.METHODS:
            raise NotAllowed("この操作はできません。")
        if target.segments[0] != "health":
            self._check_host(scope["headers"])
        snapshots = self._parts.snapshots
        if not snapshots.known and target.segments[0] in _NEEDS_SNAPSHOT:
            raise Unavailable("ただいま準備しています。少し待ってから、もう一度開いてください。", retry_after=5)
        return target, decide(target, snapshots.current, self._services, self._today())

    def _today(self) -> date:
        """The day in Japan, looked up once a second."""
        second = int(time.monotonic())
        if self._day[0] != second or self._parts.clock.__class__ is not SystemClock:
            self._day = second, local_date(self._parts.clock.now())
        return self._day[1]

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._refusing(self._answer_any, scope, receive, send)

    async def _refusing(self, answer: Callable, scope: Scope, receive: Receive, send: Send) -> None:
        """`answer`, or what it raises as an answer of ours, as long as none has begun."""
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await answer(scope, receive, sending)
        except ClientGone:
            return
        except Exception as error:
            if begun:
                raise
            refusal = _refusal_of(error)
            scope.setdefault("app", self._own_app)
            response = self._parts.refusals.response(Request(scope), refusal)  # type: ignore[arg-type]
            await response(scope, receive, with_headers(send, self._security))  # type: ignore[arg-type]

    async def _answer_any(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        if "refusal" in state:
            await self._greet(scope, state["refusal"])
            raise state["refusal"]
        decision = state["decision"]
        if isinstance(decision, Moved):
            return await self._redirect(decision, scope, receive, send)
        if decision.area == "static" and state["target"].segments[-1] in assets():
            return await self._static(scope, receive, with_headers(send, self._security))  # type: ignore[arg-type]
        await self._answer_onward(decision, scope, receive, send)

    async def _greet(self, scope: Scope, refusal: Refusal) -> None:
        """Let the page of a refusal know who reads it; a message we do not act on is not looked at that far."""
        if not isinstance(refusal, Malformed | Misdirected) and header(scope["headers"], b"authorization") is None:
            caller = await self._parts.callers.find(scope["headers"])
            scope["state"]["actor"] = actor_for(caller, Own("refusal"), self._parts.snapshots.current)

    async def _redirect(self, decision: Moved, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"]
        location = decision.raw_path + (b"?" + query if query else b"")
        response = RedirectResponse(location.decode("ascii"), 308, {"cache-control": "no-cache"})
        await response(scope, receive, with_headers(send, self._security))  # type: ignore[arg-type]

    async def _answer_onward(self, decision: Onward, scope: Scope, receive: Receive, send: Send) -> None:
        parts, headers = self._parts, scope["headers"]
        parts.fairness.check_network(network_of(scope["state"]["address"]))
        caller = await self._caller(scope)
        parts.fairness.check_rates(caller, decision)
        parts.fairness.check_open(decision, scope["method"])
        answered: Headers = []
        if decision.service in parts.fairness.rooms:
            answered += self._pass_waiting_room(scope, caller, decision)
        if caller.unknown and decision.tenant is not None and decision.service != REGISTRY:
            caller, begun = self._new_guest(caller)
            answered += begun
        actor, token = self._actor(caller, decision)
        self._demand(actor, decision)
        scope["state"]["actor"] = actor
        target, query = scope["state"]["target"], scope["query_string"]
        said = [
            token,
            (b"x-request-id", scope["state"]["request_id"].encode()),
            (b"x-forwarded-for", scope["state"]["address"].encode()),
            (b"x-forwarded-proto", scope["scheme"].encode()),
            (b"x-forwarded-host", header(headers, b"host") or b""),
            *_trace_headers(scope["state"]),
        ]
        shared = caller.signed_in is not None and caller.signed_in.shared
        request = Onwards(
            service=decision.service,
            method=scope["method"],
            target=target.raw + (b"?" + query if query else b""),
            headers=headers,
            said=said,
            limit=self._settings.limit_of(decision.service),
            personal=caller.by_cookie or caller.machine is not None or bool(answered),
            answered=[*answered, *self._leave] if shared else answered,
            shared=shared,
            tenant=decision.tenant.id if decision.tenant else "",
            route_class=decision.route_class,
        )
        await self._proxy.pass_on(request, receive, send)

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
        actor = actor_for(caller, decision, snapshot)
        token = self._parts.inner_tokens.header(actor, decision.service)
        self._actors.put(key, (snapshot, who, actor, token))
        return actor, token

    def _pass_waiting_room(self, scope: Scope, caller: Caller, decision: Onward) -> Headers:
        """Raises Waiting. Pages that people open are counted; forms of those inside, programs and staff's desks pass."""
        accepts = header(scope["headers"], b"accept") or b""
        if scope["method"] != "GET" or b"text/html" not in accepts or caller.machine is not None or decision.desk:
            return []
        cookies = self._parts.cookies
        sealed = cookie(scope["headers"], cookies.place)
        place = self._parts.fairness.pass_waiting_room(decision.service, sealed)
        return [] if place is None else [(b"set-cookie", cookies.set(cookies.place, place).encode())]

    def _demand(self, actor: Actor, decision: Onward) -> None:
        """Raises TooWeak where the operator of the cloud demands more of people than this sign-in has shown."""
        acr = self._settings.demand_acr.get(decision.route_class)
        if acr is not None and actor.kind in PEOPLE and not actor.proved(acr):
            raise TooWeak(acr)

    def _new_guest(self, caller: Caller) -> tuple[Caller, Headers]:
        value, sid = self._parts.guests.new()
        set_cookie = self._parts.cookies.set(self._parts.cookies.guest, value)
        return Caller(guest_sid=sid, by_cookie=caller.by_cookie), [(b"set-cookie", set_cookie.encode())]

    async def _answer_own(self, scope: Scope, receive: Receive, send: Send) -> None:
        decision: Own = scope["state"]["decision"]
        if decision.area != "health":
            self._parts.fairness.check_network(network_of(scope["state"]["address"]))
        caller = await self._caller(scope) if decision.area != "health" else Caller()
        if has_body(scope["headers"]):
            length = header(scope["headers"], b"content-length")
            if length is not None and int(length) > OWN_LIMIT:
                raise too_large(OWN_LIMIT)
            body = Body(receive, OWN_LIMIT, self._settings.upstream_idle_seconds)
            receive = _given(await _whole(body), receive)
        actor = actor_for(caller, decision, self._parts.snapshots.current)
        scope["state"]["caller"] = caller
        drop = (b"authorization",)
        scope["headers"] = [
            *((n, v) for n, v in scope["headers"] if n not in drop),
            self._parts.inner_tokens.header(actor, "gateway"),
        ]
        del scope["route"]
        shared = caller.signed_in is not None and caller.signed_in.shared
        extra = [*self._security, *self._leave] if shared else self._security
        await self._own_app(scope, receive, with_headers(send, extra))

    async def _caller(self, scope: Scope) -> Caller:
        caller = await self._parts.callers.find(scope["headers"])
        if scope["method"] not in hygiene.SAFE_METHODS:
            csrf.check(scope["method"], scope["headers"], self._origin(scope["headers"]), by_cookie=caller.by_cookie)
        return caller

    # ---- where from, where to ---------------------------------------------------------------------------------------

    def _check_host(self, headers: Headers) -> None:
        host = (header(headers, b"host") or b"").decode("latin-1").lower()
        if self._settings.origin.endswith(f"//{host}"):
            return
        if self._settings.public_on_loopback and is_loopback(urlsplit(f"//{host}").hostname or ""):
            return  # through a tunnel the port differs
        raise Misdirected("このアドレスのサイトは、ここにはありません。")

    def _origin(self, headers: Headers) -> str:
        """Our own origin as this browser sees it."""
        if not self._settings.public_on_loopback:
            return self._settings.origin
        host = (header(headers, b"host") or b"").decode("latin-1").lower()
        return f"{'https' if self._settings.https else 'http'}://{host}"

    def _address(self, scope: Scope) -> str:
        """The client's address: the peer's, or what the nearest trusted proxies say of it, read from the right."""
        address = scope["client"][0] if scope.get("client") else "unknown"
        if not self._settings.trusted_proxies or not self._trusted(address):
            return address
        for hop in reversed((header(scope["headers"], b"x-forwarded-for") or b"").decode("latin-1").split(",")):
            if hop.strip():
                address = hop.strip()
                if not self._trusted(address):
                    break
        return address if _ip(address) else "unknown"

    def _trusted(self, address: str) -> bool:
        ip = _ip(address)
        return ip is not None and any(
            ip in network for network in self._settings.trusted_proxies if network.version == ip.version
        )


def _trace_headers(state: dict[str, Any]) -> Headers:
    """What the service is told of the trace: that of the span, or that of a request without one."""
    if "traceparent" in state:
        return [(b"traceparent", state["traceparent"].encode())]
    return [(n.encode(), v.encode()) for n, v in telemetry.headers_with_trace().items()]


def _refusal_of(error: Exception) -> Refusal:
    """What a person is told. Guests and what needs no store go on working while the store is away."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, DBAPIError):
        log.error("store unreachable", extra={"error": type(error).__name__})
        sentence = "いま、サインインの状態を確かめられません。少し待ってから、もう一度お試しください。"
        return Unavailable(sentence, code="store-unreachable", retry_after=10)
    log.error("unexpected", exc_info=error)
    return Unexpected()


def _ip(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


def _label(decision: Decision) -> str:
    match decision:
        case Moved():
            return "(old code)"
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


async def _whole(body: Body) -> bytes:
    """A small form, read before anybody works on it. Raises TooLarge, RequestTimeout or ClientGone."""
    return b"".join([piece async for piece in body])


def _given(content: bytes, receive: Receive) -> Receive:
    """`receive` for a body that has been read already."""
    told = False

    async def receiving() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": content, "more_body": False}

    return receiving


class InternalDoor:
    """The port only services reach: `/internal/gateway/…` with their own signed tokens, and health."""

    def __init__(self, own_app: Callable) -> None:
        self._own_app = own_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if not scope["path"].startswith(("/internal/gateway/", "/health/")):
            scope["path"], scope["raw_path"] = "/internal/gateway/unknown", b"/internal/gateway/unknown"
        await self._own_app(scope, receive, send)
