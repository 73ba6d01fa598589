"""Whoever changes how an account is entered has shown who they are a short while ago: an open screen is not enough (ASVS 5.0, 7.5.1)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from gateway.pages.common import caller_of
from gateway.parts import parts_of
from libs.common.errors import Refusal, say

FRESH = timedelta(minutes=10)
"""How long after a proof nobody is asked again. A sign-in by a provider that asked nothing (it knew the browser) is none."""


class Stale(Refusal):
    """The asker is known, but the proof of it is too old. `where` asks for a new one and leads back."""

    status = 401
    default_code = "proof-too-old"

    def __init__(self, back: str) -> None:
        super().__init__(say("サインインしてから時間がたっています。もう一度、ご本人であることを確かめてください。"))
        self.where = f"/sign-in/confirm?{urlencode({'again': 1, 'next': back})}"


def is_fresh(request: Request) -> bool:
    signed_in = caller_of(request).signed_in
    proved_at = signed_in.proved_at if signed_in else None
    return proved_at is not None and parts_of(request).clock.now() - proved_at < FRESH


def require_fresh(request: Request, back: str) -> None:
    """Raises Stale, whose answer asks for a new proof and then leads to `back`, a path of this site."""
    if not is_fresh(request):
        raise Stale(back)


LONGEST_BACK = 1500
"""Characters of a way back with what was typed."""


def with_typed(path: str, typed: Mapping[str, Any], part: str = "") -> str:
    """`path` as the way back from a new proof to a form that shows what had been `typed`: no secret is in it, and nothing is done by it.
    More than a way back may hold is typed again. `part`: the id on that page."""
    query = urlencode({name: value for name, value in typed.items() if value}, doseq=True)
    there = f"?{query}" if 0 < len(query) <= LONGEST_BACK else ""
    return f"{path}{there}{part and '#' + part}"
