"""Announce maintenance, and call it off. Whom it concerns hears of both."""

from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Invalid, say
from services.tenants.db import maintenance as db
from services.tenants.db import members as members_db
from services.tenants.domain import catalogue
from services.tenants.use_cases import count, telling

LONGEST = 2000
"""Letters of what is said about it."""


def announce(
    session: Session, actor: Actor, service: str, begins_at: datetime, ends_at: datetime, text: str, now: datetime
) -> None:
    """Everybody reads it on the status page and in the calendar. `service` "": everything. The session is the prefecture's."""
    wrong: dict[str, str] = {}
    if ends_at <= begins_at:
        wrong["ends"] = say("終わる時刻は、始まる時刻より後にしてください。")
    elif ends_at <= now:
        wrong["ends"] = say("もう終わった時刻です。")
    if not text.strip():
        wrong["text"] = say("内容を入力してください。")
    elif len(text.strip()) > LONGEST:
        wrong["text"] = say("%(most)s文字までで入力してください。", most=LONGEST)
    if wrong:
        raise Invalid(next(iter(wrong.values())), fields=wrong)
    if service:
        catalogue.service(service)
    row = db.MaintenanceRow(
        service=service, begins_at=begins_at, ends_at=ends_at, text=text.strip(),
        announced_by=actor.subject, announced_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    audit.record(session, actor, "maintenance.announced", row.id, row.text, now=now)
    tell_whom_it_concerns(session, "maintenance", row.id, row.service, now, good=True)


def cancel(session: Session, actor: Actor, ident: str, now: datetime) -> None:
    """It does not take place. Called off twice it is called off once."""
    row = db.find(session, ident)
    if row.cancelled_at is None:
        row.cancelled_at = now
        audit.record(session, actor, "maintenance.cancelled", row.id, now=now)
        tell_whom_it_concerns(session, "maintenance", row.id, row.service, now, good=False)


def tell_whom_it_concerns(session: Session, kind: str, ident: str, service: str, now: datetime, *, good: bool) -> None:
    """Who takes part in the service today; everybody where all services stand still. Not where nobody would read it."""
    today = count.on(session, local_date(now))
    reached = {tenant for tenants in members_db.all_roles(session).values() for tenant in tenants}
    for tenant in sorted(reached.intersection(today.joined[service] if service else today.municipalities)):
        telling.tell(session, tenant, kind, ident, "", now, service=service, good=good)
