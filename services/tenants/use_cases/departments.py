"""Departments, and an administrator's delegation of one service or one department until a day.

Who has one may give and take that service's roles (of a department: those of its services, to its people), never their own
and never the administrator's. The gateway learns of it as the role `portal.delegate` within seconds; each use asks here
again, so that what was ended is ended at once. The sessions are the municipality's.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Forbidden, Invalid, say
from services.tenants.db import departments as db
from services.tenants.db import members as members_db
from services.tenants.db import registry as registry_db
from services.tenants.db.departments import DelegationRow, DepartmentRow
from services.tenants.domain.catalogue import SERVICES
from services.tenants.use_cases import members

ROLE = "portal.delegate"
LONGEST = timedelta(days=366)
MAX_NAME = 60


def roles_of_services(services: Iterable[str]) -> dict[str, str]:
    """The roles that belong to these services, with their names."""
    return {role: name for role, name in members.ROLES.items() if role.partition(".")[0] in set(services)}


DELEGABLE = tuple(s.key for s in SERVICES if roles_of_services([s.key]))
"""Services that have roles to be given."""


# ---- departments -----------------------------------------------------------------------------------------------------


def make(session: Session, actor: Actor, name: str, services: set[str], now: datetime) -> DepartmentRow:
    name = _checked_name(session, name, services)
    row = DepartmentRow(name=name, services=sorted(services), made_at=now)
    session.add(row)
    session.flush()
    audit.record(session, actor, "department.made", name, detail={"services": sorted(services)}, now=now)
    return row


def change(
    session: Session, actor: Actor, ident: str, name: str, services: set[str], people: set[str], now: datetime
) -> None:
    """Name, services and people from now on. People must be members of the municipality. Raises Invalid."""
    row = db.department(session, ident, lock=True)
    row.name, row.services = _checked_name(session, name, services, row), sorted(services)
    if not people <= set(members_db.roles_of(session, actor.tenant or "")):
        sentence = say("この市町村の職員ではない方が含まれています。画面から選び直してください。")
        raise Invalid(sentence, fields={"people": sentence})
    before = db.people(session).get(ident, set())
    db.set_people(session, ident, people)
    detail = {"services": row.services, "came": sorted(people - before), "left": sorted(before - people)}
    audit.record(session, actor, "department.changed", row.name, detail=detail, now=now)


def remove(session: Session, actor: Actor, ident: str, now: datetime) -> None:
    """Its people keep their roles; who administered it does so no longer."""
    row = db.department(session, ident, lock=True)
    row.removed_at = now
    db.set_people(session, ident, set())
    mine = (DelegationRow.tenant == actor.tenant, DelegationRow.kind == "department", DelegationRow.subject == ident)
    db.end(session, actor.subject, now, *mine)
    registry_db.bump_version(session)
    audit.record(session, actor, "department.removed", row.name, now=now)


def _checked_name(session: Session, name: str, services: set[str], own: DepartmentRow | None = None) -> str:
    tidy, wrong = " ".join(name.split()), {}
    if not 1 <= len(tidy) <= MAX_NAME or not tidy.isprintable():
        wrong["name"] = say("部署の名前を%(most)s文字までで入力してください。", most=MAX_NAME)
    elif any(row.name == tidy and row is not own for row in db.departments(session)):
        wrong["name"] = say("同じ名前の部署があります。")
    if not services <= set(DELEGABLE):
        wrong["services"] = say("選べないサービスが含まれています。画面から選び直してください。")
    if wrong:
        raise Invalid(next(iter(wrong.values())), fields=wrong)
    return tidy


# ---- delegations -----------------------------------------------------------------------------------------------------


def delegate(
    session: Session, actor: Actor, person: str, kind: str, subject: str, until: date | None, now: datetime
) -> DelegationRow:
    """`person` administers `subject` up to and including `until`. Raises Invalid."""
    tenant, today, wrong = actor.tenant or "", local_date(now), {}
    if person not in members_db.roles_of(session, tenant):
        wrong["person"] = say("委任する職員を選んでください。")
    departments = {row.id for row in db.departments(session)}
    if subject not in (DELEGABLE if kind == "service" else departments if kind == "department" else ()):
        wrong["what"] = say("委任するサービスか部署を選んでください。")
    if until is None or not today <= until <= today + LONGEST:
        wrong["until"] = say("今日から1年以内の日を選んでください。")
    if wrong or until is None:
        raise Invalid(say("直していただくところがあります。"), fields=wrong)
    same = (DelegationRow.tenant == tenant, DelegationRow.person_id == person, DelegationRow.subject == subject)
    db.end(session, actor.subject, now, *same)
    row = DelegationRow(
        tenant=tenant, person_id=person, kind=kind, subject=subject, until=until, given_by=actor.subject, given_at=now
    )
    session.add(row)
    session.flush()
    registry_db.bump_version(session)
    detail = {"kind": kind, "subject": subject, "until": until.isoformat()}
    audit.record(session, actor, "delegation.given", person, detail=detail, now=now)
    return row


def end(session: Session, actor: Actor, ident: str, now: datetime) -> None:
    """At once. Ended twice it is ended once."""
    row = db.delegation(session, ident, actor.tenant or "")
    if row.ended_at is None:
        row.ended_by, row.ended_at = actor.subject, now
        registry_db.bump_version(session)
        audit.record(session, actor, "delegation.ended", row.person_id, detail={"subject": row.subject}, now=now)


def standing(session: Session, actor: Actor, ident: str, now: datetime) -> DelegationRow:
    """The actor's own delegation, holding now; Forbidden once it is over, NotFound for anybody else's."""
    row = db.delegation(session, ident, actor.tenant or "")
    if row.person_id != actor.subject or row.ended_at is not None or row.until < local_date(now):
        raise Forbidden(say("この委任は終わっています。管理者にお尋ねください。"), code="delegation-over")
    return row


def reach(session: Session, row: DelegationRow) -> tuple[dict[str, str], set[str]]:
    """The roles that may be given under it, and the persons to whom (never the one who has it)."""
    present = set(members_db.roles_of(session, row.tenant))
    if row.kind == "service":
        return roles_of_services([row.subject]), present - {row.person_id}
    found = db.department(session, row.subject)
    return roles_of_services(found.services), (db.people(session).get(found.id, set()) & present) - {row.person_id}


def change_roles(session: Session, actor: Actor, ident: str, person: str, roles: set[str], now: datetime) -> None:
    """Under a delegation: of the roles within its reach, `person` has exactly `roles`; all others stay. Raises Forbidden."""
    held = members.present(session, actor.tenant or "")
    allowed, people = reach(session, standing(session, actor, ident, now))
    if person not in people or not roles <= set(allowed):
        raise Forbidden(say("この方やこの権限は、委任された範囲にありません。"), code="beyond-delegation")
    had = held[person]
    if not (had - set(allowed)) | roles:
        sentence = say("権限がひとつもなくなると、職員の一覧から外れます。外すのは管理者に頼んでください。")
        raise Invalid(sentence, fields={f"roles-{person}": sentence})
    members.change(session, actor, actor.tenant or "", person, (had - set(allowed)) | roles, now)


def delegates(session: Session, today: date) -> dict[str, set[str]]:
    """Tenant → persons with a delegation that holds today, for the gateway's snapshot."""
    found: dict[str, set[str]] = {}
    for row in db.holding(session, today):
        found.setdefault(row.tenant, set()).add(row.person_id)
    return found
