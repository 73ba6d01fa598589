"""Maintenance announced by operators; everybody's calendar of it; the badge."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated
from xml.sax.saxutils import escape

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from libs.common.web.charts.svg import width_of
from services.tenants.api import figures, inputs, view
from services.tenants.db import maintenance as db
from services.tenants.domain import catalogue
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.ical import Entry, calendar
from services.tenants.use_cases import count, maintenance

router = APIRouter()
Text = Annotated[str, Form()]
DAY = timedelta(days=1)


# ---- operators ------------------------------------------------------------------------------------------------------


@router.get("/operator/maintenance", include_in_schema=False)
def announced(request: Request, actor: Actor = access.operator()) -> Response:
    return _page(request)


def _page(request: Request, error: Invalid | None = None, typed: dict[str, str] | None = None) -> Response:
    reader = view.reader_of(request)
    with view.service_of(request).database.reading() as session:
        rows = db.ending_after(session, view.now_of(request))
    return view.operator_page(
        request,
        "operator/maintenance.html",
        "/operator/maintenance",
        status_code=error.status if error else 200,
        errors=view.told(request, error.fields) if error else {},
        typed={"service": "", "begins": "", "ends": "", "text": ""} | (typed or {}),
        rows=rows,
        name_of=name_of,
        options=[("", reader(say("すべてのサービス"))), *((s.key, reader(s.name)) for s in SERVICES)],
    )


def coming(request: Request) -> list[db.MaintenanceRow]:
    """What is announced and not over, the next first."""
    with view.service_of(request).database.reading() as session:
        return db.ending_after(session, view.now_of(request))


def name_of(service: str) -> str:
    """What the page calls it; translated where it is shown."""
    return catalogue.service(service).name if service else say("すべてのサービス")


@router.post("/operator/maintenance", include_in_schema=False)
def announce(
    request: Request,
    service: Text = "",
    begins: Text = "",
    ends: Text = "",
    text: Text = "",
    actor: Actor = access.operator(),
) -> Response:
    try:
        start, end = inputs.moment(begins, "begins"), inputs.moment(ends, "ends")
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            maintenance.announce(session, actor, service, start, end, text, view.now_of(request))
    except Invalid as error:
        return _page(request, error, {"service": service, "begins": begins, "ends": ends, "text": text})
    return view.see_other("/operator/maintenance")


@router.post("/operator/maintenance/{ident}/cancel", include_in_schema=False)
def cancel(request: Request, ident: str, actor: Actor = access.operator()) -> Response:
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        maintenance.cancel(session, actor, ident, view.now_of(request))
    return view.see_other("/operator/maintenance")


# ---- calendars ------------------------------------------------------------------------------------------------------


@router.get("/status/maintenance.ics", summary="Announced maintenance as a calendar (RFC 5545)")
def public_calendar(request: Request, _actor: Actor = access.public()) -> Response:
    """Subscribe to it once: what is called off later is told as cancelled."""
    now = view.now_of(request)
    with view.service_of(request).database.reading() as session:
        rows = db.ending_after(session, now - 30 * DAY, cancelled=True)
    name = f"{view.pages_of(request).brand.name} メンテナンス"
    entries = (
        Entry(
            row.id,
            row.begins_at,
            row.ends_at,
            f"メンテナンス：{name_of(row.service)}",
            row.text,
            bool(row.cancelled_at),
        )
        for row in rows
    )
    return ics(name, entries, now, "maintenance.ics")


def ics(name: str, entries: Iterable[Entry], now: datetime, file: str) -> Response:
    headers = {"Content-Disposition": csvout.attachment(file)}
    return Response(calendar(name, entries, now), media_type="text/calendar; charset=utf-8", headers=headers)


# ---- the badge ------------------------------------------------------------------------------------------------------


SHOWN_ANYWHERE = {**figures.OPEN, "Content-Security-Policy": "frame-ancestors *"}
"""The page of any site may show the picture: on this word the gateway lets browsers hand it to them (gateway/openness.py)."""


@router.get(
    "/participation-badge.svg", summary="How many municipalities take part in a service, as a picture for web pages"
)
def badge(request: Request, service: Annotated[str, Query()] = "eapply", _actor: Actor = access.public()) -> Response:
    chosen = catalogue.service(service)
    with view.service_of(request).database.reading() as session:
        found = count.on(session, view.today_of(request))
    text = f"{found.count(chosen.key)} / {len(found.municipalities)} 市町村"
    return Response(_drawn(str(chosen.short), text), media_type="image/svg+xml", headers=SHOWN_ANYWHERE)


def _drawn(name: str, text: str) -> str:
    """Two fields, white on dark blue and dark grey (contrast above 7)."""
    left, right = width_of(name, 12) + 16, width_of(text, 12) + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right:.0f}" height="22" role="img" '
        f'aria-label="{escape(name)} {escape(text)}"><rect width="{left:.0f}" height="22" fill="#333"/>'
        f'<rect x="{left:.0f}" width="{right:.0f}" height="22" fill="#00428c"/>'
        f'<g fill="#fff" font-family="sans-serif" font-size="12" font-weight="bold"><text x="8" y="15">{escape(name)}</text>'
        f'<text x="{left + 8:.0f}" y="15">{escape(text)}</text></g></svg>'
    )
