"""The data plane: restic's REST protocol as raw ASGI. Bytes pass in blocks between the connection and a disk, in threads.

FastAPI's own routes cost more than the whole work of a small range read, which is why `AtOnce` does without even ASGI; nothing here is
ever held whole.
"""

import re
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from starlette.datastructures import State
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.routing import Match, Route

from libs.common import access, log, telemetry
from libs.common.errors import Forbidden, NotFound, Refusal, Unavailable, say
from libs.common.server import Answer, Headers
from libs.common.service import Service
from services.backup.api.exchange import NOT_KEPT, Exchange, Gone, Memory, NotBuilt, NotOffered, part_of, ready
from services.backup.domain.asof import read_moment
from services.backup.domain.protocol import Target, target_of
from services.backup.sites import Reader, SiteBroken, SiteDown, SiteFull
from services.backup.use_cases import store

Scope = MutableMapping[str, Any]

RULE = access.Rule("machine", frozenset({"machine"}))
"""Any program's key of the municipality; which repository and mode it opens is `use_cases.admit`'s to say."""

_OBJECT = re.compile(rb"/t/([^/?%]+)/backup/restic/([^/?%]+)/([a-z]+)/([0-9a-f]{64})")

_log = log.get(__name__)


class DeclaredRoute(Route):
    """A raw ASGI callable in the router that still declares who may call it, as `access.check_declared` demands."""

    def __init__(self, path: str, app: Callable[..., Any], rule: access.Rule, methods: list[str]) -> None:
        super().__init__(path, app, methods=methods, include_in_schema=False)
        self.dependant = Dependant(path=path, dependencies=[Dependant(call=rule)])


def routes() -> list[DeclaredRoute]:
    """The two addresses of a repository: as it is, and read-only as it was at a moment."""
    now, then = Plane(as_of=False), Plane(as_of=True)
    verbs = ["GET", "POST", "DELETE"]
    return [
        DeclaredRoute("/t/{code}/backup/restic/{repository}/{rest:path}", now, RULE, verbs),
        DeclaredRoute("/t/{code}/backup/restic-asof/{moment}/{repository}/{rest:path}", then, RULE, verbs),
    ]


class AtOnce:
    """Answers, in the very step that asked, small parts of files that are open and lie in memory, to a key that was admitted a moment
    ago: most of what a restore asks for. What it does not answer goes the long way, and is answered or refused there.
    """

    def __init__(self, service: Service, state: State) -> None:
        self._service, self._state = service, state
        self._ratio = service.settings.trace_ratio

    def __call__(self, target: bytes, headers: Headers) -> Answer | None:
        if self._state.turns.rate:  # a bound line counts every byte, in turn
            return None
        asked = _OBJECT.fullmatch(target)
        if asked is None:
            return None
        said = dict(headers)
        code, repository, type_, name = (part.decode() for part in asked.groups())
        reader = self._reader(said, code, repository, Target("object", type_, name))
        if reader is None or len(said) != len(headers):  # of what is said twice the long way takes the first
            return None
        part = part_of(reader, said.get(b"range", b"").decode("latin-1"))
        if part is None:
            return None
        status, answered, span = part
        body = ready(reader, span)
        if body is None:
            return None
        seen = telemetry.look(headers, self._ratio)
        if seen is None:
            return None
        seen.tell(self._service.name, "GET", _NOW.path, code, status)
        return status, [*answered, NOT_KEPT, seen.header], body

    def _reader(self, said: dict[bytes, bytes], code: str, repository: str, target: Target) -> Reader | None:
        """The open file, for somebody who may read it."""
        token = said.get(b"authorization", b"").decode("latin-1").removeprefix("Bearer ")
        actor = self._service.verifier.remembered(token)
        if actor is None:
            return None
        try:
            RULE.judge(actor, code)
        except Refusal:
            return None
        memory: Memory = self._state.memory
        admitted = memory.doors.get((actor, repository))
        return memory.readers.get((admitted.door.repository_id, target, None)) if admitted else None


class Shortcut:
    """Leads to the data plane's routes past everything that only pages need: a small read costs less than the way through it.

    The routes are the router's own, so what they declare is what is checked. Requests are counted and logged as everywhere;
    a span has a share of them, as at the gateway.
    """

    def __init__(
        self, app: Callable[..., Any], routes: list[DeclaredRoute], fastapi: FastAPI, service: Service
    ) -> None:
        self._app, self._routes = app, routes
        handlers = {kind: do for kind, do in fastapi.exception_handlers.items() if kind is not Exception}
        refusing = ExceptionMiddleware(self._answer, handlers=handlers)
        self._traced = telemetry.SeldomTraced(refusing, service.name, service.settings.trace_ratio)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and "/backup/restic" in scope["path"]:
            return await self._traced(scope, receive, send)
        await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Any, send: Any) -> None:
        for route in self._routes:
            match, found = route.matches(scope)
            if match is not Match.NONE:
                scope.update(found)
                return await route.handle(scope, receive, send)
        await self._app(scope, receive, send)


class Plane:
    """One of the two addresses. `as_of`: the path has a moment, and nothing can be written."""

    def __init__(self, *, as_of: bool) -> None:
        self._as_of = as_of

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        exchange = Exchange(Request(scope), receive, send)
        scope["route"] = _THEN if self._as_of else _NOW
        try:
            await self._answer(exchange)
        except Gone:
            return
        except Refusal as refusal:
            await exchange.refuse(refusal)
        except SiteDown:
            await exchange.refuse(_site_down())
        except SiteBroken as error:
            _log.error("site_broken", error=str(error))
            await exchange.note_broken_disk()
            await exchange.refuse(_site_down())
        except SiteFull:
            _log.error("site_full")
            await exchange.refuse(store.full())

    async def _answer(self, exchange: Exchange) -> None:
        exchange.actor = RULE.check(exchange.request)
        target = target_of(exchange.request.path_params["rest"])
        if target is None:
            raise NotFound(say("このアドレスには何もありません。"), code="unknown-path")
        if self._as_of:
            exchange.at = read_moment(exchange.request.path_params["moment"], exchange.service.clock.now())
        match exchange.request.method, target.kind:
            case (("GET" | "HEAD"), "list"):
                await exchange.answer_list(target)
            case (("GET" | "HEAD"), ("object" | "config")):
                await exchange.answer_read(target)
            case (("POST" | "DELETE"), _) if self._as_of:
                raise Forbidden(say("過ぎた日時の姿は、読むことだけができます。"), code="read-only")
            case "POST", "repository":
                await exchange.answer_create()
            case "POST", ("object" | "config"):
                await exchange.answer_write(target)
            case "DELETE", ("object" | "config"):
                await exchange.answer_delete(target)
            case "DELETE", "repository":
                raise NotBuilt(say("保管庫をまるごと消すことはできません。"))
            case _:
                raise NotOffered(say("この操作はできません。"))


def _site_down() -> Unavailable:
    sentence = say("保管場所がいま使えません。少し待ってから、もう一度お試しください。")
    return Unavailable(sentence, code="site-down", retry_after=30)


@dataclass(frozen=True)
class _RouteName:
    """What logs and metrics may know of the path."""

    path: str


_NOW, _THEN = _RouteName("/t/{code}/backup/restic/…"), _RouteName("/t/{code}/backup/restic-asof/…")
