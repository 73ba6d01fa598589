"""Small things every page of the gateway needs."""

import json
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway import domain
from gateway.identity import NOBODY, Caller
from gateway.parts import Parts, parts_of
from gateway.passkeys import Site
from libs.common.errors import Conflict, say

_BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


def caller_of(request: Request) -> Caller:
    return getattr(request.state, "caller", NOBODY)


def rights_of(parts: Parts, request: Request) -> Mapping[str, frozenset[str]]:
    """Tenant → roles that whoever asks has here, by the way they have signed in."""
    signed_in = caller_of(request).signed_in
    if signed_in is None:
        return {}
    places = parts.memberships(signed_in.person).items()
    return {tenant: roles for tenant, roles in places if signed_in.may_act_in(tenant)}


def network_of(request: Request) -> str:
    return domain.network_of(getattr(request.state, "address", "unknown"))


def site_of(parts: Parts, request: Request) -> Site:
    """Where this browser is: our address, or on this machine whatever name it used."""
    settings = parts.settings
    host = request.headers.get("host", "")
    return Site.of(
        f"{'https' if settings.https else 'http'}://{host}" if settings.public_on_loopback else settings.origin
    )


def address_is_shared(parts: Parts, request: Request) -> bool:
    """Whether the request comes from a terminal that many people use (SHARED_TERMINALS)."""
    ip = address_of(getattr(request.state, "address", ""))
    return ip is not None and any(
        ip in network for network in parts.settings.shared_terminals if network.version == ip.version
    )


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def device_of(request: Request) -> str:
    """Browser and system in two words, so that people recognise their own devices. Nothing finer is kept."""
    agent = request.headers.get("user-agent", "")
    browser = next((name for mark, name in _BROWSERS if mark in agent), "ブラウザ")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return f"{browser}（{system}）" if system else browser


LONGEST_NEXT = 2000
"""Characters of a way on, as JSON. It travels sealed in a cookie, of which a browser takes 4096 (`oidc/door.py · COOKIE_MOST`)."""


def local(path: str) -> str:
    """`path` if it stays on this site, else the front page: a sign-in must not send people elsewhere. One that is too long to travel loses
    its query: the page is the same, what was looked for there is typed again."""
    if len(json.dumps(path)) > LONGEST_NEXT:
        path = path.partition("?")[0]
    if len(json.dumps(path)) > LONGEST_NEXT:
        return "/"
    parts = urlsplit(path)
    safe = re.fullmatch(r"/(?![/\\])[\x21-\x7e]*", path) and not parts.scheme and not parts.netloc and "\\" not in path
    return path if safe else "/"


def see(path: str) -> RedirectResponse:
    """To another page after something was done (303: a reload does not do it again)."""
    return RedirectResponse(path, 303, {"cache-control": "no-store"})


CLEARED = {"clear-site-data": '"cache", "storage"'}
"""Nothing of what was seen stays in the browser."""


def with_cookie(response: Response, *cookies: str) -> Response:
    for cookie in cookies:
        response.headers.append("set-cookie", cookie)
    return response


def page(parts: Parts, request: Request, name: str, status: int = 200, **context: Any) -> Response:
    """`name` filled in. Its forms carry `shown_to` (`only_whom_it_was_shown`); what its `errors` say is said in the reader's language."""
    errors = {field: parts.pages.translate(request, said) for field, said in context.pop("errors", {}).items()}
    shown = {"shown_to": _mark(request), "errors": errors, **context}
    return parts.pages.render(request, name, status_code=status, **shown)


def only_whom_it_was_shown(request: Request, shown_to: Annotated[str, Form()] = "") -> None:
    """For the routers of rooms that are one person's own: in another window of the same browser somebody else may have signed in since
    the page was opened, and a button pressed afterwards must not mean them. Raises Conflict.

    `shown_to` is no secret and proves nothing; that a request comes from a page of ours at all is `csrf.py`'s to know.
    """
    if shown_to and caller_of(request).signed_in is not None and shown_to != _mark(request):
        raise Conflict(
            say(
                "この画面を開いたあとに、サインインしている方が変わったため、何も変えていません。アカウントの画面を開き直して、お確かめください。"
            ),
            code="another-person",
        )


def _mark(request: Request) -> str:
    """Stands for whoever is signed in; empty for nobody."""
    signed_in = caller_of(request).signed_in
    return domain.keyed_digest(parts_of(request).digest_key, f"shown to {signed_in.person}") if signed_in else ""
