"""Identities of other providers: whose account they open. Nothing is ever linked because two addresses look alike."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from gateway import db, domain, trail
from gateway.oidc.exchange import SKEW, Ended, Identity
from gateway.use_cases import accounts, tickets, told
from libs.common.errors import Conflict, NotFound, say
from libs.common.ids import new_id


def person_of(session: Session, identity: Identity, now: datetime) -> db.PersonRow | None:
    """Whose account this identity opens; None as long as nobody has said so. Notes that it was used."""
    found = db.linked_person(session, identity.issuer, identity.subject)
    if found is None:
        return None
    found[0].last_used_at = now
    return found[1]


def link(session: Session, person_id: str, identity: Identity, now: datetime) -> None:
    """From now on this identity signs in to the account of `person_id`. Twice is once; somebody else's stays theirs."""
    if _connect(session, person_id, identity, now):
        told.tell(session, person_id, "linked", now, provider=identity.provider)


def _connect(session: Session, person_id: str, identity: Identity, now: datetime) -> bool:
    """Whether it is new."""
    known = session.get(db.LinkedIdentityRow, (identity.issuer, identity.subject), with_for_update=True)
    if known is not None:
        if known.person_id == person_id:
            return False
        raise Conflict(say("このアカウントは、ほかの方の登録に使われています。"), code="linked-to-another")
    session.add(
        db.LinkedIdentityRow(
            issuer=identity.issuer,
            subject=identity.subject,
            id=new_id(),
            person_id=person_id,
            provider=identity.provider,
            linked_at=now,
            last_used_at=now,
        )
    )
    session.flush()
    trail.note(session, trail.oneself(person_id), "identity.linked", person_id, now)
    return True


def unlink(session: Session, person_id: str, ident: str, now: datetime, *, keep: str) -> None:
    """This identity opens nothing any more, and what came in by its provider ends, except the session with hash `keep`. The last way to
    sign in stays: without it nobody could come back."""
    mine = db.identities_of(session, person_id, lock=True)
    row = next((one for one in mine if one.id == ident), None)
    if row is None:
        raise NotFound(say("このサインインの方法は、もう登録されていません。"))
    if len(mine) == 1 and db.credential(session, person_id) is None:
        raise Conflict(
            say("サインインの方法がなくなるため、外せません。先にパスワードを決めてください。"), code="last-way-in"
        )
    session.delete(row)
    db.end_provider_sessions(session, row.provider, now, begun_by=now, person_id=person_id, but=keep)
    trail.note(session, trail.oneself(person_id), "identity.unlinked", person_id, now)
    told.tell(session, person_id, "unlinked", now, provider=row.provider)


def ended_there(session: Session, provider: str, issuer: str, ended: Ended, now: datetime) -> None:
    """The provider says that its own session has ended: what came in by it here ends too, and nothing that began afterwards."""
    found = db.linked_person(session, issuer, ended.subject) if ended.subject else None
    if ended.subject and found is None:
        return
    person_id = found[1].id if found else ""
    begun_by = datetime.fromtimestamp(ended.at, UTC) + timedelta(seconds=SKEW)
    db.end_provider_sessions(session, provider, now, begun_by=begun_by, person_id=person_id, sid=ended.sid)
    if person_id:
        trail.note(session, trail.oneself(person_id), "provider-sessions.ended", person_id, now)


def begin_account(session: Session, identity: Identity, *, display_name: str, now: datetime) -> db.PersonRow:
    """A new account for an identity whose address its provider has verified. Raises Conflict if the address has one."""
    email = domain.email_of(identity.email)
    if db.person_by_email(session, email) is not None:
        raise Conflict(
            say("このメールアドレスは、すでに登録されています。サインインしてから、このアカウントをつないでください。"),
            code="known-account",
        )
    person = accounts.add_person(session, email, display_name, now)
    _connect(session, person.id, identity, now)
    return person


def complete(
    session: Session, key: bytes, secret: str, identity: Identity, *, display_name: str, now: datetime
) -> db.PersonRow:
    """Use up a link of a mail with an identity in place of a password: an invited person, or one whose address is proved so."""
    ticket = tickets.find(session, key, secret, now, lock=True)
    person = db.person_by_email(session, ticket.email)
    if ticket.purpose == "reset" or (person is not None and db.can_sign_in(session, person.id)):
        raise Conflict(
            say("このメールアドレスは、すでに登録されています。サインインしてください。"), code="known-account"
        )
    if person is None:
        person = accounts.add_person(session, ticket.email, display_name, now)
    else:
        person.display_name = domain.display_name_of(display_name)
    db.void_tickets(session, ticket.email, now)
    _connect(session, person.id, identity, now)
    return person
