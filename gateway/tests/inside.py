"""The whole gateway in this process: real app, real store, a clock that the test moves, and services that are played by a function.

For everything that does not need sockets. `gateway/tests/conftest.py · running` starts real processes.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from gateway.app import Gateway
from gateway.hygiene import Headers
from gateway.pages.app import create_own_app
from gateway.parts import Parts, assemble
from gateway.settings import Settings
from gateway.snapshot import parse
from gateway.tests.conftest import snapshot_document
from gateway.use_cases import sign_in
from libs.common import keys
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.inner_token import TokenSigner, TokenVerifier
from libs.common.migrate import migrate
from libs.common.service import Service
from libs.common.testing.service import NOW

URL = "http://127.0.0.1:8080"


@dataclass
class Given:
    """An answer of a service. With `wait` it does not come before that is set."""

    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes = b"{}"
    wait: asyncio.Event | None = None

    ended: bool = True

    async def chunk(self) -> bytes:
        return self.body

    def close(self, *, whole: bool) -> None:
        pass


@dataclass
class Played:
    """Services as one function (service, method, target, headers, body) → Given, or an exception to raise."""

    play: Callable[..., Any]
    seen: list[tuple[str, str, bytes, dict[bytes, bytes], bytes]] = field(default_factory=list)
    waiting_for: float = 0.0
    """Seconds for which somebody is said to have waited for a connection."""

    async def open(
        self, service: str, method: str, target: bytes, headers: Headers, body: Any, *, first: bool = False
    ) -> Given:
        content = b"".join([piece async for piece in body]) if body is not None else b""
        self.seen.append((service, method, target, dict(headers), content))
        given = self.play(service, method, target)
        if isinstance(given, Exception):
            raise given
        if given.wait is not None:
            await given.wait.wait()
        return given

    def waited(self, service: str) -> float:
        return self.waiting_for

    async def close(self) -> None:
        pass


@dataclass
class Inside:
    parts: Parts
    app: Gateway
    upstreams: Played
    clock: FixedClock

    def client(self, address: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 1), raise_app_exceptions=False)
        said = {"origin": URL, "sec-fetch-site": "same-origin", **headers}
        return httpx.AsyncClient(transport=transport, base_url=URL, headers=said)

    def publish(self, **members: dict[str, list[str]]) -> None:
        self.parts.snapshots.current = parse(snapshot_document(**members))
        self.parts.snapshots.confirmed_at = self.clock.now()

    def session(self, person: str, acr: str = "password", **more: Any) -> dict[str, str]:
        """The cookie of a new session of `person`."""
        with self.parts.service.database.transaction("400009") as session:
            life = self.parts.life_of(shared=more.get("shared", False))
            secret = sign_in.open_session(
                session, person, acr=acr, device="test", now=self.clock.now(), life=life, **more
            )
        return {self.parts.cookies.session: secret}


def echo(service: str, method: str, target: bytes) -> Given:
    return Given(headers=[(b"content-type", b"application/json")], body=json.dumps([service, method]).encode())


@cache
def _migrated() -> Path:
    """An empty store of today's tables, made once in a run."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-inside-"))
    migrate(Settings(data_dir=folder, keys_dir=folder, database_url=None), "gateway", "gateway")
    return folder / "gateway.sqlite"


@contextmanager
def inside(folder: Path, play: Callable[..., Any] = echo, *, at: datetime = NOW, **settings: Any) -> Iterator[Inside]:
    """A gateway whose services are `play`. Requests go to it inside `asyncio.run(…)` by `Inside.client`."""
    keys.ensure(folder / "keys", ["gateway", "tenants", "eapply"])
    upstreams = {name: "http://127.0.0.1:9" for name in ("tenants", "eapply", "backup", "ebid")}
    made = Settings(
        data_dir=folder,
        keys_dir=folder / "keys",
        database_url=None,
        upstreams=upstreams,
        **{"sample": True, "public_url": URL} | settings,
    )
    shutil.copy(_migrated(), folder / "gateway.sqlite")
    own, clock = keys.private_key(made.keys_dir, "gateway"), FixedClock(at)
    service = Service(
        name="gateway",
        settings=made,
        database=Database(made.database_url_of("gateway"), "gateway"),
        verifier=TokenVerifier(keys.public_keys(made.keys_dir), audience="gateway"),
        signer=TokenSigner("gateway", own),
        clock=clock,
    )
    parts, played = assemble(made, service), Played(play)
    app = Gateway(parts, create_own_app(parts), make_upstreams=lambda: played)
    app.attach(played)
    found = Inside(parts, app, played, clock)
    found.publish()
    try:
        yield found
    finally:
        parts.close()
