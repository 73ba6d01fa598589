"""`/operator/take-ins`: everything a municipality owned in another installation of this software comes in from its archive."""

from typing import Annotated

from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Refusal
from services.tenants import carryin
from services.tenants.api import view
from services.tenants.db import registry as registry_db
from services.tenants.db import takeins as takeins_db
from services.tenants.domain import catalogue
from services.tenants.domain.municipality import existing_on

router = APIRouter(include_in_schema=False)
HERE = "/operator/take-ins"


@router.get(HERE)
def show(request: Request, actor: Actor = access.operator()) -> Response:
    """What came in, what is coming in (live), and what was wrong."""
    return _page(request)


@router.post(HERE)
def take_in(request: Request, file: Annotated[UploadFile, File()], actor: Actor = access.operator()) -> Response:
    """Keep the archive; the worker looks at it and goes on."""
    try:
        carryin.begin(view.service_of(request), actor, file.file, file.filename or "")
    except Refusal as refused:
        return _page(request, refused)
    return view.see_other(HERE)


def _page(request: Request, error: Refusal | None = None) -> Response:
    with view.service_of(request).database.reading() as session:
        towns = existing_on(registry_db.states(session), view.today_of(request))
        found = [(row, takeins_db.parts(session, row.id)) for row in takeins_db.latest(session)]
    return view.operator_page(
        request,
        "operator/takeins.html",
        "/operator/registry",
        status_code=error.status if error else 200,
        errors=view.told(request, {"file": error.message}) if error else {},
        found=found,
        names={tenant: town.name for tenant, town in towns.items()},
        service_name=lambda key: catalogue.service(key).name,
        moving=any(row.state not in takeins_db.ENDED for row, _ in found),
    )
