"""What restic's protocol says about paths, ranges, listings and wrong uploads; what the peers get wrong is asserted right."""

import base64
import http.client
import os
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from infra.local.processes import wait_until
from libs.common.ranges import Span, span_of
from libs.common.server import Answer, Headers
from services.backup.api import exchange
from services.backup.api.plane import AtOnce
from services.backup.api.turns import Turns
from services.backup.domain.protocol import TYPES, V1, V2, is_repository_name, is_too_slow, target_of
from services.backup.tests.town import HOME, OTHER, Cloud, Machine, named, open_uploads

CONTENT = bytes(range(256)) * 400
NAME = named(CONTENT)


@pytest.fixture
def machine(small_cloud: Cloud) -> Machine:
    return small_cloud.machine(small_cloud.repository(), "full")


def uploads_left(cloud: Cloud) -> list[str]:
    return [path.name for path in (cloud.places.first.root / "uploads").iterdir()]


@pytest.mark.parametrize(
    "rest",
    ["..", "../x", "data/..", "data/" + "A" * 64, "data/" + "a" * 63, "data/" + "a" * 65, "data/x/y", "other/", "data",
     "config/", "config/x", "data/" + "a" * 64 + "/", "locks/\x00", "ｄata/", " data/",
     "x" * 300, "data/" + "a" * 300, "data/%61" + "a" * 61, "//data/", "data//"],
)  # fmt: skip
def test_only_the_protocol_s_own_paths_mean_something(rest: str) -> None:
    assert target_of("data/" + "a" * 64) is not None, "planted: a good path is known"
    assert target_of(rest) is None


@pytest.mark.parametrize("name", [*TYPES, "config", "", "A", "a/b", "-a", "a-", "..", "a" * 63, "日本"])
def test_a_repository_cannot_be_called_like_a_part_of_the_protocol(name: str) -> None:
    assert is_repository_name("juki-2026")
    assert not is_repository_name(name)


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [("", 10, Span(0, 10, False)), ("bytes=0-", 10, Span(0, 10, True)), ("bytes=2-5", 10, Span(2, 6, True)),
     ("bytes=5-99", 10, Span(5, 10, True)), ("bytes=-3", 10, Span(7, 10, True)), ("bytes=-99", 10, Span(0, 10, True)),
     ("bytes=10-", 10, None), ("bytes=5-4", 10, None), ("bytes=-0", 10, None), ("bytes=0-", 0, Span(0, 0, False)),
     ("bytes=1-2,4-5", 10, Span(0, 10, False)), ("lines=1-2", 10, Span(0, 10, False)), ("bytes=-", 10, Span(0, 10, False))],
)  # fmt: skip
def test_ranges_are_clipped_and_impossible_ones_refused(header: str, size: int, expected: Span | None) -> None:
    assert span_of(header, size) == expected


def test_an_object_s_life(machine: Machine) -> None:
    with machine.client as client:
        assert client.get("data/").json() == []
        assert client.post("?create=true").status_code == 200
        assert client.post("").status_code == 400
        assert client.head(f"data/{NAME}").status_code == 404
        assert client.post(f"data/{NAME}", content=CONTENT).status_code == 200
        head = client.head(f"data/{NAME}")
        assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(CONTENT)), b"")
        assert client.get(f"data/{NAME}").content == CONTENT
        part = client.get(f"data/{NAME}", headers={"range": "bytes=100000-999999"})
        assert (part.status_code, part.content) == (206, CONTENT[100000:])
        assert part.headers["content-range"] == f"bytes 100000-{len(CONTENT) - 1}/{len(CONTENT)}"
        assert int(part.headers["content-length"]) == len(CONTENT) - 100000
        assert client.get(f"data/{NAME}", headers={"range": f"bytes={len(CONTENT)}-"}).status_code == 416
        two = client.get("data/", headers={"accept": V2})
        assert (two.headers["content-type"], two.json()) == (V2, [{"name": NAME, "size": len(CONTENT)}])
        one = client.get("data/", headers={"accept": V1})
        assert (one.headers["content-type"], one.json()) == (V1, [NAME])
        assert client.delete(f"data/{NAME}").status_code == 200
        assert client.delete(f"data/{NAME}").status_code == 200, "deleted twice is deleted"
        assert client.get(f"data/{NAME}").status_code == 404
        assert client.delete("").status_code == 501
        assert client.request("PUT", f"data/{NAME}").status_code == 405


