"""`/door/`: what operators see and set of the door itself."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.oidc import health
from gateway.oidc.door import Seat
from gateway.pages.common import page
from gateway.parts import parts_of
from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import say
from libs.common.web import Link, Place

router = APIRouter(prefix="/door", include_in_schema=False)

_ROOMS = (
    (say("いまのようす"), "/door/"),
    (say("保守と「見るだけ」"), "/door/closures/"),
    (say("サインインの方法"), "/door/providers/"),
)
_STEPS = {
    "secret": say("secret"),
    "discovery": say("設定の文書"),
    "keys": say("署名の鍵"),
    "clock": say("時計のずれ"),
    "pkce": say("PKCE"),
    "iss": say("返事に名乗り（iss）"),
    "client": say("client_id と secret"),
    "way-back": say("戻り先（redirect URI）"),
}


def door_page(request: Request, template: str, here: str, *, status: int = 200, **context: Any) -> Response:
    """A page of the operators' room for the door."""
    parts = parts_of(request)
    read = lambda sentence: parts.pages.translate(request, sentence)  # noqa: E731
    rooms = tuple(Link(read(label), href, current=href == here) for label, href in _ROOMS)
    place = Place(read(say("入口の運用")), "", "/door/")
    return page(parts, request, template, status, place=place, rooms=rooms, wide=True, **context)


@router.get("/providers/")
def providers(request: Request, check: str = "", actor: Actor = access.operator()) -> Response:
    """Every provider with how the last sign-ins ended; `check` names one to be asked now."""
    parts = parts_of(request)
    seats = parts.providers.seats
    seat, back = seats.get(check), parts.providers.redirect_uri
    steps = health.check(seat.known, parts.clock.now(), back(seat.provider)) if seat else []
    rows = [_row(request, seat, steps if seat.provider.key == check else []) for seat in seats.values()]
    return door_page(request, "door/providers.html", "/door/providers/", rows=rows)


def _row(request: Request, seat: Seat, steps: list[health.Step]) -> dict[str, Any]:
    parts, provider = parts_of(request), seat.provider
    tell = lambda sentence: parts.pages.translate(request, sentence)  # noqa: E731
    tenant = parts.snapshots.current.by_id.get(provider.tenant or "")
    return {
        "provider": provider,
        "whose": tenant.name if tenant else "",
        "redirect_uri": parts.providers.redirect_uri(provider),
        "record": seat.record,
        "failures": [(tell(health.WORDS.get(r, r)), n) for r, n in seat.record.failures.most_common()],
        "steps": told_steps(request, steps),
    }


def told_steps(request: Request, steps: list[health.Step]) -> list[tuple[str, str, str]]:
    """(what was looked at, what is wrong and what to do or "", further facts) in the reader's language."""
    tell = lambda sentence: parts_of(request).pages.translate(request, sentence)  # noqa: E731
    return [(tell(_STEPS[s.name]), tell(health.WORDS[s.problem]) if s.problem else "", s.detail) for s in steps]
