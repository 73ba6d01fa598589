"""The status page of the running cloud: work that is killed, or a broker that is gone, is said within minutes, and so is its return."""

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local import cloud as clouds
from infra.local import nodes, processes
from tests.integration.test_a_function_is_switched_off import PAGE, TOWN, operator

pytestmark = [pytest.mark.fault, pytest.mark.slow]  # `make slow`
WELL, LATE = "動いています", "処理が遅れています"


@pytest.fixture
def own_cloud() -> Iterator[clouds.Running]:
    """One of our own: others' stories read the errors that a lost broker leaves in the logs as their own."""
    if not (nodes.has_postgresql() and nodes.has_rabbitmq()):
        pytest.skip("no PostgreSQL or no RabbitMQ server is installed here")
    with tempfile.TemporaryDirectory(prefix="kyodo-status-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # as root, PostgreSQL runs as another user and must be able to walk in
        with clouds.running(Path(folder), database=True, broker=True) as running:
            yield running


def said(cloud: clouds.Running) -> set[str]:
    page = httpx.get(f"{cloud.url}/status/", headers={"accept": "text/html"}, trust_env=False, timeout=60).text
    return {text for text in (WELL, LATE, "応答がありません</span>", "応答に時間がかかっています") if text in page}


def all_well(cloud: clouds.Running) -> bool:
    cloud.supervisor.look()
    return said(cloud) == {WELL}


def test_killed_work_and_a_lost_broker_are_said_and_so_is_their_return(own_cloud: clouds.Running) -> None:
    cloud = own_cloud
    boss = operator(cloud)
    assert processes.wait_until(lambda: all_well(cloud), seconds=180, pause=2), said(cloud)
    os.kill(cloud.supervisor.children["work"].process.pid, signal.SIGKILL)
    assert processes.wait_until(lambda: LATE in said(cloud), seconds=200, pause=2), "nobody works for two minutes"
    assert processes.wait_until(lambda: all_well(cloud), seconds=180, pause=2), said(cloud)
    cloud.nodes["rabbitmq"].kill()
    given = {"function": "opendata/requests", "tenant": TOWN, "reason": "検査のため"}
    assert boss.post(PAGE, data=given).status_code == 303, "what is asked for is taken without a broker"
    assert processes.wait_until(lambda: LATE in said(cloud), seconds=240, pause=2), "it waits to be sent"
    assert processes.wait_until(lambda: all_well(cloud), seconds=180, pause=2), said(cloud)
    back = re.search(rf'action="({PAGE}/{TOWN}/opendata/requests/on)"', boss.get(PAGE).text)
    assert back and boss.post(back[1], data={"reason": "検査が終わったため"}).status_code == 303
