"""Bodies pass piece by piece: nothing is buffered, limits hold while bytes arrive, a slow reader slows the writer."""

import hashlib
import os
import re
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from gateway.tests.conftest import CODE, Running, running, until

MB = 1_000_000
BLOCK = os.urandom(MB)


def blocks(count: int):
    for _ in range(count):
        yield BLOCK


def memory(cloud: Running) -> int:
    return psutil.Process(cloud.gateway.pid).memory_info().rss


def test_an_upload_of_100_mb_passes_unchanged_with_flat_memory(cloud: Running) -> None:
    client = cloud.client()
    client.put(f"/t/{CODE}/backup/warm", content=blocks(20))
    cloud.forget_seen()
    before = memory(cloud)
    peak = before

    def watched():
        nonlocal peak
        for block in blocks(100):
            yield block
            peak = max(peak, memory(cloud))

    answer = client.put(f"/t/{CODE}/backup/a", content=watched())
    assert answer.status_code == 200
    seen = cloud.seen()[0]
    assert (seen["size"], seen["whole"]) == (100 * MB, True)
    sha = hashlib.sha256()
    for block in blocks(100):
        sha.update(block)
    assert seen["sha256"] == sha.hexdigest()
    assert peak - before < 30 * MB


def test_an_upload_that_its_service_takes_slowly_waits_with_its_sender(cloud: Running) -> None:
    """What the service has not taken yet must not gather here: neither what the client sent (its reading pauses) nor what waits to be
    written to the service (`Connection.drained`)."""
    cloud.client().put(f"/t/{CODE}/backup/warm", content=blocks(20))
    before = most = memory(cloud)
    sent, end = 0, time.monotonic() + 3
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        head = f"PUT /t/{CODE}/backup/a?slowly=0.5 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {300 * MB}\r\n\r\n"
        client.sendall(head.encode())
        client.settimeout(0.2)
        while time.monotonic() < end and sent < 290 * MB:
            with suppress(TimeoutError):
                sent += client.send(BLOCK)
            most = max(most, memory(cloud))
    assert sent > MB, "it began"
    assert sent < 100 * MB, "the sender waits"
    assert most - before < 15 * MB


def test_a_download_of_100_mb_to_a_slow_reader_keeps_memory_flat(cloud: Running) -> None:
    client = cloud.client()
    client.get(f"/t/{CODE}/backup/a?do=stream&bytes={20 * MB}")
    before = memory(cloud)
    peak, size = before, 0
    with client.stream("GET", f"/t/{CODE}/backup/a?do=stream&bytes={100 * MB}") as answer:
        assert answer.headers["content-length"] == str(100 * MB)
        for number, chunk in enumerate(answer.iter_raw(MB)):
            size += len(chunk)
            if number < 5:
                time.sleep(0.3)  # the service could send it all meanwhile
                peak = max(peak, memory(cloud))
    assert size == 100 * MB
    assert peak - before < 30 * MB


def test_too_large_is_refused_before_anything_is_sent_when_the_length_is_known(cloud: Running) -> None:
    cloud.forget_seen()
    answer = cloud.client().post(f"/t/{CODE}/eapply/a", content=b"x" * (25 * MB + 1))
    assert answer.status_code == 413
    assert answer.json()["limit"] == 25 * MB
    assert "25MB" in answer.json()["detail"]
    assert not cloud.seen()


def test_too_large_is_refused_while_it_arrives_when_the_length_is_not_known(cloud: Running) -> None:
    cloud.forget_seen()
    page = cloud.client().post(f"/t/{CODE}/eapply/a", content=blocks(30), headers={"accept": "text/html"})
    assert page.status_code == 413
    assert "25MB" in page.text
    seen = until(cloud.seen)
    assert seen[0]["whole"] is False, "the service must see that the body broke off"
    assert cloud.client().post(f"/t/{CODE}/eapply/a", content=blocks(24)).status_code == 200


def test_the_client_is_asked_for_its_body_only_when_it_is_wanted(cloud: Running) -> None:
    """Expect: 100-continue (RFC 9110, 10.1.1): a refusal comes instead of the invitation."""

    def ask(length: int) -> bytes:
        with socket.create_connection(("127.0.0.1", cloud.port)) as client:
            client.settimeout(5)
            client.sendall(
                f"POST /t/{CODE}/eapply/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n"
                "Expect: 100-continue\r\n\r\n".encode()
            )
            return client.recv(100)

    assert ask(100 * MB).startswith(b"HTTP/1.1 413")
    assert ask(5).startswith(b"HTTP/1.1 100")


def test_a_service_may_answer_before_the_body_has_ended(cloud: Running) -> None:
    answer = cloud.client().post(f"/t/{CODE}/eapply/a?do=early", content=blocks(5))
    assert (answer.status_code, answer.content) == (409, b"early")


def test_what_breaks_in_the_middle_looks_broken_to_the_client(cloud: Running) -> None:
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        client.settimeout(10)
        client.sendall(f"GET /t/{CODE}/eapply/a?do=close-in-middle HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        received = b""
        while piece := client.recv(65536):
            received += piece
    assert re.search(rb"content-length: 1000", received)
    assert received.endswith(b"x" * 100), "the connection ended after what there was"


READERS = 50
HELD = 128 * 1024
"""Bytes of resident memory that one slow reader may cost. Of the answer 48 KiB wait at most (upstream/connection.py · READ_AT_FIRST); the
rest is what two connections and a request are."""


@pytest.mark.slow
def test_fifty_slow_readers_cost_little_each(tmp_path: Path) -> None:
    """64 kB a second of 100 MB; in a gateway of their own, whose heap holds no room that others have left."""
    with running(tmp_path, TENANT_SHARE="1", LIMITS="{}") as cloud, ExitStack() as stack:
        cloud.client().get(f"/t/{CODE}/backup/a?do=stream&bytes={20 * MB}")
        before = most = memory(cloud)
        readers = [stack.enter_context(socket.create_connection(("127.0.0.1", cloud.port))) for _ in range(READERS)]
        for each in readers:
            each.sendall(
                f"GET /t/{CODE}/backup/a?do=stream&bytes={100 * MB} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
            )
        for _ in range(6):
            assert all(each.recv(64_000) for each in readers), "all of them are served"
            most = max(most, memory(cloud))
            time.sleep(0.7)
    assert most - before < READERS * HELD
