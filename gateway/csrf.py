"""Requests that change something must come from our own pages (OWASP CSRF Prevention, Fetch Metadata).

No token in forms: browsers say where a request comes from, and pages cannot change what they say.
"""

from gateway.hygiene import SAFE_METHODS, Headers, header
from libs.common.errors import Forbidden, say

_OURS = (b"same-origin", b"none")


def check(method: str, headers: Headers, origin: str, *, by_cookie: bool) -> None:
    """Raises Forbidden for an unsafe request of another origin, and for one with cookies that does not say whence.

    JSON may stay silent about it: a page of another origin cannot send that without asking first (Fetch standard, CORS-safelisted
    Content-Type), and we never allow it. So a program that keeps cookies may write after it has read.
    """
    if method in SAFE_METHODS:
        return
    site, given = header(headers, b"sec-fetch-site"), header(headers, b"origin")
    if site is not None and site not in _OURS:
        raise _foreign()
    if given is not None and given.decode("latin-1").lower() != origin:
        raise _foreign()
    if site is None and given is None and by_cookie and not _is_json(headers):
        raise _foreign()


def _is_json(headers: Headers) -> bool:
    kind = header(headers, b"content-type") or b""
    return kind.partition(b";")[0].strip().lower() == b"application/json"


def _foreign() -> Forbidden:
    sentence = say(
        "ほかのサイトからの操作のため、受け付けませんでした。このサイトの画面を開き直して、もう一度お試しください。"
    )
    return Forbidden(sentence, code="cross-site")