RANGES = ("bytes=0-", "bytes=5-1004", "bytes=-7", "bytes=9-9999999", "bytes=1-2,4-5", "lines=1-2")


def kept_headers(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}


def counted() -> float:
    """How many GETs were answered with something, as an operator sees it."""
    labels = {"service": "backup", "method": "GET", "route": "/t/{code}/backup/restic/…"}
    return sum(REGISTRY.get_sample_value("http_requests_total", {**labels, "status": s}) or 0 for s in ("200", "206"))


@pytest.fixture
def known(small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was admitted stays so, and an open file lies in memory, where a file system of memory cannot be asked (EOPNOTSUPP)."""
    memory: exchange.Memory = small_cloud.app.state.memory
    memory.doors.seconds = memory.readers.seconds = 60.0
    monkeypatch.setattr(os, "RWF_NOWAIT", 0)


@pytest.mark.usefixtures("known")
def test_a_part_answered_at_once_is_what_the_long_way_answers(
    small_cloud: Cloud, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once: AtOnce = small_cloud.app.at_once
    monkeypatch.setattr(at_once, "_ratio", 0.0)  # which are chosen for a span is chance
    answered: list[Answer] = []

    def watched(target: bytes, headers: Headers) -> Answer | None:
        answer = at_once(target, headers)
        answered.extend([answer] if answer else [])
        return answer

    small_cloud.app.at_once = watched
    begun = counted()
    with machine.client as client:
        assert client.post(f"data/{NAME}", content=CONTENT).status_code == 200
        assert client.get(f"data/{NAME}").content == CONTENT
        assert not answered, "the first asks who it is and opens the file"
        for number, header in enumerate(RANGES, 1):
            quick = client.get(f"data/{NAME}", headers={"range": header})
            assert len(answered) == number
            slow = client.get(f"data/{NAME}", headers=[("range", header), ("x-a", "twice"), ("x-a", "twice")])
            assert len(answered) == number, "planted: this one goes the long way"
            assert (quick.status_code, quick.content) == (slow.status_code, slow.content)
            assert kept_headers(quick) == kept_headers(slow)
            assert quick.headers["x-request-id"] != slow.headers["x-request-id"]
        assert wait_until(lambda: counted() - begun == 1 + 2 * len(RANGES), seconds=60), "each is counted"
        assert client.get(f"data/{NAME}", headers={"range": f"bytes={len(CONTENT)}-"}).status_code == 416
        assert client.get(f"data/{named(b'another')}").status_code == 404
        assert client.delete(f"data/{NAME}").status_code == 200
        assert client.get(f"data/{NAME}").status_code == 404, "deleted is gone at once"
        assert len(answered) == len(RANGES)


@pytest.mark.usefixtures("known")
def test_nobody_else_is_answered_at_once(small_cloud: Cloud, machine: Machine) -> None:
    others = [
        small_cloud.machine(small_cloud.repository("another"), "full"),
        small_cloud.machine(small_cloud.repository("theirs", OTHER), "full"),
    ]
    with machine.client as client:
        assert client.post(f"data/{NAME}", content=CONTENT).status_code == 200
        assert {client.get(f"data/{NAME}").content for _ in range(3)} == {CONTENT}
        for other in others:
            with other.client as stranger:
                assert stranger.get("data/").status_code == 200, "a good key of something else, that was just admitted"
                assert stranger.get(str(client.base_url) + f"data/{NAME}").status_code == 404
        mine = str(client.base_url) + f"data/{NAME}"
        assert client.get(mine.replace(f"/t/{HOME}/", f"/t/{OTHER}/")).status_code == 404, (
            "a good key at another's address"
        )
        assert httpx.get(mine, trust_env=False).status_code == 401


class Counting(Turns):
    """A line of a rate that tells how many bytes took their turn on it."""

    taken = 0

    async def take(self, tenant: str, size: int, *work: Any) -> Any:
        self.taken += size
        return await super().take(tenant, size, *work)


def test_what_the_line_bears_is_counted_for_small_reads_too(small_cloud: Cloud, machine: Machine) -> None:
    with machine.client as client:
        assert client.post(f"data/{NAME}", content=CONTENT).status_code == 200
        line = small_cloud.app.state.turns = Counting(1, rate=10**10)
        for _ in range(2):  # the second finds the file open and its bytes in memory
            assert client.get(f"data/{NAME}", headers={"range": "bytes=0-999"}).content == CONTENT[:1000]
        assert line.taken == 2000


def test_config_is_written_whole_and_never_overwritten(machine: Machine) -> None:
    with machine.client as client:
        assert client.head("config").status_code == 404
        assert client.post("config", content=b"one").status_code == 200
        assert client.post("config", content=b"one").status_code == 200, "the reply may have been lost"
        assert client.post("config", content=b"two").status_code == 403
        assert client.get("config", headers={"range": "bytes=0-"}).content == b"one"
        assert client.delete("config").status_code == 200
        assert client.post("config", content=b"two").status_code == 200, "init, after the old one was deleted"
        assert client.get("config").content == b"two"


@pytest.mark.parametrize("type_", TYPES)
def test_bytes_that_are_not_what_their_name_says_are_never_stored(
    small_cloud: Cloud, machine: Machine, type_: str
) -> None:
    with machine.client as client:
        assert client.post(f"{type_}/{named(b'good')}", content=b"good").status_code == 200, "planted"
        assert client.post(f"{type_}/{NAME}", content=CONTENT[:-1]).status_code == 400
        assert client.post(f"{type_}/{named(b'good')}", content=b"evil").status_code == 400
        assert client.get(f"{type_}/{named(b'good')}").content == b"good"
        assert client.get(f"{type_}/", headers={"accept": V1}).json() == [named(b"good")]
    assert uploads_left(small_cloud) == []


def test_an_upload_that_breaks_off_leaves_nothing(small_cloud: Cloud, machine: Machine) -> None:
    with machine.client as client:
        request = client.build_request("POST", f"data/{NAME}", content=CONTENT)
        connection = http.client.HTTPConnection(machine.url.removeprefix("http://"))
        connection.putrequest("POST", request.url.raw_path.decode())
        connection.putheader("Content-Length", str(len(CONTENT)))
        next(client.auth.auth_flow(request))  # adds the key
        connection.putheader("Authorization", request.headers["authorization"])
        connection.endheaders(CONTENT[: len(CONTENT) // 2])
        connection.close()
        assert client.post(f"data/{NAME}", content=CONTENT).status_code == 200, "and can be sent again"
        assert client.get("data/", headers={"accept": V1}).json() == [NAME]
    wait_for_none(small_cloud)


def raw(machine: Machine, body: bytes, headers: dict[str, str]) -> int:
    """POST data/NAME as no decent client would: these headers and bytes. The status, 0 if the client leaves before it."""
    host, port = machine.url.removeprefix("http://").split(":")
    secret = base64.b64encode(f"m:{machine.secret}".encode()).decode()
    lines = [f"POST /t/{machine.tenant}/backup/restic/{machine.repository.name}/data/{NAME} HTTP/1.1", f"Host: {host}",
             "Connection: close", f"Authorization: Basic {secret}", *(f"{n}: {v}" for n, v in headers.items())]  # fmt: skip
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        if headers.get("Content-Length", "").isdigit() and len(body) < int(headers["Content-Length"]):
            return 0
        answer = connection.recv(65536)
    return int(answer.split()[1]) if answer else 0


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [(CONTENT, {}, 400), (CONTENT[:-1], {"Content-Length": str(len(CONTENT))}, 0),
     (CONTENT, {"Content-Length": str(len(CONTENT) - 1)}, 400), (CONTENT, {"Content-Length": "-1"}, 400),
     (CONTENT, {"Content-Length": "12x"}, 400), (b"zz", {"Transfer-Encoding": "chunked"}, 400),
     ],
    ids=["no length", "too short", "too long", "negative", "no number", "broken chunks"],
)  # fmt: skip
def test_a_body_of_the_wrong_length_leaves_nothing_behind(
    small_cloud: Cloud, machine: Machine, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert raw(machine, CONTENT, {"Content-Length": str(len(CONTENT))}) == 200, "planted: the right one is kept"
    with machine.client as client:
        assert client.delete(f"data/{NAME}").status_code == 200
        assert {raw(machine, body, headers) for _ in range(5)} == {status}
        assert client.get(f"data/{NAME}").status_code == 404
    wait_for_none(small_cloud)
    assert wait_until(lambda: open_uploads() == [], seconds=30), "no descriptor is left open"


def test_who_stops_in_the_middle_or_trickles_is_let_go(
    small_cloud: Cloud, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "IDLE", 0.2)
    host, port = machine.url.removeprefix("http://").split(":")
    secret = base64.b64encode(f"m:{machine.secret}".encode()).decode()
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(
            f"POST /t/{machine.tenant}/backup/restic/juki/data/{NAME} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Basic {secret}\r\nContent-Length: 1000\r\n\r\nonly a few".encode()
        )
        connection.recv(65536)  # an answer or the end: either way it does not wait for ever
    wait_for_none(small_cloud)
    assert is_too_slow(60 * 1024, 61.0) and not is_too_slow(60 * 1024, 1.0) and not is_too_slow(10**6, 200.0)


def test_an_empty_object_is_an_object(machine: Machine) -> None:
    with machine.client as client:
        assert client.post(f"data/{named(b'')}", content=b"").status_code == 200
        assert client.head(f"data/{named(b'')}").headers["content-length"] == "0"
        for headers in ({}, {"range": "bytes=0-"}):
            answer = client.get(f"data/{named(b'')}", headers=headers)
            assert (answer.status_code, answer.content) == (200, b"")


def test_an_upload_that_breaks_off_beside_a_good_one_of_the_same_name_spoils_nothing(
    small_cloud: Cloud, machine: Machine
) -> None:
    host, port = machine.url.removeprefix("http://").split(":")
    secret = base64.b64encode(f"m:{machine.secret}".encode()).decode()
    with machine.client as client, socket.create_connection((host, int(port)), timeout=60) as half:
        half.sendall(
            f"POST /t/{machine.tenant}/backup/restic/juki/data/{NAME} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Basic {secret}\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode()
            + CONTENT[:50_000]
        )
        assert wait_until(lambda: len(uploads_left(small_cloud)) == 1, seconds=30), "planted: it has begun"
        assert client.post(f"data/{NAME}", content=CONTENT).status_code == 200
        assert client.delete(f"data/{NAME}").status_code == 200
        assert client.post(f"data/{NAME}", content=CONTENT).status_code == 200
        half.close()
        wait_for_none(small_cloud)
        assert client.get(f"data/{NAME}").content == CONTENT


def wait_for_none(cloud: Cloud) -> None:
    assert wait_until(lambda: uploads_left(cloud) == [], seconds=30), uploads_left(cloud)


def test_identical_bytes_again_are_accepted_and_counted_once(small_cloud: Cloud) -> None:
    """A lost reply must not abort an append-only backup, as it does in rest-server and rclone."""
    machine = small_cloud.machine(small_cloud.repository(), "append")
    with machine.client as client:
        for _ in range(3):
            assert client.post(f"data/{NAME}", content=CONTENT).status_code == 200
    row = small_cloud.fresh(machine.repository)
    assert (row.live, row.held) == (len(CONTENT), len(CONTENT))


def test_the_same_name_from_five_connections_at_once_is_one_object(small_cloud: Cloud, machine: Machine) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def send(_: int) -> int:
        with machine.client as client:
            return client.post(f"data/{NAME}", content=CONTENT).status_code

    with ThreadPoolExecutor(5) as pool:
        assert set(pool.map(send, range(5))) == {200}
    assert small_cloud.fresh(machine.repository).live == len(CONTENT)


def test_nothing_outside_the_store_can_be_named(small_cloud: Cloud, machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    port = machine.url.rpartition(":")[2]
    with machine.client as client:
        auth = client.build_request("GET", "config")
        next(client.auth.auth_flow(auth))
    base = f"/t/{machine.tenant}/backup/restic/{machine.repository.name}"
    for path in ("/../../../../secret", "/%2e%2e/%2e%2e/secret", "/data/..%2f..%2fsecret", "//etc/passwd", "/data/%00"):
        connection = http.client.HTTPConnection("127.0.0.1", int(port))
        connection.request("GET", base + path, headers={"Authorization": auth.headers["authorization"]})
        answer = connection.getresponse()
        assert answer.status == 404
        assert b"canary" not in answer.read()
        connection.close()
