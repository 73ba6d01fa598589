"""The gateway's record of who changed what: persons' changes stand in the prefecture's record, keys' in their tenant's.

One guard holds for every entry (`libs.common.audit`), so an entry needs a tenant. Before the registry was ever heard
of (the first operator is made before anything else) there is none: then the entry waits in a table of ours and moves into
the record, with its own time, as soon as there is one (`settle`).
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import db
from libs.common import audit
from libs.common.actor import Actor
from libs.common.ids import new_id


def note(session: Session, actor: Actor, action: str, subject: str, now: datetime) -> None:
    """Append `gateway.<action>` on `subject` (an id) to the record of the session's tenant."""
    if session.info.get("tenant") is None:
        session.add(
            db.TrailWaitingRow(
                id=new_id(), at=now, actor_kind=actor.kind, actor=actor.subject, action=action, subject=subject
            )
        )
        return
    audit.record(session, actor, f"gateway.{action}", subject, now=now)


def settle(session: Session) -> int:
    """Move what waited into the record of the session's tenant, in its order; how many entries."""
    waiting = session.scalars(select(db.TrailWaitingRow).order_by(db.TrailWaitingRow.id).with_for_update()).all()
    for row in waiting:
        actor = Actor(kind=row.actor_kind, subject=row.actor)  # type: ignore[arg-type]
        audit.record(session, actor, f"gateway.{row.action}", row.subject, now=row.at)
        session.delete(row)
    return len(waiting)


def oneself(person_id: str) -> Actor:
    """A person acting on their own account."""
    return Actor(kind="person", subject=person_id)
