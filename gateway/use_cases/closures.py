"""Operators close a service for a while, or leave only reading open."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from gateway import db, trail
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.ids import new_id

MODES = ("maintenance", "read-only")


def close(
    session: Session,
    actor: Actor,
    *,
    tenant: str | None,
    service: str | None,
    mode: str,
    sentence: str,
    hours: float | None,
    now: datetime,
) -> None:
    """From now on, for `hours` or until somebody ends it. Without tenant for all, without service for every one."""
    if mode not in MODES or (hours is not None and not 0 < hours <= 24 * 31):
        raise Invalid(
            say("時間は、0より大きく744（31日）までの数で入力してください。"),
            fields={"hours": say("時間を確かめてください。")},
        )
    ends_at = now + timedelta(hours=hours) if hours is not None else None
    ident = new_id()
    session.add(
        db.ClosureRow(
            id=ident,
            for_tenant=tenant,
            service=service,
            mode=mode,
            sentence=" ".join(sentence.split())[:300],
            begins_at=now,
            ends_at=ends_at,
            made_by=actor.subject,
        )
    )
    trail.note(session, actor, f"closure.begun.{mode}", ident, now)


def end(session: Session, actor: Actor, ident: str, now: datetime) -> None:
    """Open again. Twice is once."""
    row = session.get(db.ClosureRow, ident)
    if row is None:
        raise NotFound(say("この予定は見つかりません。"))
    if row.ended_at is None:
        row.ended_at = now
        trail.note(session, actor, "closure.ended", ident, now)
