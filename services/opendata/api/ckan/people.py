"""Users that programs name, and who follows what. Nobody signs in with such a user; keys are made in the municipality's portal."""

import json
import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.opendata.api import shell
from services.opendata.api.ckan.call import Call, actions, invalid, not_allowed, not_found
from services.opendata.api.ckan.directory import user_told
from services.opendata.api.ckan.hidden import own_hidden
from services.opendata.api.ckan.package import CREATOR, Dict
from services.opendata.api.ckan.read import newest_first, shown_entries
from services.opendata.api.ckan.write import allow, changing
from services.opendata.db import FollowRow, PublishedGroupRow, published
from services.opendata.use_cases import directory, programs

ORDERS = ("name", "fullname", "display_name", "created", "number_created_packages", "id")
SAID = ("fullname", "about", "image_url")


def _about(call: Call) -> Dict:
    return {name: str(call.given[name]) for name in SAID if call.given.get(name) is not None}


@actions.writes
def user_create(call: Call) -> Dict:
    """A user who can be a member of divisions and collections. A password is judged and forgotten."""
    allow(call)
    given = {name: str(call.given.get(name) or "") for name in ("name", "email", "password")}
    if call.given.get("password_hash") and not given["password"]:
        given["password"] = "x" * directory.SHORTEST_PASSWORD
    ident = call.given.get("id")
    if ident and not _is_uuid(str(ident)):
        raise invalid(id=["Invalid id provided"])
    with changing(call) as session:
        row = directory.create_user(session, ident, about=_about(call), now=shell.now_of(call.request), **given)
        return user_told(session, row.id)


def _is_uuid(text: str) -> bool:
    try:
        return bool(uuid.UUID(text))
    except ValueError:
        return False


def _change_user(call: Call, *, whole: bool) -> Dict:
    allow(call)
    with changing(call) as session:
        row = directory.get_user(session, call.need("id"))
        usual = {"email": None} if whole else {}
        directory.change_user(session, row, usual | call.given, _about(call))
        return user_told(session, row.id)


@actions.writes
def user_update(call: Call) -> Dict:
    return _change_user(call, whole=True)


@actions.writes
def user_patch(call: Call) -> Dict:
    return _change_user(call, whole=False)


@actions.writes
def user_delete(call: Call) -> None:
    with changing(call) as session:
        directory.delete_user(session, directory.get_user(session, call.need("id")))


@actions.reads
def user_show(call: Call) -> Dict:
    """A user one's own programs named, with the mail address that user_update asks for; without `id`, the key itself.
    `include_datasets`: with what it made."""
    if not call.identified:
        raise not_allowed("User not authorized to read user")
    wanted = str(call.given.get("id") or call.actor.subject)
    with _reading(call) as session:
        if wanted != call.actor.subject and directory.find_user(session, wanted) is None:
            raise not_found("User not found")
        told = user_told(session, wanted)
    return told | _made(call, told["id"], shown=call.flag("include_datasets"))


def _made(call: Call, ident: str, *, shown: bool) -> Dict:
    """How many data sets a key made; `shown`: with the last fifty of them. One's own municipality's private ones and drafts, too."""
    hidden = own_hidden(call, private=True, drafts=True)
    entries = [entry for entry in newest_first(call, hidden) if ident in entry.facets.get(CREATOR, ())]
    datasets = [json.loads(text) for text in shown_entries(call, entries[:50], hidden)] if shown else []
    return {"number_created_packages": len(entries)} | ({"datasets": datasets} if shown else {})


def _without_mail(told: Dict) -> Dict:
    return {name: value for name, value in told.items() if name != "email"}


@actions.reads
def user_list(call: Call) -> list[Any]:
    """The users one's own programs named, by the name that is shown or by `order_by`."""
    q, order = str(call.given.get("q") or "").lower(), str(call.given.get("order_by") or "display_name")
    rows = _users(call)
    if order not in ORDERS:
        raise invalid(order_by=[f"Cannot sort by field `{order}`"])
    found = [each for each in rows if any(q in each[name].lower() for name in ("name", "fullname"))]
    found.sort(key=lambda each: str(each[order] or ""))
    wanted = str(call.given.get("email") or "").lower()
    found = [each for each in found if not wanted or each.get("email", "").lower() == wanted]
    return (
        [_without_mail(each) for each in found] if call.flag("all_fields", True) else [each["name"] for each in found]
    )


def _users(call: Call) -> list[Dict]:
    """By the name that is shown."""
    if not call.identified:
        raise not_allowed("User not authorized to list users")
    with _reading(call) as session:
        rows = [user_told(session, row.id) for row in directory.users(session)]
    return sorted(rows, key=lambda each: str(each["display_name"]))


@actions.reads
def user_autocomplete(call: Call) -> list[Dict]:
    """Users with `q` in a name, or as their mail address: whoever asks for the whole address knows it."""
    q = call.need("q").lower()
    found = [
        each
        for each in _users(call)
        if q in each["name"].lower() or q in each["fullname"].lower() or q == each["email"].lower()
    ]
    return [{name: each[name] for name in ("id", "name", "fullname")} for each in found[: call.number("limit", 20)]]


