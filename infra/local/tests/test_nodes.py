"""Private nodes: they start, can be killed and come back with their data, and leave nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import kombu
import psycopg
import pytest

from infra.local import nodes, processes

needs_rabbitmq = pytest.mark.skipif(not nodes.has_rabbitmq(), reason="no RabbitMQ server installed")
needs_postgresql = pytest.mark.skipif(not nodes.has_postgresql(), reason="no PostgreSQL server installed")


def publish(url: str, queue: str, body: str) -> None:
    options = {"confirm_publish": True, "confirm_timeout": 10}
    with kombu.Connection(url, transport_options=options) as connection, connection.SimpleQueue(queue) as simple:
        simple.put(body)


def receive(url: str, queue: str) -> str:
    with kombu.Connection(url) as connection, connection.SimpleQueue(queue) as simple:
        message = simple.get(timeout=10)
        message.ack()
        return message.payload


@needs_rabbitmq
def test_a_private_broker_keeps_durable_messages_when_it_is_killed_and_started_again(tmp_path: Path) -> None:
    with nodes.rabbitmq(tmp_path / "mq") as node:
        publish(node.url, "kept", "before the power cut")
        node.kill()
        assert not processes.listens(node.port)
        node.start()
        assert receive(node.url, "kept") == "before the power cut"


@needs_rabbitmq
def test_two_private_brokers_do_not_see_each_other_and_leave_nothing_behind(tmp_path: Path) -> None:
    with nodes.rabbitmq(tmp_path / "one") as one, nodes.rabbitmq(tmp_path / "two") as two:
        publish(one.url, "only-in-one", "hello")
        assert "only-in-one" in one.ctl("list_queues", "name")
        assert "only-in-one" not in two.ctl("list_queues", "name")
        ports = [one.port, one.epmd_port, two.port, two.epmd_port]
        assert all(map(processes.listens, ports))
    assert not any(map(processes.listens, ports))


@needs_postgresql
def test_a_private_database_keeps_committed_rows_when_it_is_killed_and_started_again(tmp_path: Path) -> None:
    with nodes.postgresql(tmp_path / "pg", durable=True) as node:
        with psycopg.connect(node.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'before the power cut' AS word")
        node.kill()
        assert not processes.listens(node.port)
        node.start()
        with psycopg.connect(node.url) as connection:
            assert connection.execute("SELECT word FROM kept").fetchall() == [("before the power cut",)]
    assert not processes.listens(node.port)


@needs_postgresql
def test_a_private_database_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "infra.local.nodes", "postgresql", str(tmp_path / "pg")]
    root = Path(__file__).parents[3]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    try:
        assert owner.stdout
        port = int(owner.stdout.readline().rsplit(":", 1)[1].split("/")[0])
        assert processes.listens(port)
    finally:
        os.kill(owner.pid, signal.SIGKILL)
        owner.communicate()
    assert processes.wait_until(lambda: not processes.listens(port), seconds=20)


@needs_postgresql
def test_a_node_that_cannot_start_says_why(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        node = nodes.PostgreSQL(tmp_path / "pg", port=taken.getsockname()[1])
        with pytest.raises(nodes.NodeFailed, match="could not bind"):
            node.start()
