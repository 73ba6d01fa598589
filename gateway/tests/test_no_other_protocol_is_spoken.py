"""Somebody asks to go on in another protocol: WebSocket is refused in words, what else is offered is not taken up (RFC 9110, 7.8)."""

import json
import socket

from gateway.tests.conftest import CODE, Running

HANDSHAKE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
H2C = "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"


def test_a_websocket_is_refused_and_no_service_works_for_it(cloud: Running) -> None:
    cloud.forget_seen()
    top, body = _exchange(cloud, HANDSHAKE)
    assert top.startswith("HTTP/1.1 501 ")
    assert "content-type: application/problem+json" in top
    said = json.loads(body)
    assert said["code"] == "websocket-not-offered"
    assert "WebSocket" in said["title"] + said.get("detail", "")
    assert cloud.seen() == []


def test_http_2_in_the_clear_is_not_taken_up_and_the_page_comes_all_the_same(cloud: Running) -> None:
    cloud.forget_seen()
    top, body = _exchange(cloud, H2C)
    assert top.startswith("HTTP/1.1 200 ")
    assert json.loads(body)["path"] == f"/t/{CODE}/eapply/"
    names = {name for name, _ in cloud.seen()[0]["headers"]}
    assert not names & {"upgrade", "http2-settings"}, "nothing of it reaches the service"


def test_what_follows_on_such_a_connection_is_not_misunderstood(cloud: Running) -> None:
    """Two requests on one connection, the first offering HTTP/2: the second is answered, or the connection ends; never half of either."""
    path = f"/t/{CODE}/eapply/"
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        client.settimeout(10)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{H2C}\r\n".encode())
        first = _read(client)
        client.sendall(f"GET {path}?second HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        second = _read(client)
    assert first[0].startswith("HTTP/1.1 200 ")
    assert second[0] == "" or second[0].startswith("HTTP/1.1 200 "), second[0]


def _exchange(cloud: Running, more: str) -> tuple[str, str]:
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        client.settimeout(10)
        client.sendall(f"GET /t/{CODE}/eapply/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n".encode())
        return _read(client)


def _read(client: socket.socket) -> tuple[str, str]:
    """Head and body of one answer; two empty texts if the line has ended."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = client.recv(65536)
        if not piece:
            return received.decode(), ""
        received += piece
    top, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in top.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += client.recv(65536)
    return top.decode(), body.decode()
