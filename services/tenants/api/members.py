"""職員と権限: who may do what for a municipality; the same page serves the council's own people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from libs.common import access, audit
from libs.common.actor import Actor
from libs.common.errors import Invalid, Refusal, say
from services.tenants.api import view
from services.tenants.db import members as members_db
from services.tenants.use_cases import members

router = APIRouter(include_in_schema=False)

Roles = Annotated[list[str], Form()]
Text = Annotated[str, Form()]


@dataclass(frozen=True)
class Room:
    """Where the page stands: whose members, which roles can be given, and how the page's frame is made."""

    base: str
    roles: dict[str, str]
    page: Callable[..., Response]
    tenant_name: str


def _portal_room(request: Request, actor: Actor) -> Room:
    town = view.municipality_of(request, actor)
    base = f"/portal/{town.code}/members/"

    def page(template: str, **context: Any) -> Response:
        return view.portal_page(request, template, town, base, **context)

    roles = members.ROLES if town.counted else {**members.ROLES, **members.COUNCIL_ROLES}
    return Room(base, view.told(request, roles), page, town.name)


def _operator_room(request: Request, actor: Actor) -> Room:
    base = "/operator/members/"

    def page(template: str, **context: Any) -> Response:
        return view.operator_page(request, template, base, **context)

    return Room(base, view.told(request, members.COUNCIL_ROLES), page, view.council_name(view.service_of(request)))


# ---- routes: the municipality's, and the council's -------------------------------------------------------------------


@router.get("/portal/{code}/members/")
def portal_members(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    return _show(request, actor, _portal_room(request, actor))


@router.post("/portal/{code}/members/")
def portal_invite(
    request: Request,
    code: str,
    email: Text = "",
    name: Text = "",
    roles: Roles = [],  # noqa: B006 (FastAPI copies it)
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    return _invite(request, actor, _portal_room(request, actor), email, name, set(roles))


@router.post("/portal/{code}/members/{person_id}")
def portal_change(
    request: Request,
    code: str,
    person_id: str,
    roles: Roles = [],  # noqa: B006
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    return _change(request, actor, _portal_room(request, actor), person_id, set(roles))


@router.get("/operator/members/")
def operator_members(request: Request, actor: Actor = access.operator()) -> Response:
    return _show(request, actor, _operator_room(request, actor))


@router.post("/operator/members/")
def operator_invite(
    request: Request,
    email: Text = "",
    name: Text = "",
    roles: Roles = [],  # noqa: B006
    actor: Actor = access.operator(),
) -> Response:
    return _invite(request, actor, _operator_room(request, actor), email, name, set(roles))


@router.post("/operator/members/{person_id}")
def operator_change(
    request: Request,
    person_id: str,
    roles: Roles = [],  # noqa: B006
    actor: Actor = access.operator(),
) -> Response:
    return _change(request, actor, _operator_room(request, actor), person_id, set(roles))


# ---- what they do ---------------------------------------------------------------------------------------------------


def _show(
    request: Request, actor: Actor, room: Room, error: Invalid | None = None, typed: dict[str, Any] | None = None
) -> Response:
    with view.service_of(request).database.reading() as session:
        present = members_db.roles_of(session, actor.tenant or "")
    persons = view.neighbours_of(request).persons(list(present))
    rows = [
        {
            "id": person_id,
            "name": persons[person_id].name if person_id in persons else "",
            "email": persons[person_id].email if person_id in persons else "",
            "invited": person_id in persons and not persons[person_id].active,
            "roles": roles,
            "me": person_id == actor.subject,
        }
        for person_id, roles in present.items()
    ]
    return room.page(
        "portal/members.html",
        status_code=error.status if error else 200,
        rows=sorted(rows, key=lambda r: (not r["me"], r["name"], r["id"])),
        names_known=bool(persons) or not present,
        room=room,
        transfer=f"/portal/{actor.code}/transfer/" if room.base.startswith("/portal/") else "",
        errors=view.told(request, error.fields) if error else {},
        typed=typed or {"email": "", "name": "", "roles": []},
    )


def _invite(request: Request, actor: Actor, room: Room, email: str, name: str, roles: set[str]) -> Response:
    """The gateway keeps the address and mails the invitation; here only the id and the roles are kept."""
    typed = {"email": email, "name": name, "roles": sorted(roles)}
    try:
        check_invitation(room.roles, email, name, roles)
        person_id = view.neighbours_of(request).invite(
            email.strip(), name.strip(), room.tenant_name, members.roles_text(roles)
        )
    except Invalid as error:
        if not error.fields:
            error = Invalid(error.message, fields={"email": error.message})
        return _show(request, actor, room, error, typed)
    now = view.now_of(request)
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        audit.record(session, actor, "member.invited", person_id, detail={"roles": sorted(roles)}, now=now)
        members.grant(session, actor, actor.tenant or "", person_id, roles, now)
    return view.see_other(room.base)


def check_invitation(offered: Mapping[str, str], email: str, name: str, roles: set[str]) -> None:
    """Raises Invalid naming each field that is wrong; `offered`: the roles that can be given, by key."""
    fields = {}
    if "@" not in email or len(email) > 300:
        fields["email"] = say("メールアドレスの形が合いません。「@」を含めて入力してください。")
    if not name.strip() or len(name) > 100:
        fields["name"] = say("お名前を100文字までで入力してください。")
    if not roles or not roles <= set(offered):
        fields["roles"] = say("権限を1つ以上選んでください。")
    if fields:
        raise Invalid(say("直していただくところがあります。"), fields=fields)


def _change(request: Request, actor: Actor, room: Room, person_id: str, roles: set[str]) -> Response:
    """Only those who are already members can be changed here; roles of another room stay as they are."""
    tenant = actor.tenant or ""
    with view.service_of(request).database.transaction(tenant=tenant) as session:
        had = members.present(session, tenant).get(person_id)
        if had is None:
            raise Refusal(say("この方の権限は、もうありません。一覧から確かめてください。"), code="not-a-member")
        kept = had - set(room.roles)
        members.change(session, actor, tenant, person_id, (roles & set(room.roles)) | kept, view.now_of(request))
    return view.see_other(room.base)
