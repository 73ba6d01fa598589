"""Organizations, groups and members. Municipalities are organizations and themes are groups without anybody making them; a key
makes divisions (organizations) and collections (groups) of its own municipality beside them."""

import uuid
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.opendata.api import shell
from services.opendata.api.ckan.call import Call, Given, actions, invalid, not_found
from services.opendata.api.ckan.package import Dict, moment
from services.opendata.api.ckan.read import GROUP_KEYS, group_told, listing, organizations, packages, themes
from services.opendata.api.ckan.write import allow, changing
from services.opendata.db import GroupRow, MemberRow, PublishedGroupRow
from services.opendata.domain.vocabulary import THEMES
from services.opendata.use_cases import directory, programs
from services.opendata.use_cases.directory import GroupWish

OURS = {*GROUP_KEYS, "users", "packages", "datasets", "groups", "id", "name", "title", "state"}


def _wish(given: Given, *, whole: bool) -> GroupWish:
    for name in ("name", "title", "description"):
        if given.get(name) is not None and not isinstance(given[name], str):
            raise invalid(**{name: ["Must be a Unicode string value"]})
    about: Dict = {"description": "", "image_url": "", "extras": []} if whole else {}
    about |= {
        name: given[name]
        for name in ("description", "image_url", "type", "approval_status")
        if given.get(name) is not None
    }
    if isinstance(given.get("groups"), list):
        about["parents"] = [each for each in given["groups"] if isinstance(each, dict)]
    if given.get("extras") is not None:
        about["extras"] = _extras(given["extras"])
    about |= {name: value for name, value in given.items() if name not in OURS}
    title = given.get("title", "" if whole else None)
    return GroupWish(given.get("name"), title, about, given.get("state"))


def _extras(given: Any) -> list[Dict]:
    if not isinstance(given, list) or not all(isinstance(each, dict) and each.get("key") for each in given):
        raise invalid(extras=[{"key": ["Missing value"]}])
    return [{"key": str(each["key"]), "value": each.get("value")} for each in given]


def _ident(given: Given) -> str | None:
    ident = given.get("id")
    try:
        return str(uuid.UUID(str(ident))) if ident else None
    except ValueError:
        raise invalid(id=["Invalid id provided"]) from None


# ---- showing


def _shown(call: Call, session: Session, row: PublishedGroupRow) -> Dict:
    told = group_told(call, row)
    told |= {
        "users": _users(call, session, row.id),
        "groups": _parents(session, row),
        "extras": _extras(row.about.get("extras", [])),
    }
    if call.flag("include_datasets"):
        told["packages"] = packages(call, "division" if row.kind == "organization" else "collection", row.name)
    return told


def _parents(session: Session, row: PublishedGroupRow) -> list[Dict]:
    """What this one was put under (CKAN's hierarchy), while it is there."""
    names = [str(each.get("name") or each.get("id") or "") for each in row.about.get("parents", [])]
    found = [_published(session, name) for name in names if name]
    told = [each for each in found if each is not None and each.state == "active"]
    return [
        {"id": each.id, "name": each.name, "title": each.title, "display_name": each.title or each.name}
        for each in told
    ]


def _users(call: Call, session: Session, group_id: str) -> list[Dict]:
    """Members are shown to whom they belong."""
    if not call.flag("include_users", True) or not call.identified or session.info.get("tenant") is None:
        return []
    rows = [row for row in directory.members(session, group_id) if row.kind == "user"]
    return [user_told(session, row.object_id) | {"capacity": row.capacity} for row in rows]


def user_told(session: Session, ident: str) -> Dict:
    """A user that programs named, or the program itself."""
    row = directory.find_user(session, ident)
    told: Dict = {
        "id": ident, "name": row.name if row else ident, "fullname": "", "about": None, "state": row.state if row else "active",
        "created": moment(row.created_at.isoformat()) if row else None, "image_url": "", "sysadmin": False, "last_active": None,
        "activity_streams_email_notifications": False, "number_created_packages": 0, "image_display_url": "",
    }  # fmt: skip
    if row:
        told |= {"id": row.id, "email": row.email, **row.about}
    return told | {"display_name": told["fullname"] or told["name"], "image_display_url": told["image_url"]}


