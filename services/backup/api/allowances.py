"""The operator's page: how much each municipality may keep, and changing it. It stands at the prefecture's own desk."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Refusal, say
from libs.common.web import Link
from services.backup.api.shell import SERVICE, base, now_of, reading, render, service_of, to, whole_number
from services.backup.use_cases import allowance

router = APIRouter(prefix="/t/{code}/backup/desk", tags=["operator"])
Text = Annotated[str, Form()]
TITLE = say("市町村の上限")
_FIELDS = {"allowance-gib": "gib", "allowance-reason": "reason", "less-than-used": "even_below"}
"""Code of a refusal → the field it is about."""


@router.get("/allowances", summary="What each municipality may keep and uses")
def allowances_page(request: Request, municipality: str = "", actor: Actor = access.operator()) -> Response:
    return _page(request, actor, typed={"municipality": municipality})


@router.post("/allowances", summary="Change what a municipality may keep")
def change(
    request: Request,
    municipality: Text = "",
    gib: Text = "",
    reason: Text = "",
    even_below: Text = "",
    actor: Actor = access.operator(),
) -> Response:
    database, now = service_of(request).database, now_of(request)
    try:
        with database.reading() as session:
            tenant = allowance.tenant_of(session, municipality.strip())
        with database.transaction(tenant=tenant) as session:
            wanted = whole_number(gib)
            allowance.change(session, wanted, reason, now, by=actor.subject, even_below=even_below == "yes")
    except Refusal as refusal:
        field = _FIELDS.get(refusal.code or "", "municipality")
        typed = {"municipality": municipality, "gib": gib, "reason": reason}
        return _page(request, actor, typed=typed, errors={field: refusal.message}, status=refusal.status)
    return to(f"{base(request)}allowances?municipality={municipality.strip()}")


def _page(
    request: Request,
    actor: Actor,
    *,
    typed: dict[str, str],
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    with reading(request, actor):  # the head of the page, and that the prefecture's own room is open
        found = allowance.listed(service_of(request).database)
    return render(
        request, "desk/allowances.html", status=status, title=TITLE, found=found,
        crumbs=(Link(SERVICE, base(request)), Link(TITLE, f"{base(request)}allowances")),
        typed={"municipality": "", "gib": "", "reason": ""} | typed, errors=errors or {},
    )  # fmt: skip
