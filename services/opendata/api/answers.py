"""Whole answers to guests, as bytes: what everybody asks for is sent again without going through the framework.

What an answer was made of is its key: address, language, the catalogue's state (each publication and withdrawal changes it), what was
written in this process since. Only guests' questions to the addresses below are kept, and only answers of status 200 that set no
cookie. A page also tells counts of use and apps, which other processes write: it is kept for `SECONDS` only. Views are counted, requests
measured and logged as everywhere; who may ask was decided when the token was checked, here as there.
"""

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import cookie_parser

from libs.common import telemetry
from libs.common.clock import local_date
from libs.common.errors import Refusal
from libs.common.service import Service
from libs.common.web import i18n
from services.opendata.kept import Kept
from services.opendata.settings import catalogue_of
from services.opendata.use_cases.usage import Uses

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]

PAGES = re.compile(r"/opendata/(?:datasets/[^/]+)?")
DATA = re.compile(
    r"/opendata/(?:api/(?:3/)?action/(?:package_show|package_search|datastore_search)|data/[0-9a-f-]{36}\.json)"
)
SECONDS = 5.0
"""As often as counts are written (usage.EVERY)."""
LARGEST, LONGEST = 512 * 1024, 500
"""Bytes of an answer; characters of a query string."""
NEEDED = {b"authorization", b"cookie", b"user-agent", b"x-forwarded-for", b"if-none-match"}


@dataclass(frozen=True, slots=True)
class Answer:
    """`uses`: what was counted when it was made (kind, data set, file). `until`: seconds of the monotonic clock."""

    headers: list[tuple[bytes, bytes]]
    body: bytes
    uses: tuple[tuple[Any, str, str], ...]
    route: Any
    until: float


class KeptAnswers:
    """ASGI. Outermost: what is not kept goes the whole way, and is looked at as it leaves."""

    def __init__(self, app: App, service: Service, uses: Uses) -> None:
        self._app, self._service, self._uses = app, service, uses
        self._kept: Kept = service.extras["answers"]
        self._traced = telemetry.SeldomTraced(_send_again, service.name, service.settings.trace_ratio)

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or len(scope["query_string"]) > LONGEST:
            return await self._app(scope, receive, send)
        page = PAGES.fullmatch(scope["path"]) is not None
        if not page and not DATA.fullmatch(scope["path"]):
            return await self._app(scope, receive, send)
        given = {name: value.decode("latin-1") for name, value in scope["headers"] if name in NEEDED}
        visitor = self._visitor(given)
        if visitor is None or not await self._looked():
            return await self._app(scope, receive, send)
        key = self._key(scope, given, page=page)
        if key is None:
            return await self._app(scope, receive, send)
        found: Answer | None = self._kept.get(key)
        if found is None or found.until < time.monotonic():
            return await self._make(key, page, scope, receive, send)
        now, agent = self._service.clock.now(), given.get(b"user-agent", "")
        for kind, dataset, resource in found.uses:
            self._uses.note(kind, visitor, agent, dataset, resource, now)
        scope["answer"], scope["route"] = found, found.route
        await self._traced(scope, receive, send)

    async def _looked(self) -> bool:
        """Whether the catalogue is as the store has it; where it cannot be asked, the way through the framework says so."""
        catalogue = catalogue_of(self._service)
        if catalogue.fresh:
            return True
        try:
            await run_in_threadpool(catalogue.refresh)
        except SQLAlchemyError:
            return False
        return True

    def _visitor(self, given: dict[bytes, str]) -> str | None:
        """Who looks, as `shell.note` tells visitors apart. None for whom no answer is kept: all who are not guests."""
        scheme, _, token = given.get(b"authorization", "").partition(" ")
        if scheme.lower() != "bearer" or b"if-none-match" in given:
            return None
        try:
            actor = self._service.verifier.verify(token)
        except Refusal:
            return None
        if actor.kind != "guest":
            return None
        return actor.sid or f"{given.get(b'x-forwarded-for', '')} {given.get(b'user-agent', '')}"

    def _key(self, scope: Scope, given: dict[bytes, str], *, page: bool) -> tuple[Any, ...] | None:
        """None for a choice of language: it sets a cookie."""
        query, catalogue = scope["query_string"], catalogue_of(self._service)
        if not page:
            return scope["path"], query, catalogue.state, catalogue.told
        if b"lang=" in query:
            return None
        language = cookie_parser(given[b"cookie"]).get(i18n.COOKIE) if b"cookie" in given else None
        day = local_date(self._service.clock.now())
        return scope["path"], query, catalogue.state, catalogue.told, self._uses.written, language, day

    async def _make(self, key: tuple[Any, ...], page: bool, scope: Scope, receive: Any, send: Send) -> None:
        head: Message = {}
        pieces: list[bytes] = []

        async def seen(message: Message) -> None:
            if message["type"] == "http.response.start":
                head.update(message, headers=list(message["headers"]))
            elif message["type"] == "http.response.body" and sum(map(len, pieces)) <= LARGEST:
                pieces.append(message.get("body", b""))
            await send(message)

        scope.setdefault("state", {})["uses"] = uses = []
        await self._app(scope, receive, seen)
        body = b"".join(pieces)
        names = {name.lower() for name, _ in head.get("headers", ())}
        if head.get("status") == 200 and b"set-cookie" not in names and len(body) <= LARGEST:
            headers = [(name, value) for name, value in head["headers"] if name.lower() != b"x-request-id"]
            until = time.monotonic() + SECONDS if page else float("inf")
            self._kept.put(key, Answer(headers, body, tuple(uses), scope.get("route"), until))


async def _send_again(scope: Scope, receive: Any, send: Send) -> None:
    answer: Answer = scope["answer"]
    await send({"type": "http.response.start", "status": 200, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})
