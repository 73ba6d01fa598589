"""Services refuse, hang, reset; clients go away. Nothing is sent twice, nothing leaks, everybody is told."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from gateway.tests.conftest import CODE, Running, running, stop, until
from gateway.upstream import HttpUpstreams, UpstreamBroken

POOL = 4


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A small pool and little patience; one service is not there at all."""
    wishes = {
        "TENANT_SHARE": "1",
        "UPSTREAM_POOL": str(POOL),
        "UPSTREAM_FIRST_BYTE_SECONDS": "1.0",
        "UPSTREAM_IDLE_SECONDS": "1.0",
    }
    with running(tmp_path_factory.mktemp("faults"), absent=["ebid"], **wishes) as made:
        yield made


def test_a_service_that_is_not_there(cloud: Running) -> None:
    answer = cloud.client().post(f"/t/{CODE}/ebid/a", content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (502, "service-away")
    assert "送られていません" in answer.json()["kept"]
    page = cloud.client().get(f"/t/{CODE}/ebid/", headers={"accept": "text/html"})
    assert page.status_code == 502
    assert "いま、このページにつながりません" in page.text
    assert page.headers["retry-after"] == "10"


def test_a_service_that_hangs(cloud: Running) -> None:
    answer = cloud.client().get(f"/t/{CODE}/eapply/a?do=hang")
    assert (answer.status_code, answer.json()["code"]) == (504, "service-late")
    assert until(lambda: cloud.seen()[-1].get("hanging") == 0), "the service was let go"


def test_a_service_that_stops_in_the_middle_of_its_answer(cloud: Running) -> None:
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        client.settimeout(10)
        client.sendall(f"GET /t/{CODE}/eapply/a?do=trickle HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        received = b""
        while piece := client.recv(65536):
            received += piece
    assert b"200 OK" in received and not received.endswith(b"0\r\n\r\n"), "the end of the body was never said"


def test_a_service_that_resets_in_the_middle_of_its_answer(cloud: Running) -> None:
    """Said: 1,000 bytes; sent: 100, then RST. The client sees it broken, not short; the place is free and the next is whole."""
    for _ in range(POOL + 1):
        with pytest.raises(httpx.RemoteProtocolError):
            cloud.client().get(f"/t/{CODE}/eapply/a?do=close-in-middle")
    assert cloud.client().get(f"/t/{CODE}/eapply/").status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_service_that_resets_in_the_middle_of_what_it_is_sent(cloud: Running, chunked: bool) -> None:
    pieces = [b"x" * 100_000] * 50
    cloud.forget_seen()
    answer = cloud.client().post(
        f"/t/{CODE}/eapply/a?do=note-and-reset", content=iter(pieces) if chunked else b"".join(pieces)
    )
    assert (answer.status_code, answer.json()["code"]) == (502, "service-broke")
    assert len(cloud.seen()) == 1, "no POST is sent twice"
    assert cloud.client().post(f"/t/{CODE}/eapply/", content=b"next").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("body", [b"", b"abc"])
def test_what_changes_something_is_never_sent_twice(cloud: Running, method: str, body: bytes) -> None:
    client = cloud.client()
    warm_up(cloud)
    cloud.forget_seen()
    answer = client.request(method, f"/t/{CODE}/eapply/a?do=echo", content=body)
    assert answer.status_code == 200
    assert len(cloud.seen()) == 1
    cloud.forget_seen()
    answer = client.request(method, f"/t/{CODE}/eapply/a?do=note-and-reset", content=body)
    assert (answer.status_code, answer.json()["code"]) == (502, "service-broke")
    assert "確かめられませんでした" in answer.json()["kept"]
    assert len(cloud.seen()) == 1


def test_a_safe_request_is_sent_once_more_when_a_kept_connection_was_closed(cloud: Running) -> None:
    warm_up(cloud)
    cloud.forget_seen()
    answer = cloud.client().get(f"/t/{CODE}/eapply/a?do=note-and-reset")
    assert answer.status_code == 502
    assert len(cloud.seen()) == 2, "twice and no more"


def test_a_service_that_starts_again_is_found_again(cloud: Running) -> None:
    warm_up(cloud)
    stop(cloud.upstream)
    assert cloud.client().get(f"/t/{CODE}/eapply/").status_code == 502
    assert cloud.client().get("/health/ready").json()["status"] == "ok", "the last known tenants serve"
    cloud.start_upstream()
    assert cloud.client().get(f"/t/{CODE}/eapply/").status_code == 200


def test_a_client_that_leaves_in_the_middle_of_its_upload_breaks_it_for_the_service_too(cloud: Running) -> None:
    cloud.forget_seen()
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        client.sendall(
            f"POST /t/{CODE}/eapply/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n".encode() + b"x" * 500
        )
        time.sleep(0.2)
    assert until(cloud.seen)
    assert cloud.seen()[0]["whole"] is False


def test_a_client_that_stops_in_the_middle_is_told_so(cloud: Running) -> None:
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        client.settimeout(10)
        client.sendall(
            f"POST /t/{CODE}/eapply/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n".encode() + b"x" * 500
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 408")


def test_one_slow_service_does_not_take_another_with_it(cloud: Running) -> None:
    def hang(_: int) -> int:
        return cloud.client().get(f"/t/{CODE}/eapply/a?do=hang").status_code

    with ThreadPoolExecutor(POOL * 2) as threads:
        slow = [threads.submit(hang, n) for n in range(POOL * 2)]
        time.sleep(0.3)
        begun = time.monotonic()
        assert cloud.client().get(f"/t/{CODE}/backup/").status_code == 200
        quick = time.monotonic() - begun
        assert any(not one.done() for one in slow), f"answered in {quick:.2f} s while the others still waited"
        assert {one.result() for one in slow} == {504}


def warm_up(cloud: Running) -> None:
    """Leave an open connection to the service in the gateway's pool."""
    assert cloud.client().get(f"/t/{CODE}/eapply/").status_code == 200


def test_readers_that_take_nothing_do_not_keep_the_service_from_others(cloud: Running) -> None:
    """Each has one of the service's few connections. They are cut after the pause that a body may have, and their places are free."""
    head = f"GET /t/{CODE}/eapply/a?do=stream&bytes=50000000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(POOL):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
            one.connect(("127.0.0.1", cloud.port))
            one.sendall(head)
        time.sleep(0.3)
        assert until(lambda: cloud.client().get(f"/t/{CODE}/eapply/a").status_code == 200, 10)


def test_a_reader_that_takes_little_but_steadily_gets_all(cloud: Running) -> None:
    """Longer on the whole than a pause may be, by far."""
    begun, size = time.monotonic(), 0
    with cloud.client().stream("GET", f"/t/{CODE}/eapply/a?do=stream&bytes=2000000") as answer:
        for piece in answer.iter_raw(100_000):
            size += len(piece)
            time.sleep(0.15)
    assert size == 2_000_000
    assert time.monotonic() - begun > 2


@pytest.mark.parametrize(
    ("said", "body", "asked"),
    [(b"", False, 2), (b"", True, 1), (b"HTTP/1.1 200 OK\r\n", False, 1)],
    ids=["nothing came", "it had a body", "a byte came"],
)
def test_a_safe_request_is_repeated_only_before_any_byte(said: bytes, body: bool, asked: int) -> None:
    """What the service has begun to answer, or was sent a body for, it may have carried out."""
    seen = 0

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        await reader.readuntil(b"\r\n\r\n")
        seen += 1
        writer.write(said)
        await writer.drain()
        writer.close()

    async def content() -> AsyncIterator[bytes]:
        yield b"x"

    async def ask() -> None:
        server = await asyncio.start_server(broken, "127.0.0.1", 0)
        upstreams = HttpUpstreams({"eapply": [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"]})
        headers = [(b"content-length", b"1")] if body else []
        with pytest.raises(UpstreamBroken):
            await upstreams.open("eapply", "GET", b"/", headers, content() if body else None)
        await upstreams.close()
        server.close()

    asyncio.run(ask())
    assert seen == asked