def _reading(call: Call) -> Any:
    return call.request.app.state.service.database.reading(tenant=call.actor.tenant)


@actions.reads
def get_site_user(call: Call) -> Dict:
    """The program that asks."""
    allow(call)
    return {"name": call.actor.subject, "apikey": None}


KEYS = "access keys are made, listed and revoked by an administrator of the municipality, in the portal"


@actions.writes
def api_token_create(call: Call) -> None:
    """Keys are made by people, in the portal."""
    raise not_allowed(KEYS)


@actions.reads
def api_token_list(call: Call) -> None:
    """Keys are listed in the portal."""
    raise not_allowed(KEYS)


@actions.writes
def api_token_revoke(call: Call) -> None:
    """Keys are revoked in the portal."""
    raise not_allowed(KEYS)


# ---- what CKAN leaves to its sysadmin or to a setting that is off as it comes: refused to every key, in its own words


@actions.reads
def config_option_list(call: Call) -> None:
    raise not_allowed("User not authorized to list config options")


@actions.reads
def config_option_show(call: Call) -> None:
    raise not_allowed("User not authorized to read config options")


@actions.writes
def config_option_update(call: Call) -> None:
    raise not_allowed("User not authorized to update config options")


TASKS, TERMS = "User not authorized to update task_status table", "User not authorized to update term_translation table"


@actions.writes
def task_status_update(call: Call) -> None:
    """Jobs of ours tell their state on the desk's pages; programs keep none of theirs here."""
    raise not_allowed(TASKS)


@actions.writes
def task_status_update_many(call: Call) -> None:
    raise not_allowed(TASKS)


@actions.writes
def task_status_delete(call: Call) -> None:
    raise not_allowed("User not authorized to delete task_status")


@actions.reads
def task_status_show(call: Call) -> None:
    """As there are none, none is found: by `id`, or by `entity_id`, `task_type` and `key`."""
    wanted = ["id"] if call.given.get("id") else ["entity_id", "task_type", "key"]
    if missing := next((name for name in wanted if not call.given.get(name)), None):
        raise invalid(**{missing: ["Missing value"]})
    raise not_found()


@actions.writes
def term_translation_update(call: Call) -> None:
    raise not_allowed(TERMS)


@actions.writes
def term_translation_update_many(call: Call) -> None:
    raise not_allowed(TERMS)


@actions.reads
def term_translation_show(call: Call) -> list[Dict]:
    """No word of a data set has a translation: there is none of `terms`."""
    if not call.given.get("terms"):
        raise invalid(terms=["Missing value"])
    return []


COLLABORATORS = "Dataset collaborators not enabled"


@actions.writes
def package_collaborator_create(call: Call) -> None:
    """Who may change a data set is whoever has a key of its municipality."""
    raise not_allowed(COLLABORATORS)


@actions.writes
def package_collaborator_delete(call: Call) -> None:
    raise not_allowed(COLLABORATORS)


@actions.reads
def package_collaborator_list(call: Call) -> None:
    raise not_allowed(COLLABORATORS)


@actions.reads
def package_collaborator_list_for_user(call: Call) -> None:
    raise not_allowed(COLLABORATORS)


# ---- following


def _followees(call: Call, kind: str = "") -> list[FollowRow]:
    allow(call)
    with _reading(call) as session:
        return [row for row in directory.followed_by(session, call.actor.subject) if kind in ("", row.kind)]


@actions.reads
def followee_list(call: Call) -> list[Dict]:
    """What the key follows, as far as it may still be read; `q`: the beginning of its name."""
    q = str(call.given.get("q") or "").strip().lower()
    with _reading(call) as session:
        told = [_followee(call, session, row) for row in _followees(call)]
    return [each for each in told if each is not None and each["display_name"].lower().startswith(q)]


def _followee(call: Call, session: Session, row: FollowRow) -> Dict | None:
    match row.kind:
        case "dataset":
            row_shown = published.find(session, row.object_id)
            own = programs.find(session, row.object_id)
            if row_shown is not None and row_shown.state == "published":
                name, title = row_shown.name, row_shown.document["title"]
            elif own is not None and own.state == "draft":
                name, title = own.name, own.title
            else:
                return None
        case "user":
            user = directory.find_user(session, row.object_id)
            if user is None:
                return None
            name, title = user.name, user.about.get("fullname") or user.name
        case _:
            made = session.get(PublishedGroupRow, row.object_id)
            name, title = (made.name, made.title or made.name) if made else call.catalogue.place(row.object_id)
    kind = "organization" if row.kind == "group" and _is_organization(session, row.object_id) else row.kind
    return {"type": kind, "display_name": title, "dict": {"id": row.object_id, "name": name, "title": title}}


def _is_organization(session: Session, ident: str) -> bool:
    made = session.get(PublishedGroupRow, ident)
    return made is None or made.kind == "organization"


def _followed(call: Call, *kinds: str) -> list[Dict]:
    return [each["dict"] for each in followee_list(call) if each["type"] in kinds]


@actions.reads
def dataset_followee_list(call: Call) -> list[Dict]:
    return _followed(call, "dataset")


