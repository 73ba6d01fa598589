"""`make run`: which store and bus it takes, when it refuses, how a second start and `make stop` see the first."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import cloud, run
from infra.local.nodes import PostgreSQL, RabbitMQ

DATABASE = "postgresql://somebody@127.0.0.1:5432/postgres"
BROKER = "amqp://somebody:secret@127.0.0.1:5672//"


@pytest.mark.parametrize(
    ("environment", "installed", "expected"),
    [
        ({}, False, ("sqlite", "embedded")),
        ({}, True, ("sqlite", "private")),
        ({"BUS": "embedded"}, True, ("sqlite", "embedded")),
        ({"BUS": "rabbitmq"}, False, ("sqlite", "private")),
        ({"AMQP_URL": BROKER}, False, ("sqlite", "named")),
        ({"AMQP_URL": BROKER, "BUS": "embedded"}, True, ("sqlite", "embedded")),
        ({"DATABASE_URL": DATABASE}, False, ("named", "embedded")),
        ({"DB": "postgresql"}, False, ("private", "embedded")),
        ({"DB": "postgresql", "DATABASE_URL": DATABASE}, False, ("named", "embedded")),
        ({"DB": "sqlite", "DATABASE_URL": DATABASE}, False, ("sqlite", "embedded")),
    ],
)
def test_store_and_bus_follow_what_is_named_then_what_is_installed(
    environment: dict[str, str], installed: bool, expected: tuple[str, str]
) -> None:
    assert run.choose(environment, rabbitmq_installed=installed) == expected


@pytest.mark.parametrize("environment", [{"DB": "mysql"}, {"BUS": "kafka"}])
def test_an_unknown_store_or_bus_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(cloud.StepFailed, match="DB is sqlite or postgresql"):
        run.choose(environment, rabbitmq_installed=True)


def test_a_named_server_that_was_not_chosen_is_not_told_to_the_programs(tmp_path: Path) -> None:
    environment = {"DATABASE_URL": DATABASE, "AMQP_URL": BROKER, "HOME": "/home/somebody"}
    plan = cloud.plan(tmp_path, environment)
    told = plan.environment(environment)
    assert "DATABASE_URL" not in told
    assert "AMQP_URL" not in told
    assert told["BUS"] == "embedded"
    assert told["HOME"] == "/home/somebody"


def test_programs_are_told_where_everything_is(tmp_path: Path) -> None:
    plan = cloud.plan(tmp_path, {}, database_url=DATABASE, amqp_url=BROKER)
    told = plan.environment({})
    assert (told["DATABASE_URL"], told["AMQP_URL"], told["BUS"]) == (DATABASE, BROKER, "rabbitmq")
    upstreams = json.loads(told["UPSTREAMS"])
    assert set(upstreams) == {*cloud.SERVICES, "gateway"}
    assert upstreams["tenants"] == upstreams["eapply"] == upstreams["backup"] != upstreams["gateway"]
    assert [program.name for program in cloud.programs(plan)] == ["apps", "work", "gateway", "listen"]
    assert "listen" not in [program.name for program in cloud.programs(cloud.plan(tmp_path, {}))]


def test_a_port_that_somebody_insists_on_and_is_taken_is_an_error(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(cloud.StepFailed, match=f"port {port} is taken"):
            cloud.plan(tmp_path, {"PORT": port})


def test_a_second_start_says_where_the_first_one_runs(tmp_path: Path) -> None:
    with run.only_one(tmp_path) as state:
        state.write_text(json.dumps({"pid": os.getpid(), "url": "http://127.0.0.1:8080"}))
        with (
            pytest.raises(run.AlreadyRunning, match=r"already runs at http://127\.0\.0\.1:8080"),
            run.only_one(tmp_path),
        ):
            pass
    with run.only_one(tmp_path):  # it was given back
        pass


def test_a_start_after_a_kill_is_not_refused(tmp_path: Path) -> None:
    code = "import sys, os; from pathlib import Path; from infra.local import run\n"
    code += "with run.only_one(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, cwd=run.ROOT)
    assert killed.returncode == -9
    assert run.read_state(tmp_path)  # the dead one left its note
    with run.only_one(tmp_path):
        pass


def test_reset_deletes_only_after_a_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "VAR", tmp_path / "var")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    sample, other = tmp_path / "var" / "data" / "tenants.sqlite", tmp_path / "var" / "mine.txt"
    sample.parent.mkdir(parents=True)
    sample.touch()
    other.touch()
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert run.reset() == 1
    assert sample.exists()
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert run.reset() == 0
    assert not sample.exists()
    assert other.exists()


def test_a_private_node_keeps_its_port_between_two_starts(tmp_path: Path) -> None:
    for kind in (PostgreSQL, RabbitMQ):
        folder = tmp_path / kind.kind
        first = kind(folder)
        first._remember(port=first.port, pid=0)
        assert kind(folder).port == first.port
