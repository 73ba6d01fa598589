"""`/operator/registry/{tenant}/admins`: an operator lets the first administrator of a municipality in.

Only while nobody could do it from inside: an administrator who has a password invites the others. So operators never add
themselves to a municipality that has one (`docs/operators.md` says what to do when the only one left and the mailbox with them).
"""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from libs.common import access, audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from services.tenants.api import view
from services.tenants.api.members import check_invitation
from services.tenants.db import members as members_db
from services.tenants.domain.municipality import Municipality
from services.tenants.neighbours import Person
from services.tenants.use_cases import members, registry

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]
ROLE = "portal.admin"


@router.get("/operator/registry/{tenant}/admins")
def show(request: Request, tenant: str, actor: Actor = access.operator()) -> Response:
    """Who lets the municipality's people in, and the form where nobody does yet."""
    return _page(request, _town(request, tenant))


@router.post("/operator/registry/{tenant}/admins")
def invite(
    request: Request, tenant: str, email: Text = "", name: Text = "", actor: Actor = access.operator()
) -> Response:
    """Mail an invitation; who was invited is in the municipality's own record. Conflict where somebody can do it from inside."""
    town = _town(request, tenant)
    present, persons = _admins(request, town)
    if not _may_invite(present, persons):
        raise Conflict(
            say("この市町村には、もう管理者がいます。ほかの方は、その管理者が招待します。"), code="has-admin"
        )
    try:
        check_invitation({ROLE: ""}, email, name, {ROLE})
        person = view.neighbours_of(request).invite(email.strip(), name.strip(), town.name, members.roles_text({ROLE}))
    except Invalid as error:
        return _page(request, town, error, {"email": email, "name": name})
    now = view.now_of(request)
    with view.service_of(request).database.transaction(tenant=town.tenant_id) as session:
        audit.record(session, actor, "member.invited", person, detail={"roles": [ROLE]}, now=now)
        members.grant(session, actor, town.tenant_id, person, {ROLE}, now)
    return view.see_other(f"/operator/registry/{tenant}/admins")


def _town(request: Request, tenant: str) -> Municipality:
    with view.service_of(request).database.reading() as session:
        return registry.present(session, tenant, view.today_of(request))


def _admins(request: Request, town: Municipality) -> tuple[list[str], dict[str, Person]]:
    """Ids of the administrators, and what the gateway knows of them: nothing while it does not answer."""
    with view.service_of(request).database.reading() as session:
        roles = members_db.roles_of(session, town.tenant_id)
    present = sorted(person for person, held in roles.items() if ROLE in held)
    return present, view.neighbours_of(request).persons(present)


def _may_invite(present: list[str], persons: Mapping[str, Person]) -> bool:
    """Whether every administrator is known to have no password yet: an address that was mistyped does not lock the town out."""
    return all(person in persons and not persons[person].active for person in present)


def _page(
    request: Request, town: Municipality, error: Invalid | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    present, persons = _admins(request, town)
    return view.operator_page(
        request,
        "operator/admins.html",
        "/operator/registry",
        status_code=error.status if error else 200,
        errors=view.told(request, error.fields or {"email": error.message}) if error else {},
        typed=typed or {"email": "", "name": ""},
        town=town,
        rows=[(persons.get(person), person) for person in present],
        may_invite=_may_invite(present, persons),
    )