def _reading(call: Call) -> AbstractContextManager[Session]:
    """What everybody may read, and to a key its municipality's own."""
    return call.request.app.state.service.database.reading(tenant=call.actor.tenant if call.identified else None)


def _show(call: Call, kind: str) -> Dict:
    """As CKAN tells it; without its number of data sets where `include_dataset_count` says so."""
    told = _found(call, kind)
    return {k: v for k, v in told.items() if k != "package_count" or call.flag("include_dataset_count", True)}


def _found(call: Call, kind: str) -> Dict:
    wanted = call.need("id")
    if kind == "organization":
        fixed = next((each for each in organizations(call) if wanted in (each["id"], each["name"])), None)
    else:
        fixed = next((each for each in themes(call) if wanted.lower() == each["id"]), None)
    if fixed is not None:
        fixed |= {"extras": [], "groups": [], "users": []}
        facet, value = ("municipality", fixed["id"]) if kind == "organization" else ("theme", wanted.upper())
        return fixed | ({"packages": packages(call, facet, value)} if call.flag("include_datasets") else {})
    with _reading(call) as session:
        row, tenant = _published(session, wanted), session.info.get("tenant")
        if row is None or row.kind != kind or (row.state != "active" and row.tenant != tenant):
            raise not_found("Organization was not found." if kind == "organization" else "Group was not found.")
        return _shown(call, session, row)


def _published(session: Session, name_or_id: str) -> PublishedGroupRow | None:
    query = select(PublishedGroupRow).where(
        (PublishedGroupRow.id == name_or_id) | (PublishedGroupRow.name == name_or_id)
    )
    return session.scalar(query)


@actions.reads
def organization_show(call: Call) -> Dict:
    """A municipality, or one of its divisions; with its last ten data sets if `include_datasets`."""
    return _show(call, "organization")


@actions.reads
def group_show(call: Call) -> Dict:
    """A theme, or a collection of data sets."""
    return _show(call, "group")


@actions.reads
def group_package_show(call: Call) -> list[Dict]:
    """The data sets of a theme or collection, the last changed first."""
    told, limit = _show(call, "group"), call.number("limit", 1000, 1000)
    theme = told["id"].upper()
    return (
        packages(call, "theme", theme, limit) if theme in THEMES else packages(call, "collection", told["name"], limit)
    )


@actions.reads
def group_list_authz(call: Call) -> list[Dict]:
    """The collections the key may put data sets into: those of its municipality."""
    if not call.identified:
        return []
    with call.reading() as session:
        query = select(PublishedGroupRow).where(
            PublishedGroupRow.kind == "group",
            PublishedGroupRow.tenant == call.actor.tenant,
            PublishedGroupRow.state == "active",
        )
        return [group_told(call, row) for row in session.scalars(query)]


ROLES = {"admin": "Admin", "editor": "Editor", "member": "Member"}


@actions.reads
def member_roles_list(call: Call) -> list[Dict]:
    """What a member of a division or collection can be. A collection has no editors."""
    of_groups = call.given.get("group_type") == "group"
    return [{"text": text, "value": role} for role, text in ROLES.items() if not (of_groups and role == "editor")]


def _all(call: Call, kind: str) -> list[Dict]:
    with _reading(call) as session:
        query = select(PublishedGroupRow).where(PublishedGroupRow.kind == kind, PublishedGroupRow.state == "active")
        made = [_listed(call, session, row) for row in session.scalars(query)]
    wanted = call.given.get("type") or kind
    used = (each for each in themes(call) if each["package_count"])
    fixed = organizations(call) if kind == "organization" else [each | {"extras": []} for each in used]
    nobody: Dict = {"users": []} if call.flag("include_users") else {}
    return [each for each in [*(each | nobody for each in fixed), *made] if each["type"] == wanted]


def _listed(call: Call, session: Session, row: PublishedGroupRow) -> Dict:
    told = group_told(call, row)
    if call.flag("include_users"):
        told["users"] = _users(call, session, row.id)
    if call.flag("include_extras"):
        told["extras"] = row.about.get("extras", [])
    return told | ({"groups": row.about.get("parents", [])} if call.flag("include_groups") else {})


