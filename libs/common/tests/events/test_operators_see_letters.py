"""What an operator sees of the broker's dead and unrouted letters, and can do about them, over HTTP."""

from pathlib import Path
from typing import Any

import amqp
import pytest
from fastapi.testclient import TestClient

from infra.local import nodes
from libs.common.actor import Actor
from libs.common.bus import topology
from libs.common.db import Database
from libs.common.http import create_app
from libs.common.settings import Settings
from libs.common.testing.service import Issuers, make_service

ISSUERS = Issuers("desk", "tenants", "garden")
ORDER = {"by": "operator-1", "because": "直しました"}


def client(database: Database, folder: Path, **settings: Any) -> TestClient:
    made = Settings(data_dir=folder, keys_dir=folder / "keys", **settings)
    service = make_service("desk", database, folder, settings=made, issuers=ISSUERS)
    return TestClient(create_app(service, [], watcher="tenants"))


def headers(subject: str = "tenants") -> dict[str, str]:
    return ISSUERS.headers(Actor(kind="service", subject=subject), "desk")


@pytest.fixture
def asking(database: Database, tmp_path: Path, broker: nodes.RabbitMQ) -> TestClient:
    topology.declare_topology(broker.url, "desk", ["window"])
    with topology.opened(broker.url) as connection, connection.channel() as channel:
        channel.queue_purge("desk.dead")
        channel.queue_purge("desk.unrouted")
        channel.basic_publish(amqp.Message("{ broken", message_id="m-1"), routing_key="desk.dead")
        channel.basic_publish(amqp.Message("{}", message_id="m-2"), exchange="desk.events", routing_key="desk.x.y.v1")
        channel.queue_declare("desk.dead", passive=True)  # both are there once this is answered
    return client(database, tmp_path, bus="rabbitmq", amqp_url=broker.url)


def test_letters_are_counted_listed_and_thrown_away(asking: TestClient) -> None:
    assert asking.get("/internal/desk/letters", headers=headers()).json() == {"dead": 1, "unrouted": 1}
    (dead,) = asking.get("/internal/desk/letters/dead", headers=headers()).json()
    assert (dead["event_id"], dead["body"]) == ("m-1", "{ broken")
    (unrouted,) = asking.get("/internal/desk/letters/unrouted", headers=headers()).json()
    assert unrouted["event_id"] == "m-2"

    assert asking.post("/internal/desk/letters/dead/redrive", headers=headers(), json=ORDER).json() == {"redriven": 0}

    thrown = asking.post("/internal/desk/letters/dead/discard", headers=headers(), json=ORDER)

    assert thrown.json() == {"discarded": 1}
    assert asking.get("/internal/desk/letters/dead", headers=headers()).json() == []


def test_what_still_has_no_reader_comes_back_when_it_is_sent_again(asking: TestClient) -> None:
    sent = asking.post("/internal/desk/letters/unrouted/redrive", headers=headers(), json=ORDER)

    assert sent.json() == {"redriven": 1}
    assert asking.get("/internal/desk/letters", headers=headers()).json()["unrouted"] == 1


def test_only_the_watcher_may_look_or_touch(asking: TestClient) -> None:
    for method, path in (("GET", ""), ("GET", "/dead"), ("POST", "/dead/redrive"), ("POST", "/dead/discard")):
        answer = asking.request(method, f"/internal/desk/letters{path}", headers=headers("garden"), json=ORDER)
        assert answer.status_code == 403, path
    assert asking.get("/internal/desk/letters", headers=headers()).json()["dead"] == 1


def test_on_the_embedded_bus_there_are_none(database: Database, tmp_path: Path) -> None:
    asking = client(database, tmp_path, bus="embedded")
    assert asking.get("/internal/desk/letters", headers=headers()).json() == {"dead": 0, "unrouted": 0}
    assert asking.post("/internal/desk/letters/dead/redrive", headers=headers(), json=ORDER).status_code == 409
