"""A gateway as it runs, in a process of its own, before a service that does what tests tell it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import commands
from gateway.settings import Settings
from gateway.tests import fake_provider
from infra.local.processes import free_port
from libs.common import keys
from libs.common.testing.browser import browser, browser_page  # noqa: F401 (fixtures, found by name)
from libs.common.testing.database import database_fixture

ROOT = Path(__file__).parents[2]
CODE, OTHER, PREFECTURE, OLD = "402036", "402044", "400009", "403059"
NEW = "402311"
PASSWORD = "tsukushi no asa wa shiroi"

database = database_fixture("gateway", "gateway")


def snapshot_document(**members: dict[str, list[str]]) -> dict[str, Any]:
    """Two towns that use the service, one that moved its code, the prefecture."""

    def tenant(ident: str, code: str, name: str, services: dict[str, Any], aliases: list[str] | None = None):
        return {
            "id": ident,
            "code": code,
            "aliases": aliases or [],
            "name": name,
            "kana": name,
            "services": services,
        }

    active = {"status": "active", "from": "2018-04-01", "until": None}
    return {
        "version": json.dumps(members),
        "prefecture": PREFECTURE,
        "tenants": [
            tenant(CODE, CODE, "見本市", {"eapply": active, "backup": active, "ebid": active}),
            tenant(OTHER, OTHER, "隣市", {"eapply": active}),
            tenant(OLD, NEW, "移った市", {"eapply": active}, [OLD]),
            tenant(PREFECTURE, PREFECTURE, "見本県", {}),
            tenant("402052", "402052", "休止市", {"eapply": {**active, "status": "suspended"}}),
            tenant("402061", "402061", "来年市", {"eapply": {**active, "status": "scheduled", "from": "2999-04-01"}}),
            tenant("402079", "402079", "未加入市", {}),
            tenant("402109", "402109", "脱退市", {"eapply": {**active, "until": "2020-04-01"}}),
        ],
        "members": members,
        "labels": {"eapply": "電子申請"},
    }


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider of identity that answers as the test says (`fake_provider.State`)."""
    with fake_provider.serving() as found:
        yield found


