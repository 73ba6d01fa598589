"""Outgoing HTTP to addresses that people typed: never a way into our own network (OWASP ASVS 5.0 1.3.6, API7:2023
SSRF).

`get(url)` reads one document. The name is resolved once, **every** address it has is checked, and the connection goes
to that very address: a name that answers differently a moment later (DNS rebinding) changes nothing. `Host` and the TLS
server name stay those of the URL. Redirects are followed here, each through the same checks. Nothing is taken from the
environment (no proxies, no netrc).

    page = fetch.get("https://example.org/data.csv", limit=20_000_000, content_types={"text/csv"})
    page.body, page.media_type, page.url      # url after redirects

Errors: `FetchRefused` (422, the address is not one we may ask), `FetchFailed` (503, it did not answer well in time),
`TooLarge` (413). Messages are sentences for the person who gave the address; none contains what the other side said.
"""

import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpcore
import httpx

from libs.common.errors import Invalid, TooLarge, Unavailable, say

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]

MAX_REDIRECTS = 3
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
NEVER = (
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
    ipaddress.ip_network("64:ff9b:1::/48"),  # local NAT64, RFC 8215: what is behind it is ours
    ipaddress.ip_network("fec0::/10"),  # site-local, RFC 3879
    ipaddress.ip_network("::/96"),  # IPv4-compatible, RFC 4291
)
INSIDE_NAME = re.compile(
    r"[^.]*|(?:.*\.)?(?:localhost|local|internal|intranet|lan|corp|home|private|home\.arpa)", re.IGNORECASE | re.DOTALL
)
"""A name without a dot, and the endings that no public name has (RFC 6761, 6762, 8375; ICANN on .internal, .corp, .home)."""
INSIDE = say(
    "このアドレスは庁内や機器の内部を指しています。公開されているアドレスを入力してください。"
    "庁内のシステムを使うときは、運用担当に登録（FETCH_ALLOWED）をご相談ください。"
)
ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214: the interface half of an address that carries an IPv4 address
NUMERIC_HOST = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+))*", re.IGNORECASE)


class FetchRefused(Invalid):
    """The address is not one this cloud may ask."""

    default_code = "address-refused"


class FetchFailed(Unavailable):
    """The other side did not answer, or not well, or not in time."""

    default_code = "fetch-failed"


@dataclass(frozen=True, slots=True)
class Limits:
    """`limit` bytes of body, `seconds` for everything (redirects included), `ports` besides the operator's allow
    list."""

    limit: int = 10_000_000
    seconds: float = 20.0
    content_types: frozenset[str] | None = None
    ports: frozenset[int] = frozenset({80, 443})


@dataclass(frozen=True, slots=True)
class Fetched:
    url: str
    status: int
    media_type: str
    charset: str | None
    body: bytes
    headers: Mapping[str, str] = field(repr=False)


def allow_list(text: str) -> frozenset[tuple[str, int]]:
    """An operator's setting: `"10.1.2.3:8443, data.city.internal:443"` → the addresses that may be asked although
    private."""
    pairs = (entry.strip().rpartition(":") for entry in text.split(",") if entry.strip())
    return frozenset((host.strip("[]").lower(), int(port)) for host, _, port in pairs)


def is_public(address: Address) -> bool:
    """Whether an address is reachable by everybody: not private, loopback, link-local, metadata, multicast, nor one
    that only wraps such an address (IPv4-mapped, 6to4, Teredo, NAT64, ISATAP)."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _carried(address)
        if inner is not None:
            return is_public(inner)
        if (int(address) >> 32) & 0xFFFFFFFF in ISATAP:
            return False
    if any(address.version == net.version and address in net for net in NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour:
        return address.sixtofour
    return address.teredo[1] if address.teredo else None


def system_resolve(host: str, port: int) -> list[str]:
    """Every address of `host`, as text, without a zone."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


