"""Each alarm that stands for a thing out of order, in a real Prometheus that asks real processes: the thing is put out of order, the
alarm's condition comes true; it is put right by the runbook, the condition is gone.

How long a condition must hold before somebody is called (`for`) is Prometheus' own affair: infra/observe/rules_test.yaml plays it.
Alarms that count requests over hours are played there, too.
"""

import json
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from infra.local import nodes, processes
from infra.local.cloud import ROOT
from libs.common import inbox, outbox
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.inbox import InboxRow
from libs.common.settings import Settings
from services.opendata.events import DatasetWithdrawn
from tests.integration.test_a_process_says_when_it_is_ready import SERVICE, Stage, becomes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.fault,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus (Debian: prometheus) is not here"),
]
TENANT = "402036"
WAIT = 300
"""Seconds at most, on a machine that others use, too."""


class Prometheus:
    """One that loads our rules and asks the addresses it is told every five seconds."""

    def __init__(self, folder: Path) -> None:
        self._targets = folder / "targets.json"
        self._targets.write_text("[]")
        own = {"scrape_interval": "5s", "scrape_timeout": "5s", "evaluation_interval": "1s"}
        found = {"files": [str(self._targets)], "refresh_interval": "1s"}
        scraped = [{"job_name": "kyodo", "file_sd_configs": [found]}]
        config = {"global": own, "rule_files": [str(ROOT / "infra/observe/rules.yaml")], "scrape_configs": scraped}
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self.url = f"http://127.0.0.1:{processes.free_port()}"
        command = [
            shutil.which("prometheus") or "",
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
        ]
        command.append(f"--web.listen-address={self.url.removeprefix('http://')}")
        self.process = processes.spawn(command, folder / "prometheus.log", cwd=folder)

    def asks(self, *addresses: str) -> None:
        told = [{"targets": [address.removeprefix("http://") for address in addresses]}]
        beside = self._targets.with_suffix(".new")
        beside.write_text(json.dumps(told))
        beside.rename(self._targets)

    def ringing(self) -> set[str]:
        """`alert role` or `alert` of each whose condition holds now."""
        with urllib.request.urlopen(f"{self.url}/api/v1/alerts", timeout=5) as answer:
            found = json.load(answer)["data"]["alerts"]
        labels = [each["labels"] for each in found]
        return {" ".join(filter(None, [each["alertname"], each.get("role", "")])) for each in labels}

    def rings(self, alarm: str) -> bool:
        return processes.wait_until(lambda: alarm in self.ringing(), seconds=WAIT, pause=0.5)

    def is_silent(self) -> bool:
        return processes.wait_until(lambda: not self.ringing(), seconds=WAIT, pause=0.5)

    def falls_silent(self, alarm: str) -> bool:
        return processes.wait_until(lambda: alarm not in self.ringing(), seconds=WAIT, pause=0.5)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nodes.RabbitMQ]:
    if not nodes.has_rabbitmq():
        pytest.skip("RabbitMQ's server is not installed")
    with nodes.rabbitmq(tmp_path_factory.mktemp("broker")) as node:
        yield node


@contextmanager
def watched(
    folder: Path, broker: nodes.RabbitMQ, database: nodes.PostgreSQL | None = None
) -> Iterator[tuple[Stage, Prometheus, dict[str, str]]]:
    """One service's `listen` and `work`, and who watches them; the addresses of their figures by role."""
    stage, prometheus = Stage(folder, broker), Prometheus(folder)
    stage.environment |= {"DATABASE_URL": database.url} if database else {}
    try:
        stage.migrate()
        told = {role: stage.start(role) for role in ("listen", "work")}
        assert all(becomes(f"{address}/health/ready", 200, WAIT) for address in told.values())
        prometheus.asks(*told.values())
        assert becomes(f"{prometheus.url}/-/ready", 200)
        assert processes.wait_until(lambda: _asked(prometheus) == len(told), seconds=WAIT)
        assert prometheus.is_silent(), "nothing is out of order"
        yield stage, prometheus, told
    finally:
        stage.stop()
        prometheus.process.kill()
        prometheus.process.wait()


