"""The data plane: restic's REST protocol as raw ASGI. Bytes pass in blocks between the connection and a disk, in threads.

FastAPI's own routes cost more than the whole work of a small range read; nothing here is ever held whole.
"""

from collections.abc import Callable, MutableMapping
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.routing import Match, Route

from libs.common import access, log, telemetry
from libs.common.errors import Forbidden, NotFound, Refusal, Unavailable, say
from libs.common.service import Service
from services.backup.api.exchange import Exchange, Gone, NotBuilt, NotOffered
from services.backup.domain.asof import read_moment
from services.backup.domain.protocol import target_of
from services.backup.sites import SiteBroken, SiteDown, SiteFull
from services.backup.use_cases import store

Scope = MutableMapping[str, Any]

RULE = access.Rule("machine", frozenset({"machine"}))
"""Any program's key of the municipality; which repository and mode it opens is `use_cases.admit`'s to say."""

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
        scope["route"] = _RouteName("/t/{code}/backup/restic-asof/…" if self._as_of else "/t/{code}/backup/restic/…")
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


class _RouteName:
    """What logs and metrics may know of the path."""

    def __init__(self, path: str) -> None:
        self.path = path
