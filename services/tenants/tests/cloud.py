"""The registry's app in one process, asked as the gateway would ask; the other processes answer from here."""

import json
from pathlib import Path
from typing import Any

import httpx
from fastapi.testclient import TestClient

from libs.common.actor import Actor
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.testing.service import NOW, Issuers, make_service
from services.tenants.api import create_app
from services.tenants.neighbours import Neighbours
from services.tenants.settings import Settings, furnish


class Others:
    """What gateway and services answer. `answers`: (method, path) → (status, JSON or text); anything else: no connection."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        known = self.answers.get((request.method, request.url.path))
        if known is None:
            raise httpx.ConnectError("nobody there", request=request)
        status, body = known
        if isinstance(body, str):
            return httpx.Response(status, text=body, headers={"content-type": "text/html; charset=utf-8"})
        return httpx.Response(status, content=json.dumps(body), headers={"content-type": "application/json"})


class Cloud:
    def __init__(self, database: Database, folder: Path, prefecture: int = 40, sample: bool = False) -> None:
        self.database = database
        self.issuers = Issuers("tenants", "eapply")
        self.clock = FixedClock(NOW)
        self.others = Others()
        settings = Settings(
            data_dir=folder,
            keys_dir=folder / "keys",
            sample=sample,
            prefecture=prefecture,
            upstreams={
                name: f"http://{name}.test" for name in ("gateway", "eapply", "backup", "ebid", "opendata", "tenants")
            },
        )
        self.service = make_service(
            "tenants", database, folder, settings=settings, issuers=self.issuers, clock=self.clock
        )
        furnish(self.service)
        self.service.extras["neighbours"] = Neighbours(self.service, httpx.MockTransport(self.others))
        self.client = TestClient(create_app(self.service), follow_redirects=False, raise_server_exceptions=False)

    def get(self, path: str, actor: Actor, *, html: bool = True, **headers: str) -> httpx.Response:
        return self.client.get(path, headers={**self.issuers.headers(actor, "tenants", html=html), **headers})

    def post(self, path: str, actor: Actor, data: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        return self.client.post(path, data=data, headers=self.issuers.headers(actor, "tenants", html=True), **more)

    def close(self) -> None:
        self.client.close()
