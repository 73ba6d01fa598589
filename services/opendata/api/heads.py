"""HEAD: the head of what GET would answer (RFC 9110, 9.3.2). Link checkers, harvesters and programs that download ask it first.

The route runs as for GET and its body is dropped; a body that is made piece by piece is ended after its head. It counts as no use.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]
ASKED = "asked_head"
"""Set in the scope of such a request."""


class Heads:
    """ASGI."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return await self._app(scope, receive, send)
        begun = asyncio.Event()

        async def gone() -> Message:
            """There is no body to read; after the head nobody waits for more."""
            await begun.wait()
            return {"type": "http.disconnect"}

        async def head_only(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                begun.set()

        # Answers in pieces listen for a reader who is gone by this edition of ASGI only.
        asgi = {**scope.get("asgi", {}), "spec_version": "2.3"}
        headers = [each for each in scope["headers"] if each[0] != b"range"]  # a part is asked of GET only (14.2)
        await self._app({**scope, "method": "GET", "headers": headers, "asgi": asgi, ASKED: True}, gone, head_only)
