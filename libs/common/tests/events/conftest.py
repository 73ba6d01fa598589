"""Pairs of services on each bus and store. The broker is a private node, one per test run."""

import random
import string
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from infra.local import nodes
from libs.common.bus.topology import declare_topology
from libs.common.testing.database import database_fixture, open_database
from libs.common.tests.events.pair import Pair

PACKAGE = "libs.common.tests.events.counter"

database = database_fixture("counter", PACKAGE)
open_one = contextmanager(open_database)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nodes.RabbitMQ]:
    """A private RabbitMQ. A test that kills it starts it again."""
    if not nodes.has_rabbitmq():
        pytest.skip("RabbitMQ's server is not installed")
    with nodes.rabbitmq(tmp_path_factory.mktemp("broker")) as node:
        yield node


@contextmanager
def open_pair(
    bus: str, store: str, broker: nodes.RabbitMQ | None, folder: Path, factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Fresh databases, fresh names (so that a broker shared by tests holds nothing of another), queues declared."""
    with ExitStack() as stack:
        databases = []
        for side in ("source", "reader"):
            (folder / side).mkdir()
            databases.append(stack.enter_context(open_one(store, "counter", PACKAGE, folder / side, factory)))
        tag = "".join(random.choices(string.ascii_lowercase, k=8))
        url = broker.url if broker and bus == "rabbitmq" else None
        pair = Pair(folder, *databases, amqp_url=url, source=f"src{tag}", reader=f"rdr{tag}")
        if url:
            declare_topology(url, pair.source, [])
            declare_topology(url, pair.reader, [pair.source])
        stack.callback(pair.stop)
        yield pair


@pytest.fixture(params=["embedded-sqlite", "embedded-postgresql", "rabbitmq-sqlite", "rabbitmq-postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Every bus on every store."""
    bus, store = request.param.split("-")
    broker = request.getfixturevalue("broker") if bus == "rabbitmq" else None
    with open_pair(bus, store, broker, tmp_path, tmp_path_factory) as made:
        yield made


@pytest.fixture
def rabbit_pair(broker: nodes.RabbitMQ, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """RabbitMQ and PostgreSQL: what a data centre runs."""
    with open_pair("rabbitmq", "postgresql", broker, tmp_path, tmp_path_factory) as made:
        yield made
