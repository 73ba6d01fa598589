"""The app on a loopback port, and before it a stand-in for the gateway's door: unmodified clients come through it.

The stand-in does what the gateway does with a key: a bare `Authorization: <key>` becomes the signed inner token of the
machine, nobody's becomes a guest's.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from infra.local import processes
from libs.common.actor import Actor
from services.opendata.tests.people import Town

KEY = "the-key-of-ooki"


class Door:
    """ASGI: exchanges what the client shows for the inner token."""

    def __init__(self, town: Town) -> None:
        self._town = town

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            shown = headers.pop(b"authorization", b"").decode()
            machine = Actor(
                "machine", "token-1", tenant=self._town.code, code=self._town.code, roles=frozenset({"opendata.write"})
            )
            actor = machine if shown == KEY else Actor("guest", "guest")
            token = self._town.issuers.headers(actor, "opendata")["Authorization"]
            scope = scope | {"headers": [*headers.items(), (b"authorization", token.encode())]}
        await self._town.app(scope, receive, send)


@contextmanager
def served(town: Town) -> Iterator[str]:
    """The address of the catalogue: http://127.0.0.1:<port>/opendata"""
    port = processes.free_port()
    # Tokens are checked against the real time: the clock of the service stands, its signer's does not.
    server = uvicorn.Server(uvicorn.Config(Door(town), port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/opendata"
    finally:
        server.should_exit = True
        thread.join(10)
