"""One whole installation in this process: all services on stores of their own, the embedded bus, HTTP between them by their real apps.

`run` goes on until nothing is left to do. As a program (`alone`) it does that in a process of its own, which is killed at a named step:
the steps exist only here, nothing in the product knows of crashes.
"""

import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi.testclient import TestClient

from libs.common import inbox, keys, relay
from libs.common.actor import Actor
from libs.common.bus.embedded import EmbeddedBus
from libs.common.clock import FixedClock
from libs.common.service import Service
from libs.common.testing.service import Issuers
from services.__main__ import DEPLOYABLES
from services.tenants.neighbours import Neighbours
from services.tenants.use_cases import registry

PREFECTURE = "400009"
OPERATOR = Actor("operator", "person-o", "運用", PREFECTURE, PREFECTURE, frozenset({"operator"}), "password", "sid-o")
NAMES = [deployable.name for deployable in DEPLOYABLES]


class Installation:
    """`folder` holds everything; the databases are migrated already. `now` is the moment at which its clock stands."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self.folder, self.clock = folder, FixedClock(now)
        keys.ensure(folder / "keys", ["gateway", *NAMES])
        self.services: dict[str, Service] = {}
        self._apps: dict[str, TestClient] = {}
        for deployable in DEPLOYABLES:
            settings = deployable.settings().model_copy(
                update={
                    "data_dir": folder,
                    "keys_dir": folder / "keys",
                    "database_url": None,
                    "upstreams": {name: f"http://{name}.test" for name in NAMES},
                    "sample": False,
                }
            )
            service = deployable.build(settings)
            service.clock = self.clock
            service.extras["neighbours"] = Neighbours(service, httpx.MockTransport(self._passed_on))
            self.services[deployable.name] = service
        self.issuers = Issuers()
        self.issuers._keys = {name: keys.private_key(folder / "keys", name) for name in ("gateway", *NAMES)}
        self.bus = EmbeddedBus([deployable.reader(self.services[deployable.name]) for deployable in DEPLOYABLES])
        self.workers = [(self.services[d.name], _worker(d.name)) for d in DEPLOYABLES]

    def load(self) -> None:
        """The register of 福岡県, and nobody in it yet."""
        with self.services["tenants"].database.transaction() as session:
            registry.load_reference(session, 40, self.clock.now())

    def app(self, name: str) -> TestClient:
        """Made when somebody first asks: most processes that are killed never come so far."""
        if name not in self._apps:
            made = next(deployable for deployable in DEPLOYABLES if deployable.name == name)
            self._apps[name] = TestClient(made.create_app(self.services[name]), follow_redirects=False)
        return self._apps[name]

    def _passed_on(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host.removesuffix(".test")
        if name not in self.services:
            raise httpx.ConnectError("nobody there", request=request)
        answer = self.app(name).request(
            request.method, request.url.raw_path.decode(), content=request.read(), headers=dict(request.headers)
        )
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def ask(self, actor: Actor, method: str, path: str, service: str = "tenants", **more: Any) -> httpx.Response:
        headers = self.issuers.headers(actor, service, html=True)
        return self.app(service).request(method, path, headers=headers, **more)

    def run(self) -> None:
        """Until nothing is left that may be done now."""
        moved = True
        while moved:
            moved = False
            for service, worker in self.workers:
                while relay.relay_once(service.database, self.bus, self.clock):
                    moved = True
                while inbox.handle_next(service.database, worker.subscriptions, self.clock):
                    moved = True
                while worker.jobs.run_next(service):
                    moved = True

    def close(self) -> None:
        for app in self._apps.values():
            app.close()
        for service in self.services.values():
            service.database.close()


def _worker(name: str) -> Any:
    return importlib.import_module(f"services.{name}.worker")


# ---- in a process of its own, killed at a step ----------------------------------------------------------------------


def arm(step: str, at: int) -> None:
    """`step` is "module:Class.function" or "module:function": the process dies after its `at`-th call, as by a power cut. One that is
    a generator dies after its `at`-th piece."""
    module_name, _, path = step.partition(":")
    holder: Any = importlib.import_module(module_name)
    *outer, name = path.split(".")
    for each in outer:
        holder = getattr(holder, each)
    setattr(holder, name, _dying(getattr(holder, name), at))


def _dying(function: Callable[..., Any], at: int) -> Callable[..., Any]:
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if not hasattr(result, "__next__"):
            count()
            return result

        def pieces() -> Any:
            while True:
                try:
                    piece = next(result)
                except StopIteration as end:
                    return end.value
                count()
                yield piece

        return pieces()

    return wrapped


def main(folder: str, now: str, step: str, at: int) -> None:
    installation = Installation(Path(folder), datetime.fromisoformat(now))
    if step:
        arm(step, at)
    installation.run()
    installation.close()


def alone(installation: Installation, step: str = "", at: int = 1) -> int | None:
    """`run` of the same stores in another process; its exit code: 0, or -9 when it was killed.

    It is a fork of this one, with its caches: a process that begins from nothing takes twenty times as long. Connections are closed
    first, since SQLite forbids to carry them into another process.
    """
    for service in installation.services.values():
        service.database.engine.dispose()
    given = (str(installation.folder), installation.clock.now().isoformat(), step, at)
    process = multiprocessing.get_context("fork").Process(target=main, args=given)
    process.start()
    process.join()
    return process.exitcode