def _asked(prometheus: Prometheus) -> int:
    """How many processes have told their figures."""
    with urllib.request.urlopen(f"{prometheus.url}/api/v1/query?query=build_info", timeout=5) as answer:
        return len(json.load(answer)["data"]["result"])


def store_of(stage: Stage) -> Database:
    folders = {"data_dir": stage.folder / "data", "keys_dir": stage.folder / "keys"}
    settings = Settings(**folders, database_url=stage.environment.get("DATABASE_URL"))
    return Database(settings.database_url_of(SERVICE), SERVICE)


def test_the_broker_is_away(tmp_path: Path, broker: nodes.RabbitMQ) -> None:
    with watched(tmp_path, broker) as (stage, prometheus, _):
        broker.stop()
        try:
            past = SystemClock().now() - timedelta(minutes=5)
            with store_of(stage).transaction(tenant=TENANT) as session:
                withdrawn = DatasetWithdrawn(dataset_id="d", datasets=0, withdrawn_at=past)
                outbox.add(session, withdrawn, subject="d", now=past)
            assert prometheus.rings("KyodoRoleIdle listen")
            assert prometheus.rings("KyodoOutboxStuck")
        finally:
            broker.start()
        assert prometheus.falls_silent("KyodoOutboxStuck"), "what waited is sent by itself"
        assert prometheus.falls_silent("KyodoRoleIdle listen")
        assert prometheus.is_silent()


def test_a_role_is_gone_another_is_left_behind_and_one_has_other_settings(
    tmp_path: Path, broker: nodes.RabbitMQ
) -> None:
    with watched(tmp_path, broker) as (stage, prometheus, told):
        stage.running[0].kill()
        stage.running[0].wait()
        assert prometheus.rings("KyodoProcessMissing")
        assert prometheus.rings("KyodoRoleMissing listen"), "events wait at the broker: no figure of a queue tells it"
        prometheus.asks(told["work"])  # as where the pod itself is gone: nobody is asked any more
        assert prometheus.falls_silent("KyodoProcessMissing")
        assert "KyodoRoleMissing listen" in prometheus.ringing()
        stage.environment |= {"RELEASE": "another"}
        newer = stage.start("listen")
        stage.environment |= {"TRACE_RATIO": "0.5"}
        other = stage.start("listen")
        prometheus.asks(told["work"], newer, other)
        assert prometheus.falls_silent("KyodoRoleMissing listen")
        assert prometheus.rings("KyodoReleasesDiffer"), "work is of another release than listen"
        assert prometheus.rings("KyodoSettingsDiffer listen")


@pytest.mark.skipif(not nodes.has_postgresql(), reason="PostgreSQL's server is not installed")
def test_an_event_was_given_up_and_the_store_cannot_be_read(tmp_path: Path, broker: nodes.RabbitMQ) -> None:
    tmp_path.chmod(0o755)  # as root, PostgreSQL runs as another user and must be able to walk in
    with nodes.postgresql(tmp_path / "pg") as server, watched(tmp_path, broker, server) as (stage, prometheus, _):
        now = SystemClock().now()
        database = store_of(stage)
        unknown = {"id": "dead-1", "source": "/services/tenants", "type": "tenants.room.requested.v1"}
        with database.transaction() as session:
            session.add(
                InboxRow(
                    event_id="dead-1", source="tenants", type=unknown["type"], subject="s", tenant=None,
                    envelope=unknown, status="dead", attempts=20, received_at=now, next_at=now, error="planted",
                )
            )  # fmt: skip
        assert prometheus.rings("KyodoDeadLetters")
        with database.transaction() as session:
            inbox.skip(session, "dead-1", by="operator", because="planted", now=now)
        assert prometheus.falls_silent("KyodoDeadLetters")
        database.close()
        server.stop()
        try:
            assert prometheus.rings("KyodoStoreUnreadable")
            assert "KyodoProcessMissing" not in prometheus.ringing(), "they run, and say so"
        finally:
            server.start()
        assert prometheus.is_silent(), "nothing has to be started again"