@actions.reads
def organization_list(call: Call) -> list[Any]:
    """The municipalities and their divisions."""
    return listing(call, _all(call, "organization"))


@actions.reads
def group_list(call: Call) -> list[Any]:
    """The themes, and the municipalities' collections."""
    return listing(call, _all(call, "group"))


def _completed(call: Call, kind: str) -> list[Dict]:
    q = str(call.given.get("q") or "").lower()
    found = [each for each in _all(call, kind) if q in each["name"] or q in each["title"].lower() or q == each["id"]]
    return [{name: each[name] for name in ("id", "name", "title")} for each in found[: call.number("limit", 20)]]


@actions.reads
def organization_autocomplete(call: Call) -> list[Dict]:
    return _completed(call, "organization")


@actions.reads
def group_autocomplete(call: Call) -> list[Dict]:
    return _completed(call, "group")


@actions.reads
def organization_list_for_user(call: Call) -> list[Dict]:
    """The municipality the key belongs to, and its divisions."""
    if not call.identified:
        return []
    tenant = call.actor.tenant
    mine = [each for each in organizations(call) if each["id"] == tenant]
    with call.reading() as session:
        query = select(PublishedGroupRow).where(
            PublishedGroupRow.kind == "organization",
            PublishedGroupRow.tenant == tenant,
            PublishedGroupRow.state == "active",
        )
        mine += [group_told(call, row) for row in session.scalars(query)]
    return [each | {"capacity": "admin"} for each in mine]


# ---- making and changing


def _create(call: Call, kind: str) -> Dict:
    allow(call)
    with changing(call) as session:
        row = directory.create_group(
            session, call.actor, kind, _ident(call.given), _wish(call.given, whole=True), _now(call)
        )
        _join_said(call, session, row)
        session.flush()
        return _shown(call, session, session.get_one(PublishedGroupRow, row.id))


def _join_said(call: Call, session: Session, row: GroupRow) -> None:
    """Members said along: `users`, each with a name and a capacity; an empty list: nobody."""
    if call.given.get("users") == []:
        directory.leave_all(session, row.id)
    for each in call.given.get("users") or []:
        if isinstance(each, dict) and (
            user := directory.find_user(session, str(each.get("name") or each.get("id") or ""))
        ):
            directory.join(session, row.id, "user", user.id, str(each.get("capacity") or "member"))


def _change(call: Call, kind: str, *, whole: bool) -> Dict:
    allow(call)
    with changing(call) as session:
        row = directory.get_group(session, kind, call.need("id", "name"))
        directory.change_group(session, row, _wish(call.given, whole=whole), _now(call))
        _join_said(call, session, row)
        _put_said(call, session, row)
        return _shown(call, session, session.get_one(PublishedGroupRow, row.id))


def _put_said(call: Call, session: Session, row: GroupRow) -> None:
    """A collection's data sets said along (`packages`, by name or id) are all of its data sets then, as in CKAN."""
    said = call.given.get("packages")
    if row.kind != "group" or not isinstance(said, list):
        return
    names = [str(each.get("name") or each.get("id") or "") for each in said if isinstance(each, dict)]
    wanted = {each.id: each for each in (programs.get(session, name) for name in names if name)}
    present = {each.id: each for each in directory.in_group(session, row.id)}
    for ident in present.keys() - wanted.keys():
        directory.put_in_group(session, present[ident], row.id, _now(call), out=True)
    for ident in wanted.keys() - present.keys():
        directory.put_in_group(session, wanted[ident], row.id, _now(call))


def _delete(call: Call, kind: str, *, purge: bool = False) -> None:
    allow(call)
    with changing(call) as session:
        row = directory.get_group(session, kind, call.need("id"))
        (directory.purge_group if purge else directory.delete_group)(session, row, _now(call))


def _now(call: Call) -> Any:
    return shell.now_of(call.request)


@actions.writes
def organization_create(call: Call) -> Dict:
    """A division of the key's municipality."""
    return _create(call, "organization")


@actions.writes
def organization_update(call: Call) -> Dict:
    return _change(call, "organization", whole=True)


@actions.writes
def organization_patch(call: Call) -> Dict:
    return _change(call, "organization", whole=False)