class _Guard(httpcore.NetworkBackend):
    """Opens sockets for one fetch: resolves, checks, connects to the checked address, and keeps the deadline."""

    def __init__(self, allowed: Collection[tuple[str, int]], resolve: Resolve, deadline: float) -> None:
        self._allowed, self._resolve, self._deadline = allowed, resolve, deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        problem: Exception = httpcore.ConnectError("no address")
        for address in self._checked(host, port):
            try:
                stream = self._sockets.connect_tcp(address, port, timeout=_left(self._deadline, timeout))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
            else:
                return _Deadlined(stream, self._deadline)
        raise problem

    def _checked(self, host: str, port: int) -> list[str]:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise FetchFailed("このアドレスのサーバーが見つかりませんでした。つづりをお確かめください。") from error
        if (host.lower(), port) not in self._allowed and not all(
            is_public(ipaddress.ip_address(address)) for address in addresses
        ):
            raise FetchRefused(INSIDE)
        return addresses


class _Deadlined(httpcore.NetworkStream):
    """A stream none of whose steps outlasts the deadline: a server that drips one byte at a time gains nothing."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline, timeout))
        return _Deadlined(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float, timeout: float | None) -> float:
    """Seconds this step may take."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time for this fetch is used up")
    return left if timeout is None else min(left, timeout)


class _Transport(httpx.BaseTransport):
    """httpx over an httpcore pool whose sockets come from `_Guard`."""

    def __init__(self, guard: _Guard, tls: ssl.SSLContext) -> None:
        self._pool = httpcore.ConnectionPool(ssl_context=tls, network_backend=guard, max_connections=1, retries=0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        asked = httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream if isinstance(request.stream, Iterable) else None,
            extensions=request.extensions,
        )
        answer = self._pool.handle_request(asked)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer), extensions=dict(answer.extensions)
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def checked_url(text: str, limits: Limits, allowed: Collection[tuple[str, int]]) -> httpx.URL:
    """The URL if it may be asked at all, as far as can be said without resolving its name: so it is refused where it is typed.
    `FetchRefused` says what is wrong with it."""
    try:
        url = httpx.URL(text.strip())
        host = url.host.lower().rstrip(".")  # a name in Punycode is read only here (xn--a is none)
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchRefused(say("アドレスの書き方を確かめてください。「https://」から入力してください。")) from error
    if url.scheme not in ("http", "https") or not host:
        raise FetchRefused(say("「https://」か「http://」で始まるアドレスを入力してください。"))
    if url.userinfo:
        raise FetchRefused(say("アドレスに利用者名やパスワードを含めないでください。"))
    literal = _literal(host)
    if NUMERIC_HOST.fullmatch(host) and literal is None:
        raise FetchRefused(say("数字だけのアドレスは使えません。サーバーの名前で入力してください。"))
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    if port not in limits.ports and (url.host.lower(), port) not in allowed:
        raise FetchRefused(say("このポート番号には接続できません。番号を付けないアドレスを入力してください。"))
    inside = INSIDE_NAME.fullmatch(host) if literal is None else not is_public(literal)
    if inside and (url.host.lower(), port) not in allowed:
        raise FetchRefused(INSIDE)
    return url


