"""`/portal/{code}/service-level/`: what the municipality got, as it was measured."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import say
from services.tenants.api import view
from services.tenants.api.words import Reader
from services.tenants.domain.catalogue import SERVICES
from services.tenants.use_cases import service_level

router = APIRouter(include_in_schema=False)
SPANS = (30, 90, 365)
"""Days that can be looked back."""


@router.get("/portal/{code}/service-level/")
def page(
    request: Request, code: str, days: Annotated[int, Query()] = SPANS[0], actor: Actor = access.staff("portal.admin")
) -> Response:
    town, now, reader = view.municipality_of(request, actor), view.now_of(request), view.reader_of(request)
    span = days if days in SPANS else SPANS[0]
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        level = service_level.of_town(session, town.tenant_id, span, now)
    return view.portal_page(
        request,
        "portal/service_level.html",
        town,
        f"/portal/{code}/service-level/",
        level=level,
        span=span,
        spans=SPANS,
        now=now,
        names={service_level.DOOR: say("受付（門）")} | {s.key: s.name for s in SERVICES},
        lasting=lambda length: lasting(reader, length),
    )


def lasting(reader: Reader, length: timedelta) -> str:
    """A length of time in the largest unit that leaves at least one, with one decimal from hours on."""
    seconds = length.total_seconds()
    if seconds < 60:
        return reader(say("%(n)s秒"), n=f"{seconds:.0f}")
    if seconds < 3600:
        return reader(say("%(n)s分"), n=f"{seconds / 60:.0f}")
    if seconds < 86400:
        return reader(say("%(n)s時間"), n=f"{seconds / 3600:.1f}")
    return reader(say("%(n)s日"), n=f"{seconds / 86400:.1f}")
