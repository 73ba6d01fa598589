"""A browser that has signed in to an account before is known again by it: somebody who guesses at the same address (a town hall, a
mobile carrier's) must not make its owner wait (OWASP Authentication Cheat Sheet, device cookies).

The cookie opens nothing. It lets its browser count its own wrong tries for this one account, apart from those of its network.
"""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from gateway import domain, hygiene
from gateway.pages.common import address_is_shared, network_of, with_cookie
from gateway.parts import Parts

KNOWN_FOR = timedelta(days=180)


def place_of(parts: Parts, request: Request, email: str) -> str:
    """Where wrong tries for this account are counted: this browser, if it has signed in to it before, else its network."""
    sealed = hygiene.cookie(request.scope["headers"], parts.cookies.known)
    values = parts.known.open(sealed, parts.clock.now()) if sealed else None
    if values is None or values["account"] != domain.keyed_digest(parts.digest_key, email):
        return network_of(request)
    return f"browser {values['browser']}"


def remember(parts: Parts, request: Request, email: str, answer: Response, *, shared: bool) -> Response:
    """`answer` by which this browser is known again; not where other people use it too."""
    if shared or address_is_shared(parts, request):
        return answer
    values = {"account": domain.keyed_digest(parts.digest_key, email), "browser": domain.new_secret()}
    sealed = parts.known.close(values, parts.clock.now() + KNOWN_FOR)
    return with_cookie(answer, parts.cookies.set(parts.cookies.known, sealed, int(KNOWN_FOR.total_seconds())))