@dataclass
class Running:
    """The two processes, and how to talk to them."""

    folder: Path
    port: int
    internal_port: int
    upstream_port: int
    environment: dict[str, str]
    gateway: subprocess.Popen | None = None
    upstream: subprocess.Popen | None = None
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> httpx.Client:
        """A browser of its own: cookies are kept, redirects are not followed, its origin is said."""
        options.setdefault("headers", {"origin": self.url, "sec-fetch-site": "same-origin"})
        made = httpx.Client(base_url=self.url, timeout=30, trust_env=False, **options)
        self.clients.append(made)
        return made

    def seen(self) -> list[dict[str, Any]]:
        file = self.folder / "seen.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def forget_seen(self) -> None:
        (self.folder / "seen.jsonl").unlink(missing_ok=True)

    def publish(self, **members: dict[str, list[str]]) -> None:
        """Replace the registry's snapshot."""
        new = self.folder / "snapshot.new"
        new.write_text(json.dumps(snapshot_document(**members)))
        new.replace(self.folder / "snapshot.json")

    def start_upstream(self) -> None:
        command = [sys.executable, "-m", "gateway.tests.fake_upstream", str(self.upstream_port), str(self.folder)]
        self.upstream = subprocess.Popen(command, cwd=ROOT)
        wait_for_port(self.upstream_port)

    def start_gateway(self, **environment: str) -> None:
        log = (self.folder / "gateway.log").open("a")
        env = {**os.environ, **self.environment, **environment}
        self.gateway = subprocess.Popen(
            [sys.executable, "-m", "gateway", "api"], cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT
        )
        self.wait_ready()

    def wait_ready(self) -> None:
        end = time.monotonic() + 300  # a busy machine takes a minute only to import
        while time.monotonic() < end:
            assert self.gateway is not None and self.gateway.poll() is None, self.log()
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health/ready", trust_env=False).status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError("the gateway did not become ready:\n" + self.log())

    def log(self) -> str:
        return (self.folder / "gateway.log").read_text()

    def command(self, *arguments: str) -> dict[str, Any]:
        """`python -m gateway …`, its JSON."""
        env = {**os.environ, **self.environment}
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}

    def person(self, email: str, name: str = "見本 花子") -> str:
        """A person who can sign in with PASSWORD; returns the id."""
        return commands.sample_people(self.settings(), [(email, name, PASSWORD)])[0]

    def settings(self) -> Settings:
        """Those of the running process, for what a test does beside it."""
        return Settings(
            data_dir=self.folder,
            keys_dir=self.folder / "keys",
            database_url=None,
            sample=True,
            public_url=self.url,
            upstreams={},
        )

    def signed_in(self, email: str) -> httpx.Client:
        client = self.client()
        answer = client.post("/sign-in", data={"email": email, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return client

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        for process in (self.gateway, self.upstream):
            stop(process)


def stop(process: subprocess.Popen | None) -> None:
    if process is not None and process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_port(port: int) -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


def until(condition, seconds: float = 20.0):  # type: ignore[no-untyped-def]
    """The first true value of `condition()`; what it last gave, when time is up (the caller asserts)."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


def make_running(folder: Path, absent: list[str], **environment: str) -> Running:
    keys.ensure(folder / "keys", ["gateway", "tenants", "eapply"])
    port, internal_port, upstream_port = free_port(), free_port(), free_port()
    upstreams = {name: f"http://127.0.0.1:{upstream_port}" for name in ("tenants", "eapply", "backup", "opendata")}
    upstreams |= {name: f"http://127.0.0.1:{free_port()}" for name in absent}
    settings = {
        "DATA_DIR": str(folder),
        "KEYS_DIR": str(folder / "keys"),
        "DATABASE_URL": "",
        "GATEWAY_DATABASE_URL": "",
        "GATEWAY_PORT": str(port),
        "GATEWAY_INTERNAL_PORT": str(internal_port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "UPSTREAMS": json.dumps({**upstreams, "gateway": f"http://127.0.0.1:{internal_port}"}),
        "BODY_LIMITS": json.dumps({"backup": 500_000_000}),
        "SAMPLE": "1",
        "SMTP_URL": f"smtp://127.0.0.1:{free_port()}",
        "MACHINE_SCOPES": json.dumps({"eapply.read": "申請の一覧を読む"}),
        **environment,
    }
    return Running(folder, port, internal_port, upstream_port, settings)


@contextlib.contextmanager
def running(folder: Path, absent: list[str] | None = None, **environment: str) -> Iterator[Running]:
    """`absent` names services that nobody runs."""
    made = make_running(folder, absent or [], **environment)
    made.publish()
    try:
        made.command("migrate")
        made.start_upstream()
        made.start_gateway()
        yield made
    finally:
        made.stop()


@contextlib.contextmanager
def beside(one: Running) -> Iterator[Running]:
    """One more gateway before the same store; both at one public address, as behind a balancer."""
    port, internal = free_port(), free_port()
    told = {"GATEWAY_PORT": str(port), "GATEWAY_INTERNAL_PORT": str(internal), "SMTP_URL": ""}
    other = replace(
        one, port=port, internal_port=internal, environment=one.environment | told, gateway=None, clients=[]
    )
    other.start_gateway()
    try:
        yield other
    finally:
        for client in other.clients:
            client.close()
        other.gateway.terminate()  # type: ignore[union-attr]
        other.gateway.wait(30)  # type: ignore[union-attr]


@contextlib.contextmanager
def registering_provider(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Issuer and process of a real provider, which knows its clients (RFC 7591) and has its own page; its log is in `folder`."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-registration", "true"]
    with (folder / "provider.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}", process
    finally:
        stop(process)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One gateway for the tests of a file."""
    with running(tmp_path_factory.mktemp("gateway")) as made:
        yield made


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Any]:
    """A gateway in this process (`inside.Inside`), for one test."""
    from gateway.tests.inside import inside  # it takes its snapshot from here

    with inside(tmp_path) as made:
        yield made
