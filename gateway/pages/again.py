"""Whoever changes how an account is entered has shown who they are a short while ago: an open screen is not enough (ASVS 5.0, 7.5.1)."""

from datetime import timedelta
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
