"""Whose draft and whose application it is: a person's account, or the session of a guest."""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from libs.common import heads
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Forbidden, NotFound, say
from services.eapply.db import ApplicationRow, CosignerRow, DelegationRow, GrantRow

ACCOUNTS = frozenset({"person", "staff", "operator"})
"""Kinds that have an account of their own; staff are citizens too."""
GRANT = timedelta(hours=12)
"""How long a guest's session may look at an application after giving its key."""

PROGRAM_GRANT = timedelta(days=400)
"""How long a program may read what it has sent."""


def person(actor: Actor) -> str | None:
    return actor.subject if actor.kind in ACCOUNTS else None


def session_hash(actor: Actor) -> str | None:
    """The session as stored: a session's number is a secret, so only its hash is kept. A program's is its token's id."""
    if actor.kind == "machine":
        return hashlib.sha256(f"machine:{actor.subject}".encode()).hexdigest()
    return hashlib.sha256(actor.sid.encode()).hexdigest() if actor.sid else None


def is_same(actor: Actor, account: str | None, hashed: str | None) -> bool:
    """Whether this is who stands in a row as an account, or as a guest's session (as stored)."""
    by_account = account is not None and account == person(actor)
    by_session = hashed is not None and hashed == session_hash(actor)
    return by_account or by_session


def earlier_guest_hash(actor: Actor) -> str | None:
    """The session, as stored, that this person's browser had as a guest until they signed in."""
    return hashlib.sha256(actor.earlier_guest.encode()).hexdigest() if actor.earlier_guest else None


def has_grants(session: Session, hashed: str) -> bool:
    return session.scalar(select(GrantRow.application_id).where(GrantRow.session_hash == hashed).limit(1)) is not None


def move_grants(session: Session, hashed: str, actor: Actor, now: datetime) -> None:
    """What the guest's session could look at, the session that followed can, for as long as was said."""
    for row in session.scalars(select(GrantRow).where(GrantRow.session_hash == hashed)).all():
        session.delete(row)
        if row.until > now and actor.sid:
            session.merge(
                GrantRow(session_hash=session_hash(actor), application_id=row.application_id, until=row.until)
            )


def grant(session: Session, actor: Actor, application_id: str, now: datetime) -> None:
    """Let this session see the application for a while."""
    hashed = session_hash(actor)
    if hashed is None:
        return
    until = now + (PROGRAM_GRANT if actor.kind == "machine" else GRANT)
    key = {"session_hash": hashed, "application_id": application_id}
    heads.locked(session, GrantRow, key, {"until": until}).until = until


def own_application(
    session: Session, actor: Actor, application_id: str, now: datetime, *, lock: bool = False, delegate: bool = False
) -> ApplicationRow:
    """The application, for its applicant only; with `delegate`, for the one who filed it in the applicant's place, too.
    Raises NotFound for everybody else, whether it exists or not."""
    statement = select(ApplicationRow).where(ApplicationRow.id == application_id)
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None or not (
        _is_applicant(session, actor, row, now) or (delegate and is_delegate(session, actor, row, now))
    ):
        raise NotFound(say("この申請は見つかりません。受付番号と照会キーで、もう一度お確かめください。"))
    return row


def is_applicant(session: Session, actor: Actor, row: ApplicationRow) -> bool:
    """Whether the application is this account's, or was sent or looked at by this session, however long ago."""
    if row.applicant_person is not None and row.applicant_person == person(actor):
        return True
    hashed = [each for each in (session_hash(actor), earlier_guest_hash(actor)) if each]
    found = select(GrantRow.application_id).where(GrantRow.session_hash.in_(hashed), GrantRow.application_id == row.id)
    return bool(hashed) and session.scalar(found.limit(1)) is not None


def refuse_own(session: Session, actor: Actor, row: ApplicationRow) -> None:
    """Raises Forbidden for staff who applied themselves, sent it for somebody else or confirmed it: staff are citizens too, and
    nobody is judge in their own matter."""
    subject = person(actor)
    signed = select(CosignerRow.id).where(
        CosignerRow.application_id == row.id, CosignerRow.state == "confirmed", CosignerRow.account == subject
    )
    if subject is not None and (
        subject in (row.applicant_person, row.filed_by) or session.scalar(signed.limit(1)) is not None
    ):
        raise Forbidden(
            say("自分が申請した、代理で送った、または連署した申請は、ほかの職員が決めます。"), code="own-application"
        )


def _is_applicant(session: Session, actor: Actor, row: ApplicationRow, now: datetime) -> bool:
    if row.applicant_person is not None and row.applicant_person == person(actor):
        return True
    hashed = session_hash(actor)
    if hashed is None:
        return False
    found = select(GrantRow).where(
        GrantRow.session_hash == hashed, GrantRow.application_id == row.id, GrantRow.until > now
    )
    return session.scalar(found) is not None


def is_delegate(session: Session, actor: Actor, row: ApplicationRow, now: datetime) -> bool:
    """Whether this person filed it for somebody else, by a 委任 that is in force now."""
    if row.filed_by is None or row.filed_by != person(actor):
        return False
    found = select(DelegationRow.id).where(DelegationRow.id == row.delegation_id, *_in_force(actor, now))
    return session.scalar(found) is not None


def _in_force(actor: Actor, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        DelegationRow.delegate == person(actor),
        DelegationRow.accepted_at.is_not(None),
        DelegationRow.revoked_at.is_(None),
        DelegationRow.last_day >= local_date(now),
    )


def filed_for_others(session: Session, actor: Actor, now: datetime) -> list[ApplicationRow]:
    """What this person filed in the place of others, as long as the 委任 is in force, newest first."""
    if person(actor) is None:
        return []
    allowed = select(DelegationRow.id).where(*_in_force(actor, now))
    found = select(ApplicationRow).where(
        ApplicationRow.filed_by == person(actor), ApplicationRow.delegation_id.in_(allowed)
    )
    return list(session.scalars(found.order_by(ApplicationRow.arrived_at.desc(), ApplicationRow.id).limit(200)))


def own_applications(session: Session, actor: Actor) -> list[ApplicationRow]:
    """All applications of a signed-in person here, newest first."""
    subject = person(actor)
    if subject is None:
        return []
    mine = select(ApplicationRow).where(ApplicationRow.applicant_person == subject)
    return list(session.scalars(mine.order_by(ApplicationRow.arrived_at.desc(), ApplicationRow.id).limit(200)))
