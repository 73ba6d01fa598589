"""A municipality's dates as a calendar: one file for who is signed in, an address of its own for calendar programs.

A calendar program cannot sign in, so the address is the key: it opens nothing else, shows no amounts, and ends when it is made anew.
"""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from services.tenants.api import view
from services.tenants.api.maintenance import ics
from services.tenants.db import calendars as db
from services.tenants.db import registry as registry_db
from services.tenants.domain.municipality import existing_on
from services.tenants.use_cases import dates

router = APIRouter(include_in_schema=False)


@router.get("/portal/{code}/dates.ics")
def own_calendar(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """The municipality's dates, once, as a file."""
    town, now = view.municipality_of(request, actor), view.now_of(request)
    with view.service_of(request).database.reading() as session:
        entries = list(dates.entries(session, town.tenant_id, view.today_of(request)))
    return ics(f"{town.name} 共同クラウドの予定", entries, now, f"dates-{town.code}.ics")


@router.get("/portal/{code}/calendar")
def show(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """How a calendar program subscribes, since when an address stands, and the forms to make it anew or end it."""
    return _page(request, actor)


def _page(request: Request, actor: Actor, address: str = "") -> Response:
    """`address`: the new one, shown this once."""
    town = view.municipality_of(request, actor)
    with view.service_of(request).database.reading() as session:
        row = db.key_of(session, town.tenant_id)
    page = view.portal_page(request, "portal/calendar.html", town, "", row=row, address=address)
    page.headers["Cache-Control"] = "no-store"
    return page


@router.post("/portal/{code}/calendar/key")
def make(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    service = view.service_of(request)
    with service.database.transaction(tenant=actor.tenant) as session:
        key = dates.make_key(session, actor, actor.tenant or "", view.now_of(request))
    return _page(request, actor, f"{service.settings.public_url.rstrip('/')}/calendars/{key}/dates.ics")


@router.post("/portal/{code}/calendar/end")
def end(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        dates.end_key(session, actor, actor.tenant or "", view.now_of(request))
    return view.see_other(f"/portal/{code}/calendar")


@router.get("/calendars/{key}/dates.ics")
def subscribed(request: Request, key: str, _actor: Actor = access.public()) -> Response:
    """For calendar programs: the address alone opens it."""
    now, today = view.now_of(request), view.today_of(request)
    with view.service_of(request).database.reading() as session:
        tenant = dates.tenant_of(session, key)
        town = existing_on(registry_db.states(session, tenant), today).get(tenant)
        entries = list(dates.entries(session, tenant, today, discreet=True))
    answer = ics(f"{town.name if town else ''} 共同クラウドの予定".strip(), entries, now, "dates.ics")
    answer.headers["Cache-Control"] = "private, max-age=3600"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer
