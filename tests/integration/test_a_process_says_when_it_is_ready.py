"""A rolling update asks each new process whether it does its work before it ends an old one: the answer must be true."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import nodes, processes
from infra.local.cloud import ROOT
from libs.common import keys, outbox
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.settings import Settings
from services.opendata.events import DatasetWithdrawn

SERVICE = "opendata"


class Stage:
    """One service's store and broker, and its roles as processes."""

    def __init__(self, folder: Path, broker: nodes.RabbitMQ) -> None:
        self.broker = broker
        keys.ensure(folder / "keys", [SERVICE, "gateway", "tenants"])
        base = {name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_PORT"))}
        told = {"DATA_DIR": str(folder / "data"), "KEYS_DIR": str(folder / "keys"), "BUS": "rabbitmq"}
        self.environment = base | told | {"AMQP_URL": broker.url}
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def migrate(self) -> None:
        command = [sys.executable, "-m", f"services.{SERVICE}", "migrate"]
        subprocess.run(command, env=self.environment, cwd=ROOT, check=True, capture_output=True)

    def start(self, role: str) -> str:
        """The address of what it says of itself."""
        port, people = processes.free_port(), processes.free_port()
        name = "WORK_METRICS_PORT" if role == "work" else "METRICS_PORT"
        environment = self.environment | {name: str(port), "APPS_PORT": str(people)}
        command = [sys.executable, "-m", f"services.{SERVICE}", role]
        self.running.append(processes.spawn(command, self.folder / f"{role}.log", env=environment, cwd=ROOT))
        return f"http://127.0.0.1:{people if role == 'api' else port}"

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nodes.RabbitMQ]:
    """A private one. A test that stops it starts it again. It is not killed: a broker that is killed seconds after its queues were
    made (by `migrate`) may not bring them back; that is not what is looked at here."""
    if not nodes.has_rabbitmq():
        pytest.skip("RabbitMQ's server is not installed")
    with nodes.rabbitmq(tmp_path_factory.mktemp("broker")) as node:
        yield node


@pytest.fixture
def stage(tmp_path: Path, broker: nodes.RabbitMQ) -> Iterator[Stage]:
    made = Stage(tmp_path, broker)
    try:
        yield made
    finally:
        made.stop()


def said(url: str) -> int:
    """The status; 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def figure(told: str, role: str) -> float:
    """What `/metrics` says of whether this role of this service does its work."""
    with urllib.request.urlopen(f"{told}/metrics", timeout=5) as answer:
        [line] = [line for line in answer.read().decode().splitlines() if line.startswith("role_ready{")]
    labels, value = line.rsplit(" ", 1)
    assert labels == f'role_ready{{role="{role}",service="{SERVICE}"}}'
    return float(value)


def becomes(url: str, status: int, seconds: float = 60) -> bool:
    return processes.wait_until(lambda: said(url) == status, seconds=seconds, pause=0.2)


@pytest.mark.fault
@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ["listen", "work"])
def test_who_takes_no_requests_is_ready_while_the_broker_answers_and_shows_figures_all_the_time(
    stage: Stage, role: str
) -> None:
    stage.migrate()
    stage.broker.stop()
    try:
        if role == "work":
            _something_to_send(stage)
        told = stage.start(role)
        assert becomes(f"{told}/metrics", 200)
        assert said(f"{told}/health/ready") == 503, "it does not consume, and has sent nothing"
        assert figure(told, role) == 0, "the alarm KyodoRoleIdle looks at it"
    finally:
        stage.broker.start()
    assert becomes(f"{told}/health/ready", 200)
    assert figure(told, role) == 1
    if role == "listen":
        stage.broker.stop()
        try:
            assert becomes(f"{told}/health/ready", 503), "the line is cut"
            assert said(f"{told}/metrics") == 200
        finally:
            stage.broker.start()
        assert becomes(f"{told}/health/ready", 200)


def _something_to_send(stage: Stage) -> None:
    """The relay asks for a broker only with something in its hands."""
    now = SystemClock().now()
    database = Database(Settings(data_dir=stage.folder / "data").database_url_of(SERVICE), SERVICE)
    with database.transaction(tenant="402036") as session:
        outbox.add(session, DatasetWithdrawn(dataset_id="d", datasets=0, withdrawn_at=now), subject="d", now=now)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ["api", "listen", "work"])
def test_a_new_version_waits_for_its_tables_before_it_is_ready(stage: Stage, role: str) -> None:
    told = stage.start(role)
    assert processes.wait_until(lambda: "waiting_for_migrate" in _log(stage, role), seconds=60)
    assert said(f"{told}/health/ready") != 200
    stage.migrate()
    assert becomes(f"{told}/health/ready", 200)
    assert stage.running[0].poll() is None, "it has not ended and begun again meanwhile"


def test_who_waits_for_its_tables_ends_when_it_is_told_to(stage: Stage) -> None:
    stage.start("work")
    assert processes.wait_until(lambda: "waiting_for_migrate" in _log(stage, "work"), seconds=60)
    stage.running[0].send_signal(signal.SIGTERM)
    assert stage.running[0].wait(10) == 0


def _log(stage: Stage, role: str) -> str:
    return (stage.folder / f"{role}.log").read_text("utf-8")
