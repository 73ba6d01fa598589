"""An HTTP server that is replaced without anybody noticing: asked to end, it first tells each kept connection to end.

Whoever is in front keeps connections and sends the next request on one of them. Were an idle one closed while a request is already
on its way, nobody could tell whether that request was carried out, so nobody may send it again. So after SIGTERM the server goes on for
`DRAIN_SECONDS`: each answer says `Connection: close`, and what is kept but unused meanwhile is what nobody sends on.

    app = Leaving(app)
    LeavingServer(Config(app, …), [app]).run()
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import uvicorn

from libs.common.server import Answer, AtOnce, Headers, nobody

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
LOOK = 0.05
"""Seconds between two looks whether all connections have gone."""


def drain_seconds() -> float:
    """Seconds from SIGTERM until idle connections are closed: 0 where no other process takes over."""
    return float(os.environ.get("DRAIN_SECONDS") or 0)


class Leaving:
    """An ASGI application whose answers end their connections once `leaving` is set."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._at_once: AtOnce = getattr(app, "at_once", nobody)
        self.leaving = False

    def at_once(self, target: bytes, headers: Headers) -> Answer | None:
        """As `libs.common.server.AnswersAtOnce` asks."""
        return None if self.leaving else self._at_once(target, headers)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if not self.leaving or scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def saying_so(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
            await send(message)

        return await self._app(scope, receive, saying_so)


class LeavingServer(uvicorn.Server):
    """Goes on answering for a moment after it was asked to end; a second signal ends it at once."""

    def __init__(self, config: uvicorn.Config, apps: Sequence[Leaving]) -> None:
        super().__init__(config)
        self._apps = apps

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for app in self._apps:
            app.leaving = True
        end = time.monotonic() + drain_seconds()
        while self.server_state.connections and time.monotonic() < end and not self.force_exit:  # noqa: ASYNC110 (a set of uvicorn)
            await asyncio.sleep(LOOK)
        await super().shutdown(sockets)
