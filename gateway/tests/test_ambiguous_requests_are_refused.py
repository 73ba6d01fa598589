"""Requests that two readers could understand differently never get past the door (RFC 9112, 11.2; raw sockets)."""

import re
import socket
from contextlib import suppress

import pytest

from gateway import hygiene
from gateway.tests.conftest import CODE, Running, until
from gateway.tests.inside import Inside
from gateway.tests.test_an_account_moves_stops_and_closes import as_browser

HOST = b"Host: 127.0.0.1\r\n"
SECOND = b"GET /t/402036/eapply/smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /t/402036/eapply/a HTTP/1.1\r\n" + HOST
CUT = POST.replace(b"/a ", b"/cut ") + b"Transfer-Encoding: chunked\r\n\r\n"
"""The fault lies in the body: that the request began is told to the service, its end is not."""
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"


def get(target: bytes, *headers: bytes) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"".join(h + b"\r\n" for h in headers) + b"\r\n"


REFUSED = {
    "length and chunked": (POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND, 400),
    "chunked and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n" + SECOND, 400),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nabcde" + SECOND, 400),
    "two equal lengths": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde" + SECOND, 400),
    "length with a sign": (POST + b"Content-Length: +5\r\n\r\nabcde" + SECOND, 400),
    "length in hex": (POST + b"Content-Length: 0x5\r\n\r\nabcde", 400),
    "unknown coding": (POST + b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\nabcde", 400),
    "two codings": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SECOND, 400),
    "coding twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
    "space before colon": (POST + b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\nabcde", 400),
    "chunked in 1.0": (
        b"POST /t/402036/eapply/a HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunked in other words": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SECOND, 400),
    "bad chunk end": (CUT + b"5\r\nAAAAAXX2\r\n45\r\n0\r\n\r\n", 400),
    "chunk that ends with a bare line feed": (CUT + b"5\r\nabcde\n0\r\n\r\n" + SECOND, 400),
    "bare line feed in a chunk's extension": (CUT + b"5;\n\r\nabcde\r\n0\r\n\r\n" + SECOND, 400),
    "chunk's length with a sign": (CUT + b"+5\r\nabcde\r\n0\r\n\r\n" + SECOND, 400),
    "chunk's length in 0x": (CUT + b"0x5\r\nabcde\r\n0\r\n\r\n" + SECOND, 400),
    "chunk's length of 65 bits": (CUT + b"10000000000000005\r\nabcde\r\n0\r\n\r\n" + SECOND, 400),
    "another protocol, with a length": (
        POST + UPGRADE + b"Content-Length: %d\r\n\r\n" % len(SECOND) + SECOND,
        400,
    ),
    "another protocol, with chunks": (POST + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n" + SECOND, 400),
    "version 2.0": (b"GET /t/402036/eapply/a HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "version 0.9": (b"GET /t/402036/eapply/a\r\n\r\n", 505),
    "bare line feeds": (b"GET /t/402036/eapply/a HTTP/1.1\nHost: 127.0.0.1\n\n", 400),
    "folded header": (get(b"/t/402036/eapply/a", b"X-A: b\r\n X-Tenant: evil"), 400),
    "NUL in a header": (get(b"/t/402036/eapply/a", b"X-A: b\x00c"), 400),
    "two hosts": (get(b"/t/402036/eapply/a", b"Host: evil.example"), 400),
    "no host": (b"GET /t/402036/eapply/a HTTP/1.1\r\n\r\n", 400),
    "host with a path": (b"GET /t/402036/eapply/a HTTP/1.1\r\nHost: 127.0.0.1/evil\r\n\r\n", 400),
    "host of others": (b"GET /t/402036/eapply/a HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
    "two authorizations": (get(b"/t/402036/eapply/a", b"Authorization: Bearer a", b"Authorization: Bearer b"), 400),
    "absolute target": (get(b"http://evil.example/t/402036/eapply/a"), 400),
    "target of two slashes": (get(b"//evil.example/t/402036/eapply/a"), 400),
    "fragment": (get(b"/t/402036/eapply/a#b"), 400),
    "header of 100 kB": (get(b"/t/402036/eapply/a", b"X-A: " + b"a" * 100_000), 431),
    "200 headers": (get(b"/t/402036/eapply/a", *(b"X-%d: a" % n for n in range(200))), 431),
    "headers of 33 kB": (get(b"/t/402036/eapply/a", *(b"X-%d: %s" % (n, b"a" * 1000) for n in range(33))), 431),
    "target of 9 kB": (get(b"/t/402036/eapply/" + b"a" * 9000), 414),
    "encoded slash": (get(b"/t/402036/eapply%2fa"), 400),
    "encoded slash, large": (get(b"/t/402036/eapply%2Fa"), 400),
    "encoded backslash": (get(b"/t/402036/eapply/%5c..%5cinternal"), 400),
    "backslash": (get(b"/t/402036/eapply/..\\internal"), 400),
    "encoded NUL": (get(b"/t/402036/eapply/a%00.pdf"), 400),
    "encoded line feed": (get(b"/t/402036/eapply/a%0d%0aX-Evil:1"), 400),
    "dots": (get(b"/t/402036/eapply/../../internal/eapply/x"), 400),
    "encoded dots": (get(b"/t/402036/eapply/%2e%2e/%2E%2e/internal/x"), 400),
    "one dot": (get(b"/t/402036/./eapply/"), 400),
    "dots with a parameter": (get(b"/t/402036/..;/internal/x"), 400),
    "empty segment": (get(b"/t//402036/eapply/"), 400),
    "encoded twice": (get(b"/t/402036/eapply/%252e%252e/x"), 400),
    "half an escape": (get(b"/t/402036/eapply/%2"), 400),
    "no UTF-8": (get(b"/t/402036/eapply/%ff%fe"), 400),
    "overlong UTF-8": (get(b"/t/402036/eapply/%c0%ae%c0%ae/x"), 400),
    "raw bytes": (get("/t/402036/eapply/申請".encode()), 400),
    "space in the target": (get(b"/t/402036/eapply/a b"), 400),
    "unknown method": (b"TRACE /t/402036/eapply/a HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "tunnel": (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 400),
    "internal": (get(b"/internal/eapply/queues"), 404),
    "internal of the gateway": (get(b"/internal/gateway/persons"), 404),
    "internal, encoded": (get(b"/%69nternal/eapply/queues"), 404),
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_and_nothing_reaches_a_service(cloud: Running, name: str) -> None:
    cloud.forget_seen()
    request, status = REFUSED[name]
    answers = exchange(cloud.port, request)
    assert answers[:1] == [status], answers
    assert 200 not in answers
    assert not [line for line in cloud.seen() if "smuggled" in line["path"] or "internal" in line["path"]]
    # Only the one whose fault lies behind its first chunk has begun to arrive, perhaps later than its refusal.
    assert not [line for line in cloud.seen() if not line["path"].endswith("/cut")]


def test_the_same_raw_socket_does_get_through_when_the_request_is_plain(cloud: Running) -> None:
    """The table above would also be green if nothing ever got through."""
    cloud.forget_seen()
    body = POST + b"Content-Length: 5\r\n\r\nabcde"
    assert exchange(cloud.port, get(b"/t/402036/eapply/a?q=%E7%94%B3") + body) == [200, 200]
    assert [(line["method"], line["size"]) for line in cloud.seen()] == [("GET", 0), ("POST", 5)]
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
    assert exchange(cloud.port, chunked) == [200]


@pytest.mark.parametrize("body", [b"Content-Length: %d\r\n\r\n" % len(SECOND), b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_body_that_comes_after_an_offer_of_another_protocol_is_no_request(cloud: Running, body: bytes) -> None:
    """The parser skips it: a proxy in front has sent one request with a body, and here a second one would be answered."""
    cloud.forget_seen()
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        client.settimeout(10)
        client.sendall(POST + UPGRADE + body)
        answer = client.recv(65536)
        assert answer.startswith(b"HTTP/1.1 400 ") and b"upgrade-with-body" in answer
        with suppress(OSError):
            client.sendall(SECOND)
            answer += b"".join(iter(lambda: client.recv(65536), b""))
    assert b"HTTP/1.1 2" not in answer and cloud.seen() == []


def test_nobody_s_request_is_taken_for_the_rest_of_another_s(cloud: Running) -> None:
    """Promised, skipped by the parser, answered by the service before it had read on: the next request on that connection was eaten."""
    early = POST.replace(b"/a ", b"/a?do=early ") + UPGRADE + b"Content-Length: 20\r\n\r\n"
    assert exchange(cloud.port, early) == [400]
    for _ in range(3):
        assert cloud.client().get(f"/t/{CODE}/eapply/mine").status_code == 200


def test_a_body_that_is_not_as_long_as_it_was_said_to_be_never_looks_whole_to_a_service(door: Inside) -> None:
    """Whatever the parser makes of a message: the rest of a promised length would be the beginning of somebody else's request."""
    said = {"content-length": "20", "accept": "application/json"}
    answer = as_browser(door, lambda c: c.post(f"/t/{CODE}/eapply/a", content=b"abcde", headers=said), {})
    assert (answer.status_code, answer.json()["code"]) == (400, "ambiguous-length")
    assert door.upstreams.seen == []


def test_what_comes_after_a_body_is_no_header(cloud: Running) -> None:
    """A proxy in front that watches over cookies and keys has not seen it (RFC 9110, 6.5.1)."""
    cloud.forget_seen()
    trailers = b"Cookie: a=b\r\nAuthorization: Bearer x\r\nHost: evil.example\r\nIdempotency-Key: k\r\n\r\n"
    assert exchange(cloud.port, POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n" + trailers) == [200]
    [seen] = cloud.seen()
    assert (seen["size"], seen["whole"]) == (5, True)
    assert not {"cookie", "idempotency-key"} & {name for name, _ in seen["headers"]}


def test_a_refusal_is_never_a_part_of_another_answer(cloud: Running) -> None:
    """The service answers before the body has come; what is wrong with the rest of it is known when the answer is on its way."""
    head = CUT.replace(b"/cut ", b"/cut?do=stream&bytes=50000000 ")
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        client.settimeout(10)
        client.sendall(head + b"5\r\nabcde\r\n")
        received = client.recv(65536)
        assert received.startswith(b"HTTP/1.1 200 ")
        client.sendall(b"no length\r\n")
        with suppress(ConnectionResetError):
            while piece := client.recv(1 << 20):
                received = received[-200:] + piece
    assert b"400 Bad Request" not in received


@pytest.mark.parametrize("begun", [b"0\r\nX-A: ", b"5;a="])
def test_what_never_ends_after_a_body_is_cut_off(cloud: Running, begun: bytes) -> None:
    """A trailer, a chunk's extension: no byte of either is of use to anybody, and the parser keeps all of a trailer."""
    cloud.forget_seen()
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        client.settimeout(20)
        client.sendall(CUT + b"5\r\nabcde\r\n" + begun)
        assert _sent_until_cut(client, b"a" * 16_000) < 8_000_000
    assert until(cloud.seen) and not cloud.seen()[0]["whole"], "the service was told that it broke off"


@pytest.mark.parametrize(
    ("asked", "sent_on"),
    [
        (b"/%74/402036/%65apply/a", "/t/402036/eapply/a"),
        (b"/t/402036/eapply/%e7%94%b3", "/t/402036/eapply/%E7%94%B3"),
        (b"/t/402036/eapply/a%20b%22", "/t/402036/eapply/a%20b%22"),
        (b"/t/402036/eapply/~x!$&'()*+,;=:@", "/t/402036/eapply/~x!$&'()*+,;=:@"),
    ],
)
def test_what_was_decided_on_is_what_is_sent_on(cloud: Running, asked: bytes, sent_on: str) -> None:
    cloud.forget_seen()
    assert exchange(cloud.port, get(asked)) == [200]
    assert cloud.seen()[0]["raw"] == sent_on


def test_headers_that_never_end_are_cut_off(cloud: Running) -> None:
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        client.settimeout(20)
        client.sendall(b"GET /t/402036/eapply/a HTTP/1.1\r\n" + HOST)
        assert _sent_until_cut(client, b"X-A: " + b"a" * 8000 + b"\r\n") < 8_000_000


def _sent_until_cut(client: socket.socket, piece: bytes) -> int:
    """Bytes that were taken. What both ends' sockets hold by themselves is some MB, and differs by machine."""
    sent = 0
    with suppress(OSError):
        while sent < 20_000_000:
            client.sendall(piece)
            sent += len(piece)
    return sent


def test_a_refusal_has_the_headers_of_every_answer(cloud: Running) -> None:
    answer = cloud.client().get(f"/t/{CODE}/eapply/%2fx")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def exchange(port: int, request: bytes) -> list[int]:
    """The status lines that come back, until the server closes or falls silent."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(0.7)
        received = b""
        try:
            client.sendall(request)
            while piece := client.recv(65536):
                received += piece
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


@pytest.mark.parametrize(
    ("said", "version", "reason"),
    [
        ({b"content-length": b"5", b"transfer-encoding": b"chunked"}, "1.1", "ambiguous-length"),
        ({b"transfer-encoding": b"chunked"}, "1.0", "ambiguous-length"),
        ({b"transfer-encoding": b"gzip, chunked"}, "1.1", "unknown-transfer-coding"),
        ({b"content-length": b"+5"}, "1.1", "malformed-length"),
        ({b"content-length": b"5", b"transfer-encoding": b"chunked"}, "2", "http-version"),
    ],
)
def test_our_own_look_at_lengths_does_not_lean_on_the_parser(
    said: dict[bytes, bytes], version: str, reason: str
) -> None:
    """The parser in front refuses most of these itself; the next one may not."""
    with pytest.raises(hygiene.BadRequest) as refused:
        hygiene.check_headers([(b"host", b"kyodo.example"), *said.items()], version)
    assert refused.value.reason == reason
    hygiene.check_headers([(b"host", b"kyodo.example"), (b"content-length", b"5")], "1.1")
