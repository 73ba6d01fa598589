"""What tests need of a running backup service: staff, machines with keys, restic itself, and a clock to move."""

import base64
import contextlib
import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from infra.local import processes
from libs.common import keys
from libs.common.actor import Actor
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.room import RoomRow
from libs.common.server import Answer, Headers, Protocol
from libs.common.service import Service
from libs.common.testing.service import NOW, Issuers, make_service
from services.backup.api import create_app
from services.backup.db import AllowanceRow, RepositoryRow
from services.backup.domain.modes import Mode, scope_of
from services.backup.settings import Held, Settings, furnish, held
from services.backup.tokens import Token
from services.backup.use_cases import repositories
from tests.bench import peers

HOME, OTHER = "402036", "402044"
MIB, GIB = 1024**2, 1024**3


def restic_program() -> str:
    """The restic to test with: RESTIC in the environment, else the one on PATH. Its absence fails, it never skips."""
    found = shutil.which(os.environ.get("RESTIC", "restic"))
    assert found, "restic is not installed: `apt-get install restic` (or set RESTIC to a program)"
    return found


def current_restic() -> str:
    """A restic of today: RESTIC_CURRENT, or where `python -m tests.bench.peers` brought it. Without one the test is skipped."""
    program = os.environ.get("RESTIC_CURRENT") or peers.found("restic")
    if not program:
        pytest.skip("no current restic: run `python -m tests.bench.peers`, or name one with RESTIC_CURRENT")
    return program


@dataclass
class FakeTokens:
    """Makes tokens as the gateway does, and remembers whose they are: the door below looks them up."""

    clock: FixedClock
    made: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)

    def make(self, tenant: str, name: str, scope: str, days: int, by: str) -> Token:
        number = f"{len(self.made):016x}"
        secret = f"kyodo_{number}_{'s' * 43}"
        self.made[secret] = (number, tenant, scope)
        return Token(number, secret, self.clock.now() + timedelta(days=days))

    def revoke(self, token_id: str, by: str) -> None:
        self.revoked.add(token_id)


