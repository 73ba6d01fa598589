"""Divisions of a municipality, collections of data sets, who belongs to them, and the users programs name (CKAN's organizations,
groups, members and users). A division or collection is a municipality's own; `published_groups` is its copy for everybody."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound
from libs.common.ids import new_id
from services.opendata.db import (
    DatasetRow,
    FollowRow,
    GroupRow,
    MemberRow,
    ProgramUserRow,
    PublishedGroupRow,
    datasets,
    published,
)  # fmt: skip
from services.opendata.domain.describe import name_problem
from services.opendata.domain.vocabulary import THEMES
from services.opendata.use_cases.project import project

MAIL = re.compile(r"[^@\s]++@[^@\s.]++\.[^@\s]++")
SHORTEST_PASSWORD = 8
TAKEN = "Group name already exists in database"


@dataclass(frozen=True)
class GroupWish:
    """A division or collection as a program describes it. None: leave it."""

    name: str | None = None
    title: str | None = None
    about: dict[str, Any] = field(default_factory=dict)
    state: str | None = None


# ---- divisions and collections


def find_group(session: Session, kind: str, name_or_id: str) -> GroupRow | None:
    """One of the session's municipality's own, deleted ones too."""
    query = select(GroupRow).where((GroupRow.id == name_or_id) | (GroupRow.name == name_or_id), GroupRow.kind == kind)
    return session.scalar(query)


def get_group(session: Session, kind: str, name_or_id: str) -> GroupRow:
    found = find_group(session, kind, name_or_id)
    if found is None:
        raise NotFound("Group was not found.", code="unknown-group")
    return found


def create_group(
    session: Session, actor: Actor, kind: str, ident: str | None, wish: GroupWish, now: datetime
) -> GroupRow:
    """Whoever makes it is its first member. Invalid for a name that is bad or taken."""
    if ident and session.get(PublishedGroupRow, ident):
        raise Invalid("id", fields={"id": "Id already exists"})
    _check_name(session, wish.name or "", None)
    row = GroupRow(id=ident or new_id(), kind=kind, name=wish.name, title=wish.title or "", about=wish.about, state="active",
                   created_at=now)  # fmt: skip
    session.add(row)
    session.add(MemberRow(group_id=row.id, kind="user", object_id=actor.subject, capacity="admin"))
    publish_group(session, row)
    return row


def change_group(session: Session, row: GroupRow, wish: GroupWish, now: datetime) -> GroupRow:
    """What the wish says; data sets that stand in it are told of its new name."""
    if wish.name is not None and wish.name != row.name:
        _check_name(session, wish.name, row.id)
        row.name = wish.name
    if wish.about.get("type") not in (None, row.about.get("type", row.kind)):
        raise Invalid("type", fields={"type": "Type cannot be updated"})
    row.title = row.title if wish.title is None else wish.title[:200]
    row.about, row.state = row.about | wish.about, wish.state or row.state
    publish_group(session, row)
    _tell_data_sets(session, row.id, now)
    return row


def delete_group(session: Session, row: GroupRow, now: datetime) -> None:
    """It stands nowhere any more; its data sets stay, with the municipality."""
    row.state = "deleted"
    publish_group(session, row)
    _let_go(session, row.id, now)


def purge_group(session: Session, row: GroupRow, now: datetime) -> None:
    """As if it had never been: its name is free again."""
    _let_go(session, row.id, now)
    session.execute(delete(MemberRow).where(MemberRow.group_id == row.id))
    session.execute(delete(FollowRow).where(FollowRow.object_id == row.id))
    session.delete(session.get(PublishedGroupRow, row.id))
    session.delete(row)
    session.flush()


def _check_name(session: Session, name: str, own: str | None) -> None:
    problem = name_problem(name)
    if problem:
        raise Invalid("name", fields={"name": problem})
    taken = session.scalar(select(PublishedGroupRow.id).where(PublishedGroupRow.name == name))
    if (taken and taken != own) or name.upper() in THEMES or name in _places(session):
        raise Invalid("name", fields={"name": TAKEN})


def _places(session: Session) -> set[str]:
    return {word for tenant, (code, _) in published.places(session).items() for word in (tenant, code)}


def publish_group(session: Session, row: GroupRow) -> None:
    """Everybody sees it as it is now."""
    session.flush()
    session.merge(
        PublishedGroupRow(
            id=row.id,
            tenant=session.info["tenant"],
            kind=row.kind,
            name=row.name,
            title=row.title,
            about=row.about,
            state=row.state,
            created_at=row.created_at,
        )
    )
    session.flush()


def publish_groups(session: Session) -> None:
    """All of the municipality's, after its room was carried in."""
    for row in session.scalars(select(GroupRow)):
        publish_group(session, row)


def in_group(session: Session, group_id: str) -> list[DatasetRow]:
    """The data sets of a division or collection, whatever their state."""
    return [
        row for row in datasets.listed(session)
        if group_id == row.about.get("owner_org") or group_id in row.about.get("groups", ())
    ]  # fmt: skip


def _tell_data_sets(session: Session, group_id: str, now: datetime) -> None:
    for row in in_group(session, group_id):
        if row.state == "published":
            project(session, row, now)


def _let_go(session: Session, group_id: str, now: datetime) -> None:
    for row in in_group(session, group_id):
        about = dict(row.about)
        about["groups"] = [each for each in about.get("groups", ()) if each != group_id]
        if about.get("owner_org") == group_id:
            del about["owner_org"]
        row.about = about
        if row.state == "published":
            project(session, row, now)


