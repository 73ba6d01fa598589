"""For the whole test run: examples take as long as they take; what was made on the test servers goes away at the end; and a
browser's event loop is the browser's."""

import asyncio
import gc
import os
from collections.abc import Generator, Iterator

import hypothesis
import pytest
from anyio.from_thread import start_blocking_portal
from fastapi.testclient import TestClient

from libs.common.testing.database import drop_postgres_templates

# No time limit in a test: a machine with other work would fail what is right.
hypothesis.settings.register_profile("kyodo", deadline=None)
hypothesis.settings.load_profile("kyodo")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is marked `any_store` is shown well enough by one store: on PostgreSQL, too, with `make slow`."""
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if parameters.get("database") == "postgresql" and item.get_closest_marker("any_store"):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Once a test opened a page, playwright keeps a loop running in this thread. A test that opens none has a thread without one."""
    loop = asyncio._get_running_loop()
    if loop is None or "browser" in getattr(item, "fixturenames", ()):
        return (yield)
    asyncio._set_running_loop(None)
    try:
        return (yield)
    finally:
        asyncio._set_running_loop(loop)


@pytest.fixture(scope="session", autouse=True)
def one_loop() -> Iterator[None]:
    """Requests to an app in this process run in one event loop, as a server has. A TestClient left alone makes a loop, its thread
    and a thread for the endpoint for every request."""
    with start_blocking_portal() as portal:
        TestClient.portal = portal
        os.register_at_fork(after_in_child=_own_loops)  # the thread of the one stays with the parent
        yield
        _own_loops()
        portal.call(portal.stop, True)  # an answer that a test left open must not keep the run from ending


def _own_loops() -> None:
    TestClient.portal = None


def pytest_collection_finish() -> None:
    """Modules and collected tests live as long as the run: the collector of garbage need not walk them again and again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    drop_postgres_templates()