class Door:
    """What the gateway does for this service: the key in Basic becomes the inner token. ASGI."""

    def __init__(self, app: Any, issuers: Issuers, tokens: FakeTokens) -> None:
        self._app, self._issuers, self._tokens = app, issuers, tokens
        self._said: dict[str, tuple[float, bytes]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["headers"] = [self._translated(n, v) for n, v in scope["headers"]]
        await self._app(scope, receive, send)

    def at_once(self, target: bytes, headers: Headers) -> Answer | None:
        return self._app.at_once(target, [self._translated(n, v) for n, v in headers])

    def _translated(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if name != b"authorization" or not value.startswith(b"Basic "):
            return name, value
        secret = base64.b64decode(value[6:]).decode().partition(":")[2]
        since, bearer = self._said.get(secret, (0.0, b""))
        if not bearer or time.monotonic() - since > 30:  # the same bytes for a while, as the gateway says them
            bearer = self._bearer(secret)
            self._said[secret] = time.monotonic(), bearer
        return name, bearer

    def _bearer(self, secret: str) -> bytes:
        number, tenant, scope = self._tokens.made.get(secret, ("unknown", HOME, "backup.read"))
        actor = Actor("machine", number, tenant=tenant, code=tenant, roles=frozenset({scope}), acr="key")
        token = self._issuers.signer("gateway").sign(actor, "backup")
        return b"Bearer " + token.encode()


@dataclass
class Machine:
    """A program with a key: plain HTTP by `client`, restic by `restic`."""

    url: str
    secret: str
    token_id: str
    repository: RepositoryRow
    folder: Path
    tenant: str = HOME

    @property
    def client(self) -> httpx.Client:
        base = f"{self.url}/t/{self.tenant}/backup/restic/{self.repository.name}/"
        return httpx.Client(base_url=base, auth=("machine", self.secret), trust_env=False, timeout=60)

    def address(self, moment: str | None = None) -> str:
        """The repository as restic is told of it; `moment`: as it was then."""
        host = self.url.removeprefix("http://")
        middle = f"restic-asof/{moment}" if moment else "restic"
        return f"rest:http://machine:{self.secret}@{host}/t/{self.tenant}/backup/{middle}/{self.repository.name}/"

    def environment(self, moment: str | None = None) -> dict[str, str]:
        """What restic is told, beside this process's own."""
        return {
            **os.environ,
            "RESTIC_REPOSITORY": self.address(moment),
            "RESTIC_PASSWORD": "only the town knows this",
            "RESTIC_CACHE_DIR": str(self.folder / "cache"),
            "NO_PROXY": "127.0.0.1",
        }

    def restic(
        self, *arguments: str, moment: str | None = None, check: bool = True, program: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [program or restic_program(), *arguments]
        done = subprocess.run(command, env=self.environment(moment), capture_output=True, text=True, timeout=300)
        assert not check or done.returncode == 0, f"restic {arguments}: {done.stdout}\n{done.stderr}"
        return done


@dataclass
class Cloud:
    service: Service
    url: str
    issuers: Issuers
    tokens: FakeTokens
    folder: Path
    app: Any
    clock: FixedClock

    @property
    def database(self) -> Database:
        return self.service.database

    @property
    def places(self) -> Held:
        return held(self.service)

    def staff(self, tenant: str = HOME, *roles: str) -> Actor:
        chosen = frozenset(roles or ("backup.manager",))
        return Actor("staff", f"staff-{tenant}", "見本 職子", tenant, tenant, chosen, "password", "s-1")

    def open_room(self, tenant: str, quota: int = 100 * GIB) -> None:
        with self.database.transaction(tenant=tenant) as session:
            session.add(AllowanceRow(quota=quota, live=0, held=0))
            session.add(RoomRow(tenant=tenant, code=tenant, name="見本市", state="provisioned", changed_at=NOW))

    def repository(self, name: str = "juki", tenant: str = HOME, quota: int = 10 * GIB) -> RepositoryRow:
        """A repository; a quota below what staff may choose is set behind their back."""
        wish = repositories.Wish(name, "住民記録", max(quota, GIB), 30, 26)
        with self.database.transaction(tenant=tenant) as session:
            row = repositories.create(session, self.staff(tenant), wish, self.clock.now())
            row.quota = quota
        return row

    def machine(self, repository: RepositoryRow, mode: Mode = "append") -> Machine:
        """A key of `mode` for `repository`, as a machine holds it."""
        tenant = repository.tenant_id
        token = self.tokens.make(tenant, "機械", scope_of(mode), 90, "staff")
        with self.database.transaction(tenant=tenant) as session:
            repositories.add_key(session, self.staff(tenant), repository.id, token, mode, "機械", self.clock.now())
        return Machine(self.url, token.secret, token.id, repository, self.folder, tenant)

    def fresh(self, repository: RepositoryRow) -> RepositoryRow:
        with self.database.reading(tenant=repository.tenant_id) as session:
            return session.get_one(RepositoryRow, (repository.tenant_id, repository.id))


@contextlib.contextmanager
def open_cloud(database: Database, folder: Path) -> Iterator[Cloud]:
    issuers, clock = Issuers("backup", "tenants"), FixedClock(NOW)
    keys.ensure(folder / "keys", ["backup"])
    settings = Settings(data_dir=folder / "data", keys_dir=folder / "keys", sample=False)
    service = make_service("backup", database, folder, settings=settings, issuers=issuers, clock=clock)
    furnish(service)
    tokens = FakeTokens(clock)
    places = held(service)
    service.extras["backup"] = Held(places.first, places.second, tokens, places.vault_key)
    app = create_app(service)
    with serving(Door(app, issuers, tokens)) as url:
        made = Cloud(service, url, issuers, tokens, folder, app, clock)
        made.open_room(HOME)
        made.open_room(OTHER)
        yield made


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """`app` on a free loopback port, for as long as the block runs."""
    port = processes.free_port()
    unneeded: dict[str, Any] = dict.fromkeys(("access_log", "proxy_headers", "server_header", "date_header"), False)
    server = uvicorn.Server(uvicorn.Config(app, http=Protocol, port=port, log_config=None, lifespan="off", **unneeded))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def open_files(process: int | str = "self") -> list[str]:
    """What the process has open, also where the file has been deleted since."""
    found = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(link.readlink()))
    return found


def open_uploads() -> list[str]:
    """Files of uploads that this process, which is the server too, still has open."""
    return [path for path in open_files() if "/uploads/" in path]


def named(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fill(folder: Path, *, files: int = 40, seed: int = 1) -> dict[str, str]:
    """Some data worth keeping: text, random bytes, empty and Japanese names. Returns path → SHA-256."""
    import random

    rng = random.Random(seed)
    made = {}
    for number in range(files):
        path = folder / f"課{number % 5}" / f"台帳{number}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = rng.randbytes(number * 7_000) if number % 3 else (f"行{number}\n" * number * 50).encode()
        path.write_bytes(content)
        made[str(path.relative_to(folder))] = named(content)
    return made


def hashes(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): named(p.read_bytes()) for p in folder.rglob("*") if p.is_file()}


def restored(target: Path, original: Path) -> dict[str, str]:
    """What a restore into `target` brought back of `original`."""
    return hashes(target / original.relative_to("/"))