def put_in_group(session: Session, dataset: DatasetRow, group_id: str, now: datetime, *, out: bool = False) -> None:
    """A data set into a collection, or out of it."""
    others = [each for each in dataset.about.get("groups", ()) if each != group_id]
    dataset.about = dataset.about | {"groups": others if out else [*others, group_id]}
    session.flush()
    if dataset.state == "published":
        project(session, dataset, now)


# ---- members


def members(session: Session, group_id: str) -> list[MemberRow]:
    query = select(MemberRow).where(MemberRow.group_id == group_id)
    return list(session.scalars(query.order_by(MemberRow.kind, MemberRow.object_id)))


def join(session: Session, group_id: str, kind: str, object_id: str, capacity: str) -> MemberRow:
    """A member, or a member's new capacity."""
    row = MemberRow(
        tenant_id=session.info["tenant"], group_id=group_id, kind=kind, object_id=object_id, capacity=capacity
    )
    return session.merge(row)


def leave_all(session: Session, group_id: str) -> None:
    """No user is a member any more."""
    session.execute(delete(MemberRow).where(MemberRow.group_id == group_id, MemberRow.kind == "user"))


def leave(session: Session, group_id: str, kind: str, object_id: str) -> None:
    """Who is no member stays none, as in CKAN."""
    row = session.scalar(
        select(MemberRow).where(
            MemberRow.group_id == group_id, MemberRow.kind == kind, MemberRow.object_id == object_id
        )
    )
    if row is not None:
        session.delete(row)


# ---- users that programs name


def find_user(session: Session, name_or_id: str) -> ProgramUserRow | None:
    query = select(ProgramUserRow).where((ProgramUserRow.id == name_or_id) | (ProgramUserRow.name == name_or_id))
    return session.scalar(query)


def get_user(session: Session, name_or_id: str) -> ProgramUserRow:
    found = find_user(session, name_or_id)
    if found is None:
        raise NotFound("User not found", code="unknown-user")
    return found


def users(session: Session) -> list[ProgramUserRow]:
    query = select(ProgramUserRow).where(ProgramUserRow.state == "active")
    return list(session.scalars(query.order_by(ProgramUserRow.name)))


def create_user(
    session: Session, ident: str | None, name: str, email: str, password: str, about: dict[str, Any], now: datetime
) -> ProgramUserRow:
    """Invalid with what is wrong in each field. The password is judged, because clients expect it, and forgotten."""
    wrong = _problems(
        name=(name, lambda: name_problem(name) or _taken(session, name)),
        email=(email, lambda: _mail_problem(session, email, None)),
        password=(password, lambda: _password_problem(password)),
    )
    if wrong:
        raise Invalid("user", fields=wrong)
    row = ProgramUserRow(id=ident or new_id(), name=name, email=email, about=about, state="active", created_at=now)
    session.add(row)
    session.flush()
    return row


def change_user(session: Session, row: ProgramUserRow, given: dict[str, Any], about: dict[str, Any]) -> ProgramUserRow:
    name, email = given.get("name", row.name), given.get("email", row.email)
    wrong = _problems(
        name=(name, lambda: "" if name == row.name else "That login name can not be modified."),
        email=(email, lambda: _mail_problem(session, str(email), row.id)),
    )
    if given.get("password", "") != "" and (problem := _password_problem(given["password"])):
        wrong["password"] = problem
    if wrong:
        raise Invalid("user", fields=wrong)
    row.email, row.about, row.state = str(email), row.about | about, given.get("state") or row.state
    session.flush()
    return row


def delete_user(session: Session, row: ProgramUserRow) -> None:
    row.state = "deleted"
    session.execute(delete(MemberRow).where(MemberRow.kind == "user", MemberRow.object_id == row.id))


def _problems(**fields: tuple[Any, Callable[[], str]]) -> dict[str, str]:
    found = {name: problem() if value else "Missing value" for name, (value, problem) in fields.items()}
    return {name: problem for name, problem in found.items() if problem}


def _taken(session: Session, name: str) -> str:
    return "That login name is not available." if find_user(session, name) else ""


def _mail_problem(session: Session, email: str, own: str | None) -> str:
    if not MAIL.fullmatch(email):
        return f"Email {email} is not a valid format"
    others = (row for row in users(session) if row.id != own and row.email.lower() == email.lower())
    other = next(others, None)
    return f"The email address '{other.email}' belongs to a registered user." if other else ""


def _password_problem(password: Any) -> str:
    short = not isinstance(password, str) or len(password) < SHORTEST_PASSWORD
    return f"Your password must be {SHORTEST_PASSWORD} characters or longer" if short else ""


# ---- who follows what


def follow(session: Session, follower: str, kind: str, object_id: str, tenant: str, now: datetime) -> FollowRow:
    """Invalid for what is followed already."""
    if session.get(FollowRow, (follower, kind, object_id)):
        raise Invalid("id", fields={"message": f"You are already following {object_id}"})
    row = FollowRow(follower=follower, kind=kind, object_id=object_id, tenant=tenant, created_at=now)
    session.add(row)
    session.flush()
    return row


def unfollow(session: Session, follower: str, kind: str, object_id: str) -> None:
    row = session.get(FollowRow, (follower, kind, object_id))
    if row is None:
        raise NotFound(f"You are not following {object_id}.", code="not-following")
    session.delete(row)


def followers(session: Session, kind: str, object_id: str) -> list[str]:
    query = select(FollowRow.follower).where(FollowRow.kind == kind, FollowRow.object_id == object_id)
    return list(session.scalars(query.order_by(FollowRow.created_at)))


def followed_by(session: Session, follower: str) -> list[FollowRow]:
    """What somebody follows, the latest first."""
    query = select(FollowRow).where(FollowRow.follower == follower)
    return list(session.scalars(query.order_by(FollowRow.created_at.desc())))
