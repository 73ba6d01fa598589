"""`/portal/{code}/notices/settings`: which notices a person gets from the cloud, in the inbox only or by mail too."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid
from services.tenants.api import view
from services.tenants.use_cases import telling

router = APIRouter(include_in_schema=False)


class Ways(BaseModel):
    """The form: for each of `telling.KINDS` one of `telling.WAYS`; those that nobody can switch off are not sent."""

    decided: str = ""
    ready: str = ""
    failed: str = ""
    exported: str = ""
    invoice: str = ""
    reservation: str = ""
    maintenance: str = ""
    incident: str = ""
    support: str = ""
    switched: str = ""


@router.get("/portal/{code}/notices/settings")
def settings(request: Request, code: str, saved: bool = False, actor: Actor = access.staff("portal.admin")) -> Response:
    """The person's own choice for this municipality; nobody else's."""
    with view.service_of(request).database.reading() as session:
        ways = telling.chosen(session, actor.tenant or "", actor.subject)
    return _page(request, actor, ways, saved=saved)


@router.post("/portal/{code}/notices/settings")
def choose(
    request: Request, code: str, ways: Annotated[Ways, Form()], actor: Actor = access.staff("portal.admin")
) -> Response:
    chosen = ways.model_dump()
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            telling.choose(session, actor.tenant or "", actor.subject, chosen)
    except Invalid as error:
        return _page(request, actor, chosen, error)
    return view.see_other(f"/portal/{code}/notices/settings?saved=true")


def _page(
    request: Request, actor: Actor, ways: dict[str, str], error: Invalid | None = None, *, saved: bool = False
) -> Response:
    town = view.municipality_of(request, actor)
    return view.portal_page(
        request,
        "portal/notice_settings.html",
        town,
        f"/portal/{town.code}/notices/",
        status_code=error.status if error else 200,
        errors=view.told(request, error.fields) if error else {},
        kinds=telling.KINDS,
        always=telling.ALWAYS,
        options=telling.WAYS,
        ways=ways,
        saved=saved,
    )
