"""A route can demand how surely a person must have proved who they are; the refusal says what would do (RFC 9470)."""

from pathlib import Path

import pytest
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient

from libs.common import access
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.http import create_app
from libs.common.testing.service import Issuers, make_service


@pytest.mark.parametrize(
    ("acr", "status"),
    [("none", 401), ("password", 401), ("two-factor", 200), ("certificate", 200), ("key", 401), ("very strong", 401)],
)
def test_a_route_that_demands_two_factors(tmp_path: Path, acr: str, status: int) -> None:
    router = APIRouter()

    @router.get("/shop/vault")
    def vault(request: Request, actor: Actor = access.person(acr="two-factor")) -> str:
        return "open"

    issuers = Issuers("shop")
    service = make_service("shop", Database(f"sqlite:///{tmp_path / 'x.sqlite'}", "shop"), tmp_path, issuers=issuers)
    client = TestClient(create_app(service, [router], watcher="tenants"))
    answer = client.get("/shop/vault", headers=issuers.headers(Actor("person", "p-1", acr=acr), "shop"))
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"].endswith('acr_values="two-factor"')
        assert (answer.json()["code"], answer.json()["acr"]) == ("stronger-sign-in-needed", "two-factor")
