"""部署と委任: `/portal/{code}/departments/` for administrators, `/portal/{code}/delegated/` for whom they trust with a part."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid
from services.tenants.api import view
from services.tenants.db import departments as db
from services.tenants.db import members as members_db
from services.tenants.domain import catalogue
from services.tenants.use_cases import departments

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]
Many = Annotated[list[str], Form()]
NONE: Any = []


# ---- administrators -------------------------------------------------------------------------------------------------


@router.get("/portal/{code}/departments/")
def show(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    return _page(request, actor)


def _page(
    request: Request, actor: Actor, error: Invalid | None = None, typed: dict[str, Any] | None = None
) -> Response:
    town, reader = view.municipality_of(request, actor), view.reader_of(request)
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        rows, people = db.departments(session), db.people(session)
        present = sorted(members_db.roles_of(session, town.tenant_id))
        given = db.holding(session, view.today_of(request), town.tenant_id)
    services = [(key, reader(catalogue.service(key).short)) for key in departments.DELEGABLE]
    return view.portal_page(
        request,
        "portal/departments.html",
        town,
        f"/portal/{town.code}/members/",
        status_code=error.status if error else 200,
        rows=rows,
        people=people,
        names=_names(request, present),
        given=given,
        services=services,
        whats=[(f"service:{key}", label) for key, label in services] + [(f"department:{r.id}", r.name) for r in rows],
        typed={"form": "", "name": "", "services": [], "person": "", "what": "", "until": ""} | (typed or {}),
        errors=view.told(request, error.fields) if error else {},
    )


def _names(request: Request, ids: list[str]) -> dict[str, str]:
    """Person → name; the id itself while the gateway does not answer."""
    persons = view.neighbours_of(request).persons(ids)
    return {each: persons[each].name if each in persons else each for each in ids}


@router.post("/portal/{code}/departments/")
def make(
    request: Request,
    code: str,
    name: Text = "",
    services: Many = NONE,
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            departments.make(session, actor, name, set(services), view.now_of(request))
    except Invalid as error:
        return _page(request, actor, error, {"form": "make", "name": name, "services": services})
    return view.see_other(f"/portal/{code}/departments/")


@router.post("/portal/{code}/departments/{department_id}")
def change(
    request: Request,
    code: str,
    department_id: str,
    name: Text = "",
    services: Many = NONE,
    people: Many = NONE,
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            departments.change(session, actor, department_id, name, set(services), set(people), view.now_of(request))
    except Invalid as error:
        known = Invalid(
            error.message, fields={f"{field}-{department_id}": text for field, text in error.fields.items()}
        )
        typed = {"form": department_id, "name": name, "services": services, "people": people}
        return _page(request, actor, known, typed)
    return view.see_other(f"/portal/{code}/departments/")


@router.post("/portal/{code}/departments/{department_id}/remove")
def remove(request: Request, code: str, department_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        departments.remove(session, actor, department_id, view.now_of(request))
    return view.see_other(f"/portal/{code}/departments/")


@router.post("/portal/{code}/delegations/")
def delegate(
    request: Request,
    code: str,
    person: Text = "",
    what: Text = "",
    until: Text = "",
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    kind, _, subject = what.partition(":")
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            departments.delegate(session, actor, person, kind, subject, _day(until), view.now_of(request))
    except Invalid as error:
        return _page(request, actor, error, {"form": "delegate", "person": person, "what": what, "until": until})
    return view.see_other(f"/portal/{code}/departments/")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


@router.post("/portal/{code}/delegations/{delegation_id}/end")
def end(request: Request, code: str, delegation_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        departments.end(session, actor, delegation_id, view.now_of(request))
    return view.see_other(f"/portal/{code}/departments/")


# ---- whom they trust with a part -------------------------------------------------------------------------------------


@router.get("/portal/{code}/delegated/")
def delegated(request: Request, code: str, actor: Actor = access.staff(departments.ROLE)) -> Response:
    """What this person administers, and for whom they may change which roles."""
    return _delegated(request, actor)


def _delegated(request: Request, actor: Actor, error: Invalid | None = None) -> Response:
    town, today = view.municipality_of(request, actor), view.today_of(request)
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        mine = [row for row in db.holding(session, today, town.tenant_id) if row.person_id == actor.subject]
        present = members_db.roles_of(session, town.tenant_id)
        names = {row.id: row.name for row in db.departments(session)}
        reaches = [(row, *departments.reach(session, row)) for row in mine]
    return view.delegate_page(
        request,
        "portal/delegated.html",
        town,
        status_code=error.status if error else 200,
        errors=view.told(request, error.fields) if error else {},
        parts=[
            {
                "row": row,
                "name": names.get(row.subject) or catalogue.service(row.subject).name,
                "roles": view.told(request, roles),
                "people": sorted(people),
            }
            for row, roles, people in reaches
        ],
        present=present,
        persons=_names(request, sorted({person for _, _, people in reaches for person in people})),
    )


@router.post("/portal/{code}/delegated/{delegation_id}/{person_id}")
def change_roles(
    request: Request,
    code: str,
    delegation_id: str,
    person_id: str,
    roles: Many = NONE,
    actor: Actor = access.staff(departments.ROLE),
) -> Response:
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            now = view.now_of(request)
            departments.change_roles(session, actor, delegation_id, person_id, set(roles), now)
    except Invalid as error:
        return _delegated(request, actor, error)
    return view.see_other(f"/portal/{code}/delegated/")
