"""Bring a body to an address that somebody typed: through the same checks as reading one (libs/common/fetch.py)."""

import ssl
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from libs.common import fetch, log
from libs.common.errors import Refusal

SECONDS = 15.0
KEPT = 4_000
"""Bytes of the answer that are kept."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt: the answer's status and beginning, or the problem in words."""

    milliseconds: int
    status: int | None = None
    answer: str = ""
    problem: str = ""
    retry_after: int = 0

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """410: the receiver asks not to be told any more (Standard Webhooks)."""
        return self.status == 410


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Collection[tuple[str, int]] = (),
    resolve: fetch.Resolve = fetch.system_resolve,
    tls: ssl.SSLContext | None = None,
) -> Outcome:
    """One attempt. It never raises for what the other side does; a redirect is an answer, not followed."""
    began = time.monotonic()
    try:
        status, said, retry = _exchange(url, body, headers, allowed, resolve, tls)
    except Refusal as refusal:
        return Outcome(_since(began), problem=refusal.message)
    return Outcome(_since(began), status, log.clean_text(said), retry_after=retry)


def _exchange(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    allowed: Collection[tuple[str, int]],
    resolve: fetch.Resolve,
    tls: ssl.SSLContext | None,
) -> tuple[int, str, int]:
    limits = fetch.Limits(limit=KEPT, seconds=SECONDS)
    with fetch.client(limits, allowed, resolve, tls) as web:
        target = fetch.checked_url(url, limits, allowed)
        request = web.build_request("POST", target, content=body, headers={**headers, "Accept-Encoding": "identity"})
        answer = web.send(request, stream=True)
        try:
            said = b""
            for chunk in answer.iter_raw():
                said += chunk
                if len(said) >= KEPT:
                    break
        finally:
            answer.close()
    retry = answer.headers.get("retry-after", "")
    return answer.status_code, said[:KEPT].decode(errors="replace"), int(retry) if retry.isdecimal() else 0


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
