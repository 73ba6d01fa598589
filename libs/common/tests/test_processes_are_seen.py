"""Every process says which release it is and with which settings it runs; the operator's page is told of those that live."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from infra.local import processes
from libs.common import instances
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.http import create_app
from libs.common.service import Service
from libs.common.testing.service import NOW, make_service
from libs.common.tests.test_operators_see_the_work import ISSUERS, WATCHER


@pytest.fixture
def service(database: Database, tmp_path: Path) -> Service:
    return make_service("shop", database, tmp_path, clock=FixedClock(NOW), issuers=ISSUERS)


def told(service: Service) -> list[dict[str, Any]]:
    client = TestClient(create_app(service, [], watcher="tenants"))
    return client.get("/internal/shop/instances", headers=ISSUERS.headers(WATCHER, "shop")).json()


def test_a_process_is_told_of_while_it_runs_and_not_after_it_ended(service: Service) -> None:
    service.settings.release = "2026.11"
    assert told(service) == []
    with instances.announced(service, role="work"):
        assert processes.wait_until(lambda: bool(told(service)), seconds=60)
        [one] = told(service)
        assert (one["role"], one["release"], one["settings"]) == ("work", "2026.11", service.settings.fingerprint())
    assert told(service) == []


def test_one_that_was_killed_is_gone_when_it_missed_three_signs(service: Service) -> None:
    instances._Sign(service, "api").give()
    assert len(told(service)) == 1
    service.clock.advance(seconds=90)  # type: ignore[attr-defined]
    assert len(told(service)) == 1, "it may be late"
    service.clock.advance(seconds=20)  # type: ignore[attr-defined]
    assert told(service) == []
    service.clock.advance(seconds=instances.FORGOTTEN / timedelta(seconds=1))  # type: ignore[attr-defined]
    instances._Sign(service, "api").give()
    with service.database.reading() as session:
        assert len(list(session.query(instances.InstanceRow))) == 1, "the dead one's row went"


def test_a_store_that_is_away_stops_no_process(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OSError("away")

    monkeypatch.setattr(service.database, "transaction", away)
    with instances.announced(service, role="api"):
        pass


def test_only_the_operator_s_page_is_told(service: Service) -> None:
    client = TestClient(create_app(service, [], watcher="garden"))
    assert client.get("/internal/shop/instances", headers=ISSUERS.headers(WATCHER, "shop")).status_code in (403, 404)
