"""What a request must look like before anybody acts on it. Plain Python, no waiting.

The rules follow RFC 9110, RFC 9112 and RFC 3986, and the measured leniencies of the parser in front: it accepts two
Host headers, headers of any size and every trick in a path. What is refused here is refused before any decision.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

MAX_HEADER_BYTES = 32_768
"""Names and values together (answer 431)."""
MAX_HEADERS = 100
MAX_TARGET_BYTES = 8_192
"""Path and query together (answer 414)."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Headers = list[tuple[bytes, bytes]]

# A second one of these means that two readers may understand two different requests.
_ONCE = frozenset(
    b"""
    host content-length content-type transfer-encoding authorization origin expect range if-range
    idempotency-key traceparent applicant-key x-signature
    """.split()
)
_TOKENS = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:,[!#$%&'*+.^_`|~0-9A-Za-z-]+)*|")
"""Names of headers with commas between them, looked at all at once; no name has a comma of its own."""
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_HOST = re.compile(rb"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PATH = re.compile(rb"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_QUERY = re.compile(rb"[\x21\x24-\x7e]*")
_KEY = re.compile(rb"kyodo_[a-z0-9]{16}_[A-Za-z0-9-]{43}")
"""A program's key (domain.read_machine_token). In an address it would stand in histories and in everybody's logs (RFC 6750, 5.3)."""
_TWICE_ENCODED = re.compile(rb"%25[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLAIN_IN_PATH = _UNRESERVED | frozenset(b"!$&'()*+,;=:@/")
_ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}")


class BadRequest(Exception):
    """The message is not one we act on. `reason` is a stable word for logs and programs."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """One path in the one form that is decided on *and* sent on.

    `path` is decoded text; `raw` its only encoding; `segments` the parts between slashes (last "" after a final slash).
    """

    path: str
    raw: bytes
    segments: tuple[str, ...]


def check_headers(headers: Headers, http_version: str) -> None:
    """Refuse header sections that are too large, malformed or ambiguous. Names are lower case already."""
    if http_version not in ("1.1", "1.0"):
        raise BadRequest(505, "http-version")
    names = [name for name, _ in headers]
    joined, values = b",".join(names), b"".join([value for _, value in headers])
    if len(headers) > MAX_HEADERS or len(joined) + len(values) + 3 * len(headers) + 1 > MAX_HEADER_BYTES:
        raise BadRequest(431, "headers-too-large")
    if not _TOKENS.fullmatch(joined) or joined.count(b",") >= max(1, len(names)):
        raise BadRequest(400, "malformed-header")
    if not _VALUE.fullmatch(values):
        raise BadRequest(400, "malformed-header")
    seen = set(names)
    if len(seen) < len(names) and any(names.count(name) > 1 for name in seen & _ONCE):
        raise BadRequest(400, "repeated-header")
    if b"upgrade" in seen:
        _check_upgrade(headers)
    _check_host(headers, seen)
    _check_framing(dict(headers), seen, http_version)


def _check_upgrade(headers: Headers) -> None:
    if any(b"websocket" in value.lower() for name, value in headers if name == b"upgrade"):
        raise BadRequest(
            501, "websocket-not-offered"
        )  # answered as a plain request, it would do a page's work for nobody
    if has_body(headers):  # the parser skips it: it would be read as the next request
        raise BadRequest(400, "upgrade-with-body")


def _check_host(headers: Headers, seen: set[bytes]) -> None:
    if b"host" not in seen:
        raise BadRequest(400, "missing-host")
    if not _HOST.fullmatch(header(headers, b"host") or b""):
        raise BadRequest(400, "malformed-host")


def _check_framing(headers: dict[bytes, bytes], seen: set[bytes], http_version: str) -> None:
    """RFC 9112, 6.1 and 6.3: one way to find the end of the body, or none at all."""
    if b"transfer-encoding" in seen:
        if b"content-length" in seen or http_version != "1.1":
            raise BadRequest(400, "ambiguous-length")
        if headers[b"transfer-encoding"].strip().lower() != b"chunked":
            raise BadRequest(400, "unknown-transfer-coding")
    if b"content-length" in seen and not re.fullmatch(rb"[0-9]{1,15}", headers[b"content-length"]):
        raise BadRequest(400, "malformed-length")


@lru_cache(4096)  # the same paths come again and again; memory at most 4,096 × 8 kB
def canonical_target(raw_path: bytes, query: bytes) -> Target:
    """The path in its one form; refuses everything two readers could understand differently."""
    if len(raw_path) + len(query) > MAX_TARGET_BYTES:
        raise BadRequest(414, "target-too-long")
    if not _PATH.fullmatch(raw_path) or not _QUERY.fullmatch(query):
        raise BadRequest(400, "malformed-target")
    if b"kyodo_" in raw_path + query and _KEY.search(raw_path + query):
        raise BadRequest(400, "key-in-address")
    lower = raw_path.lower()
    if b"%2f" in lower or b"%5c" in lower or _TWICE_ENCODED.search(raw_path):
        raise BadRequest(400, "ambiguous-path")
    decoded = unquote_to_bytes(raw_path)
    try:
        path = decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(400, "path-not-utf8") from None
    if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in path) or "\\" in path:
        raise BadRequest(400, "control-in-path")
    segments = tuple(path.split("/")[1:])
    if any(s in (".", "..") or s.startswith((".;", "..;")) for s in segments) or "" in segments[:-1]:
        raise BadRequest(400, "dots-or-empty-segment")
    return Target(path, _encode(decoded), segments)


def _encode(decoded: bytes) -> bytes:
    return b"".join(bytes((b,)) if b in _PLAIN_IN_PATH else b"%%%02X" % b for b in decoded)


# ---- what goes on, what does not ------------------------------------------------------------------------------------

# Everything else stays here: identity headers of others (X-Tenant*, X-User*, X-Forwarded-*, X-Original-*, Forwarded),
# method overrides, hop-by-hop headers, Authorization and Expect. Cookies are chosen one by one (`forwarded_cookies`).
FORWARDED = frozenset(
    b"""
    accept accept-encoding accept-language applicant-key cache-control content-disposition content-encoding content-language
    content-length content-type idempotency-key if-match if-modified-since if-none-match if-range
    if-unmodified-since last-event-id origin pragma prefer range sec-fetch-dest sec-fetch-mode sec-fetch-site
    sec-fetch-user user-agent x-requested-with x-signature hx-boosted hx-current-url hx-history-restore-request hx-prompt
    hx-request hx-target hx-trigger hx-trigger-name
    """.split()
)

HOP_BY_HOP = frozenset(
    b"""
    connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding
    upgrade alt-svc
    """.split()
)
SAID_BY_GATEWAY = frozenset(
    b"""
    server date x-powered-by x-request-id content-security-policy content-security-policy-report-only
    strict-transport-security x-content-type-options referrer-policy x-frame-options permissions-policy
    cross-origin-opener-policy cross-origin-resource-policy access-control-allow-origin
    access-control-allow-credentials x-accel-buffering x-accel-charset x-accel-expires x-accel-limit-rate
    x-accel-redirect x-sendfile
    """.split()
)


_NOT_RETURNED = HOP_BY_HOP | SAID_BY_GATEWAY


def forwarded_headers(headers: Headers) -> Headers:
    """The request headers a service may see, by an allow list."""
    return [(name, value) for name, value in headers if name in FORWARDED]


def forwarded_cookies(headers: Headers, ours: frozenset[str]) -> bytes | None:
    """The Cookie header without the gateway's own cookies; None when nothing is left."""
    kept = [others for name, value in headers if name == b"cookie" and (others := _without(value, ours))]
    return b"; ".join(kept) or None


@lru_cache(4096)
def _without(value: bytes, ours: frozenset[str]) -> bytes:
    pairs = (pair.strip() for pair in value.split(b";"))
    return b"; ".join(p for p in pairs if p and p.split(b"=", 1)[0].strip().decode("latin-1") not in ours)


def returned_headers(headers: Headers, ours: frozenset[str]) -> Headers:
    """An upstream's answer headers without hop-by-hop ones, those we say ourselves, and cookies under our names."""
    drop = _NOT_RETURNED
    for name, value in headers:
        if name == b"connection":
            drop = drop | {part.strip().lower() for part in value.split(b",")}
    return [(n, v) for n, v in headers if n not in drop and not (n == b"set-cookie" and _cookie_name(v) in ours)]


def _cookie_name(set_cookie: bytes) -> str:
    return set_cookie.split(b"=", 1)[0].strip().decode("latin-1")


def cookie(headers: Headers, wanted: str) -> str | None:
    """The value of one cookie. Two different ones under one name count as none: we cannot know which is ours."""
    found = set()
    for name, value in headers:
        if name == b"cookie":
            for pair in value.split(b";"):
                key, _, content = pair.strip().partition(b"=")
                if key.decode("latin-1") == wanted:
                    found.add(content.decode("latin-1"))
    return found.pop() if len(found) == 1 else None


def has_body(headers: Headers) -> bool:
    """RFC 9112, 6.3: a request has a body when it says how long it is, or that it is chunked."""
    return header(headers, b"transfer-encoding") is not None or header(headers, b"content-length") not in (None, b"0")


def header(headers: Headers, wanted: bytes) -> bytes | None:
    """The first value under a lower-case name."""
    for name, value in headers:  # a loop: a generator costs twice as much, eight times a request
        if name == wanted:
            return value
    return None
