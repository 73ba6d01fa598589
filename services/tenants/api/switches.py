"""`/operator/switches`: functions that are switched off for a municipality, why, and the two things to do."""

from collections.abc import Mapping, Set
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from libs.common import access, room
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from services.tenants.api import view
from services.tenants.api.operator import WORKING
from services.tenants.db import registry as registry_db
from services.tenants.db import switches as db
from services.tenants.domain import catalogue
from services.tenants.domain.municipality import existing_on
from services.tenants.use_cases import capacity, count, switches

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]
HERE = "/operator/switches"
EVERYBODY = "all"


@router.get(HERE)
def page(request: Request, actor: Actor = access.operator()) -> Response:
    return _page(request)


def _page(request: Request, error: Invalid | None = None, typed: dict[str, str] | None = None) -> Response:
    reader, known = view.reader_of(request), _declared(request)
    with view.service_of(request).database.reading() as session:
        towns = existing_on(registry_db.states(session), view.today_of(request))
        rows, joined = db.off(session), count.on(session, view.today_of(request)).joined
    using = {tenant for service in known for tenant in _using(joined, service)} & towns.keys()
    return view.operator_page(
        request,
        "operator/switches.html",
        HERE,
        status_code=error.status if error else 200,
        errors=view.told(request, error.fields) if error else {},
        typed={"function": "", "tenant": "", "reason": "", "back": ""} | (typed or {}),
        silent=[key for key, found in known.items() if found is None],
        known={key: found for key, found in known.items() if found},
        rows=rows,
        titles={(key, one["name"]): one["title"] for key, found in known.items() for one in found or []},
        name_of=lambda tenant: towns[tenant].name if tenant in towns else tenant,
        service_name=lambda key: reader(catalogue.name_of(key)),
        towns=[
            ("", "－"), (EVERYBODY, reader(say("使っているすべての市町村"))),
            *((tenant, towns[tenant].name) for tenant in sorted(using)),
        ],
    )  # fmt: skip


def _declared(request: Request) -> dict[str, list[dict[str, str]] | None]:
    """Service → its functions; None where it does not answer."""
    others = (*(one for one in WORKING if one != "tenants"), capacity.SERVICE)
    return {key: of_service(request, key) for key in others}


def _using(joined: Mapping[str, Set[str]], service: str) -> Set[str]:
    """The municipalities that use it; the door is everybody's who uses anything."""
    return frozenset().union(*joined.values()) if service == catalogue.DOOR else joined.get(service, frozenset())


def of_service(request: Request, key: str) -> list[dict[str, str]] | None:
    """`name`, `title`, `says` of each function; None where the service does not answer. Reserving servers is the registry's own."""
    if key == capacity.SERVICE:
        reader = view.reader_of(request)
        own = room.switches.declared(key)
        return [{"name": one.name, "title": reader(one.title), "says": reader(one.says)} for one in own]
    return view.neighbours_of(request).switches(key)


@router.post(HERE)
def turn_off(
    request: Request, function: Text = "", tenant: Text = "", reason: Text = "", actor: Actor = access.operator()
) -> Response:
    """For one municipality, or for all that use the service."""
    typed = {"function": function, "tenant": tenant, "reason": reason}
    try:
        service, name = _chosen(request, function)
        for each in _tenants(request, service, tenant):
            _turn(request, actor, each, service, name, False, reason)
    except Invalid as error:
        return _page(request, error, typed)
    return view.see_other(HERE)


@router.post(HERE + "/{tenant}/{service}/{name}/on")
def turn_on(
    request: Request, tenant: str, service: str, name: str, reason: Text = "", actor: Actor = access.operator()
) -> Response:
    try:
        _tenants(request, service, tenant)
        _turn(request, actor, tenant, service, name, True, reason)
    except Invalid as error:
        sentence = error.fields.get("reason", error.message)
        known = Invalid(error.message, fields={f"reason-{tenant}-{service}-{name}": sentence})
        return _page(request, known, {"back": reason})
    return view.see_other(HERE)


def _turn(request: Request, actor: Actor, tenant: str, service: str, name: str, on: bool, reason: str) -> None:
    with view.service_of(request).database.transaction(tenant=tenant) as session:
        switches.turn(session, actor, service, name, on, reason, view.now_of(request))


def _chosen(request: Request, function: str) -> tuple[str, str]:
    service, _, name = function.partition("/")
    known = _declared(request).get(service) or []
    if name not in {one["name"] for one in known}:
        sentence = say("止める機能を選んでください。")
        raise Invalid(sentence, fields={"function": sentence})
    return service, name


def _tenants(request: Request, service: str, tenant: str) -> list[str]:
    """Raises Invalid for none, NotFound for one that is not in the register."""
    with view.service_of(request).database.reading() as session:
        towns: dict[str, Any] = existing_on(registry_db.states(session), view.today_of(request))
        using = _using(count.on(session, view.today_of(request)).joined, service)
    if tenant == EVERYBODY:
        return sorted(using)
    if not tenant:
        sentence = say("市町村を選んでください。")
        raise Invalid(sentence, fields={"tenant": sentence})
    if tenant not in towns:
        raise NotFound(say("この市町村は見つかりません。"))
    return [tenant]
