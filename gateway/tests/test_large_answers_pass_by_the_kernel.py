"""A large answer goes from the service's connection to the client's without passing Python, and nobody sees a difference."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from gateway.tests.conftest import CODE, Running, until
from gateway.tests.fake_upstream import numbered

LARGE = 8_000_000


def target(**query: object) -> str:
    return f"/t/{CODE}/backup/a?do=stream&" + "&".join(f"{name}={value}" for name, value in query.items())


@contextmanager
def reading(cloud: Running, path: str) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        client.settimeout(60)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        yield client


def to_the_end(client: socket.socket) -> bytes:
    """The body of an answer that is cut."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := client.recv(1_000_000):
            received += piece
    return received.partition(b"\r\n\r\n")[2]


def open_files(cloud: Running) -> int:
    return psutil.Process(cloud.gateway.pid).num_fds()  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [LARGE, LARGE + 3, 262_144, 300_001])
def test_it_arrives_as_it_was_sent_and_both_connections_are_used_again(cloud: Running, size: int) -> None:
    client = cloud.client()
    for _ in range(3):
        answer = client.get(target(bytes=size))
        assert answer.headers["content-length"] == str(size)
        assert answer.content == numbered(0, size)
        assert client.get(f"/t/{CODE}/backup/small").json()["path"].endswith("/backup/small")


def test_two_are_read_at_once(cloud: Running) -> None:
    clients = [cloud.client() for _ in range(3)]
    with clients[0].stream("GET", target(bytes=LARGE)) as one, clients[1].stream("GET", target(bytes=LARGE)) as two:
        first, second = one.iter_raw(100_000), two.iter_raw(300_000)
        begun = next(first) + next(first)
        assert b"".join(second) == numbered(0, LARGE), "a slow one keeps nobody"
        assert clients[2].get(f"/t/{CODE}/eapply/a").status_code == 200
        assert begun + b"".join(first) == numbered(0, LARGE)


def test_a_reader_that_pauses_gets_it_whole(cloud: Running) -> None:
    with reading(cloud, target(bytes=LARGE)) as client:
        received = b""
        while len(received.partition(b"\r\n\r\n")[2]) < LARGE:
            received += client.recv(400_000)
            time.sleep(0.06)
        assert received.partition(b"\r\n\r\n")[2] == numbered(0, LARGE)


def test_what_breaks_in_the_middle_looks_broken_and_was_true_until_then(cloud: Running) -> None:
    with reading(cloud, target(bytes=LARGE, until=3_000_000)) as client:
        received = to_the_end(client)
    assert 0 < len(received) <= 3_000_000, "the connection ended"
    assert numbered(0, 3_000_000).startswith(received)


def test_a_reader_that_leaves_takes_the_service_s_work_along_and_leaves_nothing_open(cloud: Running) -> None:
    cloud.client().get(target(bytes=LARGE))
    before = open_files(cloud)
    cloud.forget_seen()
    for _ in range(3):
        with reading(cloud, target(bytes=LARGE, until=4_000_000, then="hang")) as client:
            received = client.recv(100_000)
            while len(received) < 3_900_000:
                received += client.recv(1_000_000)
            until(lambda: [each for each in cloud.seen() if each.get("hanging")])
    until(lambda: cloud.seen()[-1].get("hanging") == 0)
    until(lambda: open_files(cloud) <= before)


def test_its_bytes_are_not_looked_at(cloud: Running) -> None:
    process = psutil.Process(cloud.gateway.pid)  # type: ignore[union-attr]
    before = process.io_counters().read_chars  # type: ignore[attr-defined]  (Linux)
    assert len(cloud.client().get(target(bytes=50_000_000)).content) == 50_000_000
    assert process.io_counters().read_chars - before < 5_000_000  # type: ignore[attr-defined]
