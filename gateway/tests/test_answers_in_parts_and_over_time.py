"""Parts of a file, answers nobody needs again, and answers that go on: they pass the door as the service gives them."""

import os
import re
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from gateway.tests.conftest import CODE, Running, running, until

POOL = 4
CONTENT = os.urandom(3_000_000)
FILE = f"/t/{CODE}/eapply/plan.pdf?do=file"
EVENTS = f"/t/{CODE}/eapply/live?do=events"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("parts")
    (folder / "files").mkdir()
    (folder / "files" / "plan.pdf").write_bytes(CONTENT)
    with running(folder, UPSTREAM_POOL=str(POOL), TENANT_SHARE="1") as made:
        yield made


def test_a_part_of_a_file_is_answered_with_that_part(cloud: Running) -> None:
    client = cloud.client()
    for asked, begin, end in (("bytes=0-99", 0, 100), ("bytes=2999990-", 2_999_990, None), ("bytes=-10", -10, None)):
        answer = client.get(FILE, headers={"range": asked})
        assert answer.status_code == 206
        assert answer.content == CONTENT[begin:end]
        assert re.fullmatch(r"bytes [0-9]+-[0-9]+/3000000", answer.headers["content-range"])
    assert client.get(FILE).headers["accept-ranges"] == "bytes"


def test_several_parts_come_with_their_borders(cloud: Running) -> None:
    answer = cloud.client().get(FILE, headers={"range": "bytes=0-9,100-109"})
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")
    assert CONTENT[:10] in answer.content and CONTENT[100:110] in answer.content


def test_a_part_that_does_not_exist_is_refused_with_the_length_there_is(cloud: Running) -> None:
    answer = cloud.client().get(FILE, headers={"range": "bytes=9000000-"})
    assert answer.status_code == 416
    assert "3000000" in answer.headers["content-range"]


def test_a_broken_off_download_goes_on_where_it_stopped_only_if_the_file_is_the_same(cloud: Running) -> None:
    client = cloud.client()
    etag = client.get(FILE).headers["etag"]
    rest = client.get(FILE, headers={"range": "bytes=1000000-", "if-range": etag})
    assert (rest.status_code, rest.content) == (206, CONTENT[1_000_000:])
    anew = client.get(FILE, headers={"range": "bytes=1000000-", "if-range": '"another"'})
    assert (anew.status_code, anew.content) == (200, CONTENT)


def test_what_the_browser_has_already_is_not_sent_again(cloud: Running) -> None:
    client = cloud.client()
    etag = client.get(FILE).headers["etag"]
    for _ in range(3):  # and the connection to the service goes on after each
        answer = client.get(FILE, headers={"if-none-match": etag})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
        assert "content-length" not in answer.headers and "transfer-encoding" not in answer.headers
    assert client.get(FILE, headers={"if-none-match": '"another"'}).content == CONTENT


def test_the_length_of_a_file_is_told_without_the_file(cloud: Running) -> None:
    answer = cloud.client().head(FILE)
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "3000000", b"")


def test_an_unchanged_answer_that_names_a_length_is_over_all_the_same(cloud: Running) -> None:
    """RFC 9110, 8.6: Content-Length on a 304 is that of the answer that was not sent. Nobody waits for those bytes."""
    client = cloud.client()
    answer = client.get(f"/t/{CODE}/eapply/a?do=unchanged", headers={"if-none-match": '"kept"'})
    assert (answer.status_code, answer.headers["etag"], answer.content) == (304, '"kept"', b"")
    assert client.get(f"/t/{CODE}/eapply/").status_code == 200


def test_events_arrive_while_the_service_goes_on_and_end_when_the_reader_leaves(cloud: Running) -> None:
    cloud.forget_seen()
    with cloud.client().stream("GET", EVENTS, headers={"accept": "text/event-stream", "last-event-id": "0"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-length" not in answer.headers
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-accel-buffering"] == "no", "an nginx in front keeps nothing back either"
        pieces = answer.iter_raw()
        assert next(pieces) == b"id: 1\ndata: first\n\n"
        # The service may note it a moment after its bytes have come: it is asked for until it is there.
        assert until(lambda: [line for line in cloud.seen() if "said" in line] == [{"said": 1}]), (
            "the service has not gone on yet"
        )
        (cloud.folder / "go").touch()
        assert next(pieces) == b"id: 2\ndata: second\n\n"
        assert {"said": 2, "last": "0"} in cloud.seen()
        assert until(lambda: hanging(cloud) == 1)
    assert until(lambda: hanging(cloud) == 0), "the service was let go"


def hanging(cloud: Running) -> int | None:
    """How many answers of the service go on just now."""
    return next((line["hanging"] for line in reversed(cloud.seen()) if "hanging" in line), None)


def test_a_thousand_clients_that_leave_take_no_connection_with_them(cloud: Running) -> None:
    """The trap of streaming proxies: a client that resets before the answer begins leaks the service's connection. Here nothing else ends
    what hangs: the door's patience is a minute."""
    cloud.forget_seen()

    def leave(number: int) -> None:
        with socket.create_connection(("127.0.0.1", cloud.port)) as client:
            do = ("hang", "trickle", "stream&bytes=5000000", "echo")[number % 4]
            request = f"GET /t/{CODE}/eapply/a?do={do} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            client.sendall(request.encode())
            time.sleep(0.002 * (number % 5))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(leave, range(1000)))
    fresh = cloud.client()
    assert until(lambda: fresh.get(f"/t/{CODE}/eapply/").status_code == 200, 40)
    with ThreadPoolExecutor(POOL) as threads:  # every place of the pool works
        paths = [f"/t/{CODE}/eapply/?slowly=0.2"] * POOL
        assert [a.status_code for a in threads.map(cloud.client().get, paths)] == [200] * POOL
    hanging = [line["hanging"] for line in cloud.seen() if "hanging" in line]
    assert hanging and until(lambda: [line["hanging"] for line in cloud.seen() if "hanging" in line][-1] == 0)


@pytest.mark.slow
def test_a_stream_that_falls_silent_for_too_long_looks_broken(tmp_path: Path) -> None:
    with running(tmp_path, UPSTREAM_IDLE_SECONDS="1.0") as made, made.client().stream("GET", EVENTS) as answer:
        pieces = answer.iter_raw()
        assert next(pieces).startswith(b"id: 1")
        with pytest.raises(httpx.RemoteProtocolError):
            next(pieces)
        (made.folder / "go").touch()  # or the service waits for it to its end
        assert until(lambda: hanging(made) == 0), "the service was let go"
