"""Reading an address somebody typed: never our own network, never more than allowed, never for longer than allowed."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from libs.common import fetch
from libs.common.errors import TooLarge
from libs.common.fetch import FetchFailed, FetchRefused

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A web server on loopback. `pages`: path → what to do; `seen`: (Host, path, headers) of every request."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.pages: dict[str, Answer] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.seen.append((self.headers["Host"], self.path, dict(self.headers)))
                site.pages.get(self.path, page(b"not here", status=404))(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def page(body: bytes, status: int = 200, **headers: str) -> Answer:
    def send(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Type": "text/csv; charset=utf-8", **given}.items():
            request.send_header(name, value)
        if "Content-Length" not in given and "Transfer-Encoding" not in given:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return send


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    made.pages["/data.csv"] = page("名,値\r\n".encode())
    yield made
    made.close()


class Names:
    """A name server of the test: answers in turn, and counts how often it was asked."""

    def __init__(self, **addresses: list[str] | str) -> None:
        self._addresses = {name.replace("_", "."): value for name, value in addresses.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        found = self._addresses.get(host, host)
        turn = self.asked.count(host) - 1
        return [found] if isinstance(found, str) else [found[min(turn, len(found) - 1)]]


def allowed(site: Site, *hosts: str) -> frozenset[tuple[str, int]]:
    """The operator's list: this server may be asked under these names although it is on loopback."""
    return frozenset((host, site.port) for host in hosts)


def test_a_document_is_read_with_its_type_and_bytes(site: Site) -> None:
    names = Names(data_example="127.0.0.1")
    got = fetch.get(
        f"http://data.example:{site.port}/data.csv",
        content_types={"text/csv"},
        allowed=allowed(site, "data.example"),
        resolve=names,
    )
    assert (got.status, got.media_type, got.charset, got.body.decode()) == (200, "text/csv", "utf-8", "名,値\r\n")
    assert site.seen[0][:2] == (f"data.example:{site.port}", "/data.csv"), "Host stays the name that was typed"
    assert site.seen[0][2]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "198.18.0.1", "192.0.0.1", "192.0.2.1", "192.88.99.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "fe80::1", "fc00::1", "fd00:ec2::254",
        "fec0::1", "ff02::1", "2001:db8::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808",
        "2002:7f00:1::", "2001:0:0:0:0:0:80ff:fffe", "2606:4700::5efe:7f00:1",
    ],
)  # fmt: skip
def test_no_address_of_our_own_network_is_asked(address: str) -> None:
    assert fetch.is_public(ipaddress.ip_address("93.184.215.14")), "a public one is one"
    assert not fetch.is_public(ipaddress.ip_address(address))
    with pytest.raises(FetchRefused):
        fetch.get("http://intranet.example/", resolve=lambda _host, _port: [address])


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(address: str) -> None:
    assert fetch.is_public(ipaddress.ip_address(address))


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(FetchRefused):
        fetch.get("http://mixed.example/", resolve=lambda _host, _port: ["93.184.215.14", "10.0.0.1"])


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://127.1/", "http://0177.0.0.1/",
        "http://0/", "http://localhost/", "http://[::1]/", "http://[::ffff:7f00:1]/", "http://127.0.0.1./",
        "http://１２７.0.0.1/", "http://①②⑦.0.0.1/",
    ],
)  # fmt: skip
def test_odd_ways_to_write_loopback_are_refused(site: Site, url: str) -> None:
    with pytest.raises((FetchRefused, FetchFailed)):
        fetch.get(url)
    assert site.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "", "data.csv", "ftp://example.org/x", "file:///etc/passwd", "gopher://example.org/", "javascript:alert(1)",
        "http://user:pass@example.org/", "http://example.org:22/", "http://example.org:6379/", "https://", "http://[::1",
    ],
)  # fmt: skip
def test_addresses_of_another_form_are_refused_before_anything_is_resolved(url: str) -> None:
    names = Names()
    with pytest.raises(FetchRefused):
        fetch.get(url, resolve=names)
    assert names.asked == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "[::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "localhost", "LOCALHOST", "a.localhost", "files.local",
     "db.city.internal", "nas.lan", "router.home.arpa", "intranet", "intra.", "printer.local."],
)  # fmt: skip
def test_an_address_inside_is_refused_where_it_is_typed_unless_the_operator_allows_it(host: str) -> None:
    with pytest.raises(FetchRefused, match="庁内や機器の内部"):
        fetch.checked_url(f"https://{host}/hook", fetch.Limits(), ())
    allowed = {(host.lower().strip("[]"), 443)}
    assert fetch.checked_url(f"https://{host}/hook", fetch.Limits(), allowed).scheme == "https"


