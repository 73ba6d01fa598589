"""人事異動 by file: a preview that changes nothing, then the same file again, taken as a whole."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, say
from services.tenants.db import members as db
from services.tenants.domain import transfer as rules
from services.tenants.domain.transfer import Plan
from services.tenants.use_cases import members

Invite = Callable[[Sequence[tuple[str, str, str]]], Sequence[str]]
"""(address, name, roles in words) of each → person ids: the gateway mails the invitations."""


def plan(session: Session, actor: Actor, text: str, emails: Mapping[str, str], roles: Mapping[str, str]) -> Plan:
    """What the file in `text` would do now. `emails`: person id → address, of the present members."""
    present = db.roles_of(session, actor.tenant or "")
    known = {emails[p].lower(): (p, frozenset(held & set(roles))) for p, held in present.items() if p in emails}
    made = rules.plan(rules.read(text), known, roles, actor.subject)
    return Plan(made.steps, made.wrong, made.unchanged, text)


def take(
    session: Session, actor: Actor, plan: Plan, ids: Mapping[str, str], roles: Mapping[str, str], now: datetime
) -> None:
    """Every step at once, or none. `ids`: address → person id of those who were invited for it.

    Raises Conflict where a line was wrong, or where nobody would be left to let anybody in.
    """
    if plan.wrong:
        raise Conflict(say("直していただく行があります。ファイルを直して、もう一度お送りください。"))
    tenant = actor.tenant or ""
    present = members.present(session, tenant)
    # Those who get rights first, those who lose them afterwards: the last administrator may hand over in one file.
    for step in sorted(plan.steps, key=lambda step: step.move == "leave" or bool(step.had - step.roles)):
        person = step.person_id or ids[step.email]
        had = present.get(person, set())
        kept = had if step.move == "come" else had - set(roles)
        members.change(session, actor, tenant, person, set(step.roles) | kept, now)
    counts = {move: sum(step.move == move for step in plan.steps) for move in ("come", "leave", "change")}
    audit.record(session, actor, "members.transferred", tenant, detail=counts, now=now)


def invite_all(plan: Plan, invite: Invite) -> dict[str, str]:
    """Invite those who come and are not members yet; address → id. Sending the same file twice invites nobody twice."""
    coming = [step for step in plan.steps if not step.person_id]
    ids = invite([(step.email, step.line.name, members.roles_text(set(step.roles))) for step in coming])
    return {step.email: person_id for step, person_id in zip(coming, ids, strict=True)}