@actions.reads
def group_followee_list(call: Call) -> list[Dict]:
    return _followed(call, "group")


@actions.reads
def organization_followee_list(call: Call) -> list[Dict]:
    return _followed(call, "organization")


@actions.reads
def user_followee_list(call: Call) -> list[Dict]:
    return _followed(call, "user")


@actions.reads
def followee_count(call: Call) -> int:
    return len(_followees(call))


@actions.reads
def dataset_followee_count(call: Call) -> int:
    return len(_followees(call, "dataset"))


@actions.reads
def group_followee_count(call: Call) -> int:
    with _reading(call) as session:
        return sum(not _is_organization(session, row.object_id) for row in _followees(call, "group"))


@actions.reads
def organization_followee_count(call: Call) -> int:
    with _reading(call) as session:
        return sum(_is_organization(session, row.object_id) for row in _followees(call, "group"))


@actions.reads
def user_followee_count(call: Call) -> int:
    return len(_followees(call, "user"))


def _object(call: Call, session: Session, kind: str) -> tuple[str, str]:
    """(id, tenant) of what may be followed. Invalid for what is not there, as CKAN says it."""
    wanted = call.given.get("id")
    if not isinstance(wanted, str) or not wanted.strip():
        raise invalid(id=["Missing value"])
    if kind == "dataset":
        row = published.find(session, wanted)
        own = programs.find(session, wanted) if session.info.get("tenant") else None
        found = (row.id, row.tenant) if row else (own.id, own.tenant_id) if own else None
    elif kind == "group":
        found = _group(call, session, wanted)
    else:
        user = directory.find_user(session, wanted) if session.info.get("tenant") else None
        found = (user.id, user.tenant_id) if user else None
    if found is None:
        raise invalid(id=[f"Not found: {kind.title()}"])
    return found


def _group(call: Call, session: Session, wanted: str) -> tuple[str, str] | None:
    query = select(PublishedGroupRow).where(
        (PublishedGroupRow.id == wanted) | (PublishedGroupRow.name == wanted),
        PublishedGroupRow.kind.in_(("organization", "group")),
    )
    if (made := session.scalar(query)) is not None:
        return made.id, made.tenant
    places = call.catalogue.places
    return next(((tenant, tenant) for tenant, (code, _) in places.items() if wanted in (tenant, code)), None)


def _follow(call: Call, kind: str) -> Dict:
    with changing(call) as session:
        ident, tenant = _object(call, session, kind)
        row = directory.follow(session, call.actor.subject, kind, ident, tenant, shell.now_of(call.request))
        return {"follower_id": row.follower, "object_id": ident, "datetime": row.created_at.isoformat()}


def _unfollow(call: Call, kind: str) -> None:
    with changing(call) as session:
        directory.unfollow(session, call.actor.subject, kind, _object(call, session, kind)[0])


def _followers(call: Call, kind: str) -> list[str]:
    with _reading(call) as session:
        return directory.followers(session, kind, _object(call, session, kind)[0])


def _follower_list(call: Call, kind: str) -> list[Dict]:
    allow(call)
    with _reading(call) as session:
        return [user_told(session, ident) for ident in _followers(call, kind)]


@actions.writes
def follow_dataset(call: Call) -> Dict:
    return _follow(call, "dataset")


@actions.writes
def follow_group(call: Call) -> Dict:
    return _follow(call, "group")


@actions.writes
def follow_user(call: Call) -> Dict:
    if call.given.get("id") == call.actor.subject:
        raise invalid(message=["You cannot follow yourself"])
    return _follow(call, "user")


@actions.writes
def unfollow_dataset(call: Call) -> None:
    _unfollow(call, "dataset")


@actions.writes
def unfollow_group(call: Call) -> None:
    _unfollow(call, "group")


@actions.writes
def unfollow_user(call: Call) -> None:
    _unfollow(call, "user")


@actions.reads
def dataset_follower_count(call: Call) -> int:
    return len(_followers(call, "dataset"))


@actions.reads
def group_follower_count(call: Call) -> int:
    return len(_followers(call, "group"))


@actions.reads
def user_follower_count(call: Call) -> int:
    return len(_followers(call, "user"))


@actions.reads
def dataset_follower_list(call: Call) -> list[Dict]:
    return _follower_list(call, "dataset")


@actions.reads
def group_follower_list(call: Call) -> list[Dict]:
    return _follower_list(call, "group")


@actions.reads
def user_follower_list(call: Call) -> list[Dict]:
    return _follower_list(call, "user")


@actions.reads
def am_following_dataset(call: Call) -> bool:
    allow(call)
    return call.actor.subject in _followers(call, "dataset")


@actions.reads
def am_following_group(call: Call) -> bool:
    allow(call)
    return call.actor.subject in _followers(call, "group")


@actions.reads
def am_following_user(call: Call) -> bool:
    allow(call)
    return call.actor.subject in _followers(call, "user")


@actions.reads
def organization_follower_count(call: Call) -> int:
    return len(_followers(call, "group"))


@actions.reads
def organization_follower_list(call: Call) -> list[Dict]:
    return _follower_list(call, "group")