@pytest.mark.parametrize(
    "host", ["city.example.jp", "localhost.example.jp", "local.example", "8.8.8.8", "xn--wgv71a.jp"]
)
def test_a_public_name_is_taken_where_it_is_typed(host: str) -> None:
    assert fetch.checked_url(f"https://{host}/hook", fetch.Limits(), ()).host


def test_a_name_that_changes_its_address_gains_nothing(site: Site) -> None:
    """DNS rebinding: public when it is checked, loopback when it is used. It is resolved once, so there is no
    second."""
    names = Names(rebind_example=["192.0.2.7", "127.0.0.1"])
    connected: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "is_public", lambda address: str(address) != "127.0.0.1")
        patch.setattr(socket, "create_connection", lambda to, *_args, **_kwargs: connected.append(to[0]) or _refuse())
        with pytest.raises(FetchFailed):
            fetch.get("http://rebind.example/", resolve=names)
    assert names.asked == ["rebind.example"]
    assert connected == ["192.0.2.7"], "the connection goes to the very address that was checked"


def _refuse() -> None:
    raise ConnectionRefusedError


def test_a_redirect_into_our_network_is_refused(site: Site) -> None:
    site.pages["/away"] = page(b"", 302, Location="http://169.254.169.254/latest/meta-data/")
    site.pages["/near"] = page(b"", 302, Location="/data.csv")
    may = allowed(site, "127.0.0.1")
    assert fetch.get(f"http://127.0.0.1:{site.port}/near", allowed=may).body
    with pytest.raises(FetchRefused):
        fetch.get(f"http://127.0.0.1:{site.port}/away", allowed=may)


@pytest.mark.parametrize("location", ["http://xn--/", "http://xn--a/", "javascript:alert(1)", "http://[::1", "//["])
def test_a_redirect_to_no_address_at_all_is_said_and_is_no_fault_of_ours(site: Site, location: str) -> None:
    site.pages["/away"] = page(b"", 302, Location=location)
    with pytest.raises((FetchRefused, FetchFailed)):
        fetch.get(f"http://127.0.0.1:{site.port}/away", allowed=allowed(site, "127.0.0.1"))


def test_a_name_in_false_punycode_is_refused_where_it_was_typed() -> None:
    with pytest.raises(FetchRefused):
        fetch.checked_url("http://xn--a/data.csv", fetch.Limits(), ())


def test_three_redirects_are_followed_and_no_more(site: Site) -> None:
    for n in range(9):
        site.pages[f"/{n}"] = page(b"", 302, Location=f"/{n - 1}" if n else "/data.csv")
    may = allowed(site, "127.0.0.1")
    got = fetch.get(f"http://127.0.0.1:{site.port}/2", allowed=may)
    assert got.url.endswith("/data.csv")
    with pytest.raises(FetchRefused, match="転送"):
        fetch.get(f"http://127.0.0.1:{site.port}/3", allowed=may)


def test_headers_meant_for_one_server_are_not_told_to_another(site: Site) -> None:
    other = Site()
    other.pages["/data.csv"] = page(b"x")
    site.pages["/away"] = page(b"", 307, Location=f"http://127.0.0.1:{other.port}/data.csv")
    site.pages["/here"] = page(b"", 307, Location="/data.csv")
    may = allowed(site, "127.0.0.1") | allowed(other, "127.0.0.1")
    for path in ("/away", "/here"):
        fetch.get(f"http://127.0.0.1:{site.port}{path}", allowed=may, headers={"Authorization": "Bearer secret"})
    other.close()
    assert [("Authorization" in headers) for _, _, headers in site.seen] == [True, True, True]
    assert "Authorization" not in other.seen[0][2]


def test_more_bytes_than_allowed_are_refused_announced_or_not(site: Site) -> None:
    site.pages["/big"] = page(b"x" * 5000)
    site.pages["/unannounced"] = page(b"1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n", Transfer_Encoding="chunked")
    may = allowed(site, "127.0.0.1")
    assert len(fetch.get(f"http://127.0.0.1:{site.port}/big", allowed=may, limit=5000).body) == 5000
    for path in ("/big", "/unannounced"):
        with pytest.raises(TooLarge, match="4,999"):
            fetch.get(f"http://127.0.0.1:{site.port}{path}", allowed=may, limit=4999)


