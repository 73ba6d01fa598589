"""`/account/close`: whoever no longer wants an account closes it themselves."""

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from gateway import db
from gateway.pages.account import places_of
from gateway.pages.again import require_fresh
from gateway.pages.common import CLEARED, only_whom_it_was_shown, page, with_cookie
from gateway.parts import parts_of
from gateway.use_cases import accounts
from libs.common import access
from libs.common.actor import Actor

router = APIRouter(prefix="/account/close", include_in_schema=False, dependencies=[Depends(only_whom_it_was_shown)])


@router.get("")
def show(request: Request, actor: Actor = access.person()) -> Response:
    require_fresh(request, "/account/close")
    return _page(request, actor)


@router.post("")
def close(request: Request, actor: Actor = access.person()) -> Response:
    """Not while the person has a role anywhere: others count on them, and a role is taken away by whoever gave it."""
    require_fresh(request, "/account/close")
    parts = parts_of(request)
    if parts.snapshots.current.memberships(actor.subject):
        return _page(request, actor, status=409)
    with parts.service.database.transaction(parts.home) as session:
        accounts.close(session, actor.subject, parts.clock.now())
    parts.callers.forget()
    answer = page(parts, request, "closed.html", actor=None)
    answer.headers.update(CLEARED)
    return with_cookie(answer, *parts.cookies.clear_all())


def _page(request: Request, actor: Actor, status: int = 200) -> Response:
    parts = parts_of(request)
    with parts.service.database.reading() as session:
        person = db.person(session, actor.subject)
        keys = db.live_keys_of(session, actor.subject, parts.clock.now())
    places = places_of(parts.snapshots.current, parts.snapshots.current.memberships(actor.subject))
    return page(parts, request, "close.html", status, person=person, places=places, keys=keys)
