"""The gateway as one ASGI callable: hygiene, decision, identity, then a page of its own or the proxied path.

Raw ASGI, because the proxied path must stay cheap; FastAPI only behind the door of our own pages.
"""

import asyncio
import logging
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse

from gateway.admission import Admission, peer, refusal_of
from gateway.answers import Message, Receive, Scope, Send, leave_after, security_headers, with_headers
from gateway.domain import network_of
from gateway.identity import Caller
from gateway.offload import FILES, OFFER
from gateway.parts import Parts
from gateway.proxy import Body, ClientGone, Onwards, Proxy, body_of
from gateway.routes import DOOR, Moved, Onward, Own
from gateway.upstream import HttpUpstreams, Patience, Upstreams
from libs.common import telemetry
from libs.common.errors import NotFound, Refusal, TooMany, say
from libs.common.server import line_of
from libs.common.web import static_app
from libs.common.web.assets import assets

log = logging.getLogger(__name__)

OWN_LIMIT = 64_000
"""Bytes of a form sent to the gateway itself."""


class Gateway:
    """The ASGI callable people reach. `own_app` answers the gateway's own pages."""

    def __init__(
        self,
        parts: Parts,
        own_app: Callable,
        *,
        make_upstreams: Callable[[], Upstreams] | None = None,
        beside: "Gateway | None" = None,
    ) -> None:
        """`beside` is the staff's side of the same door: it starts and ends with this one and has the same connections."""
        self._beside = beside
        self._parts = parts
        self._settings = parts.settings
        self.admission = Admission(parts)
        self._own_app = own_app
        self._make_upstreams = make_upstreams or self._http
        self._security = security_headers(https=self._settings.https)
        self._static = static_app()
        self._leave = leave_after(self._settings.shared_idle_minutes)
        self._traced = telemetry.SeldomTraced(self._answer, "gateway", self._settings.trace_ratio)  # type: ignore[arg-type]
        self._tasks: list[asyncio.Task[None]] = []
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
        for side in (self, self._beside):
            if side is not None:
                self._tasks.append(asyncio.create_task(side.keep_providers()))
        return upstreams

    async def keep_providers(self) -> None:
        """Each side has its own way back from them."""
        await self._parts.providers.keep_new()

    def attach(self, upstreams: Upstreams) -> None:
        """From now on services are reached by `upstreams`."""
        idle = self._settings.upstream_idle_seconds
        parts = self._parts
        if self._beside is not None:
            self._beside.attach(upstreams)
        parts.fairness.crowds.waited = upstreams.waited
        self._proxy = Proxy(upstreams, parts.fairness, parts.offload, parts.cookies.ours, self._security, idle)

    def _http(self) -> Upstreams:
        settings = self._settings
        patience = Patience(
            connect=settings.upstream_connect_seconds,
            first_byte=settings.upstream_first_byte_seconds,
            idle=settings.upstream_idle_seconds,
        )
        return HttpUpstreams(settings.bases, pool=settings.upstream_pool, patience=patience)

    # ---- one request ------------------------------------------------------------------------------------------------

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.admission.meet(scope)
        if isinstance(scope["state"].get("decision"), Own):
            return await self._refusing(self._answer_own, scope, receive, send)
        await self._traced(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._refusing(self._answer_any, scope, receive, send)
        finally:
            self._be_quiet(scope)

    def _be_quiet(self, scope: Scope) -> None:
        """Before the request is told of: where nobody may count what is sent in (QUIET_SERVICES), all look like pages that are read."""
        decision = scope["state"].get("decision")
        if isinstance(decision, Onward) and decision.service in self._settings.quiet_services:
            scope["method"] = "GET"

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
            refusal = refusal_of(error)
            if isinstance(refusal, TooMany):
                await self._parts.fairness.refusals.turn()
            scope.setdefault("app", self._own_app)
            response = self._parts.refusals.response(Request(scope), refusal)  # type: ignore[arg-type]
            await response(scope, receive, with_headers(send, self._security))  # type: ignore[arg-type]

    async def _answer_any(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        if "refusal" in state:
            await self.admission.greet(scope, state["refusal"])
            raise state["refusal"]
        decision = state["decision"]
        if isinstance(decision, Moved):
            return await self._redirect(decision, scope, receive, send)
        if decision.area == "static" and state["target"].segments[-1] in assets():
            return await self._static(scope, receive, with_headers(send, self._security))  # type: ignore[arg-type]
        if state["target"].segments[0] == FILES and self._settings.offload:
            await self.admission.admit_file(scope)  # says why not; a file itself is never sent from here
            raise NotFound(say("お探しのページはありません。"))
        await self._answer_onward(decision, scope, receive, send)

    async def _redirect(self, decision: Moved, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"]
        location = decision.raw_path + (b"?" + query if query else b"")
        response = RedirectResponse(location.decode("ascii"), 308, {"cache-control": "no-cache"})
        await response(scope, receive, with_headers(send, self._security))  # type: ignore[arg-type]

    async def _answer_onward(self, decision: Onward, scope: Scope, receive: Receive, send: Send) -> None:
        admitted = await self.admission.admit(scope, decision)
        target, query, method = scope["state"]["target"], scope["query_string"], scope["method"]
        behind_proxy = self.admission.trusted(peer(scope))
        handing = self._parts.offload.offer(decision, method, admitted.caller, behind_proxy=behind_proxy)
        request = Onwards(
            service=decision.service,
            method=method,
            target=target.raw + (b"?" + query if query else b""),
            headers=scope["headers"],
            said=[*admitted.said, OFFER] if handing is not None else admitted.said,
            handing=handing,
            limit=self._settings.limit_of(decision.service),
            personal=admitted.personal,
            answered=admitted.answered,
            first=admitted.first,
            shared=admitted.shared,
            tenant=decision.tenant.id if decision.tenant else "",
            route_class=decision.route_class,
            line=line_of(scope),
        )
        await self._proxy.pass_on(request, receive, send)

    async def _answer_own(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            receive = await self._own_request(scope, receive)
        except Refusal as refusal:
            # Our pages' app writes the line of each request into the log; this one does not reach it.
            scope["state"]["refusal"] = refusal
            return await self._traced(scope, receive, send)
        caller: Caller = scope["state"]["caller"]
        shared = caller.signed_in is not None and caller.signed_in.shared
        extra = [*self._security, *self._leave] if shared else self._security
        await self._own_app(scope, receive, with_headers(send, extra))

    async def _own_request(self, scope: Scope, receive: Receive) -> Receive:
        """Make the request ready for our pages' app: its small body, who sent it, and a token that says so. Raises Refusals."""
        decision: Own = scope["state"]["decision"]
        if decision.area != "health":
            self._parts.fairness.check_network(network_of(scope["state"]["address"]))
        caller = await self.admission.caller(scope) if decision.area != "health" else Caller()
        body = body_of(scope["headers"], receive, OWN_LIMIT, self._settings.upstream_idle_seconds)
        if body is not None:
            receive = _given(await _whole(body), receive)
        actor = self.admission.actor(caller, decision)
        if decision.area == DOOR:
            self.admission.demand(actor, "operator")
        scope["state"]["caller"] = caller
        drop = (b"authorization",)
        scope["headers"] = [
            *((n, v) for n, v in scope["headers"] if n not in drop),
            self._parts.inner_tokens.header(actor, "gateway"),
        ]
        del scope["route"]
        return receive


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