@actions.writes
def organization_delete(call: Call) -> None:
    """It is shown no more; its data sets stay, with the municipality."""
    _delete(call, "organization")


@actions.writes
def organization_purge(call: Call) -> None:
    _delete(call, "organization", purge=True)


@actions.writes
def group_create(call: Call) -> Dict:
    """A collection of data sets of the key's municipality."""
    return _create(call, "group")


@actions.writes
def group_update(call: Call) -> Dict:
    return _change(call, "group", whole=True)


@actions.writes
def group_patch(call: Call) -> Dict:
    return _change(call, "group", whole=False)


@actions.writes
def group_delete(call: Call) -> None:
    _delete(call, "group")


@actions.writes
def group_purge(call: Call) -> None:
    _delete(call, "group", purge=True)


# ---- members


@actions.reads
def member_list(call: Call) -> list[Any]:
    """(id, kind, capacity) of what belongs to a group or organization of one's own."""
    wanted, kind, capacity = call.need("id"), call.given.get("object_type"), call.given.get("capacity")
    allow(call)
    with call.request.app.state.service.database.reading(tenant=call.actor.tenant) as session:
        row = _own(session, wanted)
        found = [(each.object_id, each.kind, each.capacity.title()) for each in directory.members(session, row.id)]
        in_it = directory.in_group(session, row.id)
    found += [(each.id, "package", "Public") for each in in_it if each.state != "withdrawn"]
    return [each for each in found if kind in (None, each[1]) and capacity in (None, each[2].lower())]


def _own(session: Session, wanted: str) -> GroupRow:
    return directory.find_group(session, "organization", wanted) or directory.get_group(session, "group", wanted)


@actions.writes
def member_create(call: Call) -> Dict:
    """A user or a data set into a group or organization."""
    ident, object_, kind, capacity = (call.need(name) for name in ("id", "object", "object_type", "capacity"))
    with changing(call) as session:
        _check_kind(kind)
        row = _own(session, ident)
        if kind == "package":
            dataset = programs.get(session, object_)
            directory.put_in_group(session, dataset, row.id, _now(call))
            return _member(MemberRow(group_id=row.id, kind=kind, object_id=dataset.id, capacity=capacity))
        user = directory.get_user(session, object_) if kind == "user" else None
        return _member(directory.join(session, row.id, kind, user.id if user else object_, capacity))


def _check_kind(kind: str) -> None:
    if kind not in ("package", "user", "group"):
        raise invalid(object_type=[f"{kind} is not a valid object_type"])


def _member(row: MemberRow) -> Dict:
    return {
        "id": f"{row.group_id}:{row.object_id}", "group_id": row.group_id, "table_id": row.object_id, "table_name": row.kind,
        "capacity": row.capacity, "state": "active",
    }  # fmt: skip


@actions.writes
def member_delete(call: Call) -> None:
    ident, object_, kind = (call.need(name) for name in ("id", "object", "object_type"))
    with changing(call) as session:
        _check_kind(kind)
        row = _own(session, ident)
        if kind == "package":
            directory.put_in_group(session, programs.get(session, object_), row.id, _now(call), out=True)
            return
        user = directory.find_user(session, object_) if kind == "user" else None
        directory.leave(session, row.id, kind, user.id if user else object_)


def _member_of(call: Call, kind: str) -> Dict:
    ident, name, role = (call.need(each) for each in ("id", "username", "role"))
    with changing(call) as session:
        row = directory.get_group(session, kind, ident)
        return _member(directory.join(session, row.id, "user", directory.get_user(session, name).id, role))


def _no_member_of(call: Call, kind: str) -> None:
    ident, name = call.need("id"), call.need("username", "user_id")
    with changing(call) as session:
        row = directory.get_group(session, kind, ident)
        directory.leave(session, row.id, "user", directory.get_user(session, name).id)


@actions.writes
def organization_member_create(call: Call) -> Dict:
    return _member_of(call, "organization")


@actions.writes
def organization_member_delete(call: Call) -> None:
    _no_member_of(call, "organization")


@actions.writes
def group_member_create(call: Call) -> Dict:
    return _member_of(call, "group")


@actions.writes
def group_member_delete(call: Call) -> None:
    _no_member_of(call, "group")