def _literal(host: str) -> Address | None:
    """The address that stands where a name could."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


@contextmanager
def stream(
    url: str,
    *,
    limits: Limits | None = None,
    headers: Mapping[str, str] | None = None,
    allowed: Collection[tuple[str, int]] = (),
    resolve: Resolve = system_resolve,
    tls: ssl.SSLContext | None = None,
) -> Iterator[tuple[httpx.Response, Iterator[bytes]]]:
    """The answer and its body in pieces, capped by `limits`; for documents too large to hold in memory."""
    limits = limits or Limits()
    with client(limits, allowed, resolve, tls) as web:
        answer = _follow(web, url, limits, dict(headers or {}), allowed)
        try:
            _check_head(answer, limits)
            yield answer, _capped(answer, limits)
        finally:
            answer.close()


@contextmanager
def client(
    limits: Limits, allowed: Collection[tuple[str, int]], resolve: Resolve, tls: ssl.SSLContext | None
) -> Iterator[httpx.Client]:
    """One client for one exchange, with its deadline, also for what is not reading (libs/common/webhooks). What goes wrong on
    the way is FetchFailed."""
    with httpx.Client(
        transport=transport(limits, allowed, resolve, tls), trust_env=False, timeout=limits.seconds
    ) as web:
        try:
            yield web
        except (httpx.HTTPError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise FetchFailed("相手のサーバーから読み取れませんでした。時間をおいてお試しください。") from error


def transport(
    limits: Limits,
    allowed: Collection[tuple[str, int]],
    resolve: Resolve = system_resolve,
    tls: ssl.SSLContext | None = None,
) -> httpx.BaseTransport:
    """The sockets of one exchange, for a library that brings its own httpx client (gateway/oidc). Its clock starts now. The form of the
    address is the caller's to check (`checked_url`); `FetchRefused` and httpcore's own errors come out as they are."""
    guard = _Guard(allowed, resolve, time.monotonic() + limits.seconds)
    return _Transport(guard, tls or httpx.create_ssl_context(trust_env=False))


def _follow(
    client: httpx.Client, text: str, limits: Limits, headers: dict[str, str], allowed: Collection[tuple[str, int]]
) -> httpx.Response:
    url = checked_url(text, limits, allowed)
    for _ in range(MAX_REDIRECTS + 1):
        # Only plain bytes are asked for: a packed body could unfold far beyond the cap in one step.
        request = client.build_request("GET", url, headers={**headers, "Accept-Encoding": "identity"})
        try:
            answer = client.send(request, stream=True, follow_redirects=False)
            if not answer.has_redirect_location:
                return answer
            answer.close()
            text = str(url.join(answer.headers["location"]))
        except (httpx.InvalidURL, UnicodeError) as error:  # what the other side wrote there may be no address at all
            raise FetchRefused("転送先のアドレスの書き方が正しくありません。") from error
        target = checked_url(text, limits, allowed)
        if url.scheme == "https" and target.scheme == "http":
            raise FetchRefused("転送先が暗号化されていないアドレスでした。転送先を確かめてください。")
        if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
            headers = {}  # what was meant for one server is not told to another
        url = target
    raise FetchRefused("転送が多すぎます。最後に開くページのアドレスを入力してください。")


def _check_head(answer: httpx.Response, limits: Limits) -> None:
    if answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise FetchFailed("相手のサーバーが、頼んでいない圧縮の形で答えました。")
    if int(answer.headers.get("content-length", "0") or 0) > limits.limit:
        raise _too_large(limits)
    if answer.is_success and limits.content_types is not None and media_type(answer) not in limits.content_types:
        raise FetchRefused("このアドレスにあるものは、ここで使える種類のファイルではありません。")


def _capped(answer: httpx.Response, limits: Limits) -> Iterator[bytes]:
    size = 0
    for chunk in answer.iter_raw():
        size += len(chunk)
        if size > limits.limit:
            raise _too_large(limits)
        yield chunk


def _too_large(limits: Limits) -> TooLarge:
    sentence = say("ファイルが大きすぎます。%(most)sバイトまで読み取れます。", most=f"{limits.limit:,}")
    return TooLarge(sentence, limit=limits.limit)


def media_type(answer: httpx.Response) -> str:
    """`text/csv` of `Text/CSV; charset=utf-8`; empty when nothing was said."""
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def get(
    url: str,
    *,
    limit: int = 10_000_000,
    seconds: float = 20.0,
    content_types: Collection[str] | None = None,
    headers: Mapping[str, str] | None = None,
    allowed: Collection[tuple[str, int]] = (),
    resolve: Resolve = system_resolve,
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """The whole document. Answers of any status come back (304 for a conditional request, 404 …): the caller
    decides."""
    types = None if content_types is None else frozenset(name.lower() for name in content_types)
    limits = Limits(limit=limit, seconds=seconds, content_types=types)
    with stream(url, limits=limits, headers=headers, allowed=allowed, resolve=resolve, tls=tls) as (answer, chunks):
        body = b"".join(chunks)
        return Fetched(
            url=str(answer.request.url),
            status=answer.status_code,
            media_type=media_type(answer),
            charset=answer.charset_encoding,
            body=body,
            headers=dict(answer.headers),
        )
