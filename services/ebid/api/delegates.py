"""受任者: the company's 代表者 entrusts a branch; who got the code takes it up."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from libs.common.web import Link
from services.ebid.api.shell import (
    Form,
    changing_common,
    demand,
    form,
    now_of,
    optional_day,
    places_of,
    render,
    service_of,
    spoken_all,
    to,
)
from services.ebid.domain import procedure
from services.ebid.use_cases import companies, delegations
from services.ebid.use_cases.delegations import Wanted

router = APIRouter()
TITLE, TAKE_UP = say("受任者（支店長など）への委任"), say("受任者として登録する")
CRUMBS = (Link(say("会社の登録"), "/ebid/company"), Link(TITLE, "", True))


@router.get("/ebid/company/delegates", summary="Who acts for one's own company by 委任状")
def page(request: Request, actor: Actor = access.person()) -> Response:
    demand(request, actor, "entrust")
    return _page(request, actor, {}, [], [], {})


def _page(
    request: Request, actor: Actor, typed: dict[str, str], categories: list[str], tenants: list[str], errors: dict[str, str],
    code: str = "", status_code: int = 200,
) -> Response:  # fmt: skip
    with service_of(request).database.reading() as session:
        company = delegations.require_representative(session, actor)
        rows = delegations.listed(session, company.id)
        places = places_of(session)
    kinds = spoken_all(request, procedure.REGISTER)
    return render(
        request, "delegates.html", title=TITLE, crumbs=CRUMBS, company=company, rows=rows, places=places, kinds=kinds,
        options=[(key, text) for key, text in kinds.items() if key in company.categories], typed=typed, categories=categories,
        tenants=tenants, errors=errors, code=code, days=delegations.CODE_DAYS, status_code=status_code,
    )  # fmt: skip


@router.post("/ebid/company/delegates", include_in_schema=False)
def entrust(request: Request, actor: Actor = access.person(), sent: Form = form) -> Response:
    demand(request, actor, "entrust")
    texts = {name: sent.get(name)[:100] for name in delegations.FIELDS}
    categories, tenants = sent.all("categories"), sent.all("tenants")
    wanted = Wanted(texts, categories, tenants, optional_day(sent, "first"), optional_day(sent, "last"))
    try:
        with changing_common(request) as session:
            _, code = delegations.entrust(session, actor, wanted, now_of(request))
    except Invalid as refusal:
        return _page(request, actor, sent.typed, categories, tenants, refusal.fields, "", 422)
    return _page(request, actor, {}, [], [], {}, code)


@router.post("/ebid/company/delegates/{delegation_id}/end", include_in_schema=False)
def end(request: Request, delegation_id: str, actor: Actor = access.person()) -> Response:
    demand(request, actor, "entrust")
    with changing_common(request) as session:
        delegations.end(session, actor, delegation_id, now_of(request))
    return to("/ebid/company/delegates")


@router.get("/ebid/delegate", summary="Become a company's 受任者, or see what is entrusted")
def taking_up(request: Request, actor: Actor = access.person()) -> Response:
    return _own(request, actor, {})


@router.post("/ebid/delegate", include_in_schema=False)
def take_up(request: Request, actor: Actor = access.person(), sent: Form = form) -> Response:
    try:
        with changing_common(request) as session:
            delegations.take_up(session, actor, sent.get("code")[:40], now_of(request))
    except (Invalid, Conflict) as refusal:
        errors = getattr(refusal, "fields", {}) or {"code": refusal.message}
        return _own(request, actor, errors, refusal.status)
    return to("/ebid/delegate")


def _own(request: Request, actor: Actor, errors: dict[str, str], status_code: int = 200) -> Response:
    with service_of(request).database.reading() as session:
        found, company, places = delegations.of(session, actor), companies.own(session, actor), places_of(session)
    return render(
        request, "delegate.html", title=TAKE_UP, found=found, company=company, places=places, errors=errors,
        kinds=spoken_all(request, procedure.REGISTER), status_code=status_code,
    )  # fmt: skip