def test_a_packed_body_that_was_not_asked_for_is_refused(site: Site) -> None:
    site.pages["/bomb"] = page(b"\x1f\x8b", Content_Encoding="gzip")
    with pytest.raises(FetchFailed, match="圧縮"):
        fetch.get(f"http://127.0.0.1:{site.port}/bomb", allowed=allowed(site, "127.0.0.1"))


def test_another_type_than_asked_for_is_refused_but_an_error_page_is_told(site: Site) -> None:
    site.pages["/page"] = page(b"<html>", Content_Type="text/html")
    may = allowed(site, "127.0.0.1")
    with pytest.raises(FetchRefused, match="種類"):
        fetch.get(f"http://127.0.0.1:{site.port}/page", allowed=may, content_types={"text/csv"})
    assert fetch.get(f"http://127.0.0.1:{site.port}/gone", allowed=may, content_types={"text/csv"}).status == 404


def drip(request: BaseHTTPRequestHandler) -> None:
    """A body of which one byte comes every now and then, for ever."""
    request.send_response(200)
    request.send_header("Content-Type", "text/csv")
    request.end_headers()
    drip_head(request)


def drip_head(request: BaseHTTPRequestHandler) -> None:
    """For ten minutes: a test that waits for the end is ended by its timeout."""
    for _ in range(12_000):
        request.wfile.write(b"H")
        request.wfile.flush()
        time.sleep(0.05)


@pytest.mark.parametrize("slow", [drip, drip_head])
def test_a_server_that_drips_is_left_when_the_time_is_up(site: Site, slow: Answer) -> None:
    site.pages["/slow"] = slow
    with pytest.raises(FetchFailed):
        fetch.get(f"http://127.0.0.1:{site.port}/slow", allowed=allowed(site, "127.0.0.1"), seconds=0.5)


def test_a_server_that_is_away_or_breaks_off_is_said(site: Site) -> None:
    def break_off(request: BaseHTTPRequestHandler) -> None:
        page(b"half", Content_Length="1000")(request)
        request.close_connection = True

    site.pages["/half"] = break_off
    may = allowed(site, "127.0.0.1")
    with pytest.raises(FetchFailed):
        fetch.get(f"http://127.0.0.1:{site.port}/half", allowed=may)
    with pytest.raises(FetchFailed, match="つづり"):
        fetch.get("http://no-such-name.invalid/", resolve=_unknown_name)


def _unknown_name(_host: str, _port: int) -> list[str]:
    raise socket.gaierror("unknown")


def test_the_environment_has_no_say(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{site.port}")
    with pytest.raises(FetchRefused):
        fetch.get("http://intranet.example/", resolve=lambda _host, _port: ["10.0.0.1"])
    assert site.seen == []


def test_tls_is_checked_against_the_name_that_was_typed_not_the_address(tmp_path: Path) -> None:
    server_tls, client_tls = _certificate(tmp_path, "data.example")
    site = Site(server_tls)
    site.pages["/"] = page(b"ok")
    names = Names(data_example="127.0.0.1", other_example="127.0.0.1")
    may = allowed(site, "data.example", "other.example")
    got = fetch.get(f"https://data.example:{site.port}/", allowed=may, resolve=names, tls=client_tls)
    assert got.body == b"ok"
    with pytest.raises(FetchFailed):
        fetch.get(f"https://other.example:{site.port}/", allowed=may, resolve=names, tls=client_tls)
    site.pages["/down"] = page(b"", 302, Location=f"http://data.example:{site.port}/")
    with pytest.raises(FetchRefused, match="暗号"):
        fetch.get(f"https://data.example:{site.port}/down", allowed=may, resolve=names, tls=client_tls)
    site.close()


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, secret)
    return server, ssl.create_default_context(cafile=str(pem))


def test_the_operators_list_is_read() -> None:
    assert fetch.allow_list(" 10.1.2.3:8443, Data.City.Internal:443 ,[fd00::1]:80,") == {
        ("10.1.2.3", 8443), ("data.city.internal", 443), ("fd00::1", 80)
    }  # fmt: skip
    assert fetch.allow_list("") == frozenset()
