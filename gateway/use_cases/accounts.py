"""How an account comes to be, and how its password changes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from gateway import db, domain, trail
from gateway.use_cases import tickets, told
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id

FROM_TERMINAL = Actor(kind="service", subject="gateway")
"""Whoever may run commands on the machine: who that is, the machine's own record says."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """Who is invited, by which municipality, to do what; texts stand in the mail as they are."""

    email: str
    display_name: str
    tenant_name: str
    roles_text: str


def ask_sign_up(session: Session, email: str, now: datetime) -> None:
    """Mail a link to begin an account; whoever has one already is told so by mail, never on the page."""
    person = db.person_by_email(session, email)
    known = person is not None and db.can_sign_in(session, person.id)
    tickets.issue(
        session,
        purpose="sign-up",
        email=email,
        person_id=person.id if person else None,
        now=now,
        mail="sign-up-known" if known else "sign-up",
    )


def ask_reset(session: Session, email: str, now: datetime) -> None:
    """Mail a link to choose a new password; where there is no account, the mail says that."""
    person = db.person_by_email(session, email)
    tickets.issue(
        session,
        purpose="reset",
        email=email,
        person_id=person.id if person else None,
        now=now,
        mail="reset" if person else "reset-unknown",
    )


def invite(session: Session, invitation: Invitation, *, by: Actor, now: datetime) -> str:
    """The id of the invited person. Somebody who has an account keeps it and is told; else a link to begin is mailed."""
    email = domain.email_of(invitation.email)
    person = db.person_by_email(session, email)
    if person is None:
        person = add_person(session, email, invitation.display_name, now)
    known = db.can_sign_in(session, person.id)
    tickets.issue(
        session,
        purpose="invitation",
        email=email,
        person_id=person.id,
        now=now,
        mail="invitation-known" if known else "invitation",
        facts={"tenant_name": invitation.tenant_name[:100], "roles_text": invitation.roles_text[:200]},
    )
    trail.note(session, by, "person.invited", person.id, now)
    return person.id


def add_person(session: Session, email: str, display_name: str, now: datetime, *, sample: bool = False) -> db.PersonRow:
    person = db.PersonRow(
        id=new_id(), email=email, display_name=domain.display_name_of(display_name), sample=sample, created_at=now
    )
    session.add(person)
    session.flush()
    trail.note(session, trail.oneself(person.id), "person.added", person.id, now)
    return person


def complete(
    session: Session, key: bytes, secret: str, *, display_name: str, password_hash: str, now: datetime
) -> db.PersonRow:
    """Use up a link: the person now has this password. Every older session and link of theirs is closed."""
    ticket = tickets.find(session, key, secret, now, lock=True)
    person = db.person_by_email(session, ticket.email)
    if person is None:
        if ticket.purpose == "reset":
            raise NotFound(say("このメールアドレスのご登録は見つかりませんでした。"), code="link-closed")
        person = add_person(session, ticket.email, display_name, now)
    elif ticket.purpose != "reset":
        if db.can_sign_in(session, person.id):
            raise Conflict(
                say("このメールアドレスは、すでに登録されています。サインインしてください。"), code="known-account"
            )
        person.display_name = domain.display_name_of(display_name)
    db.void_tickets(session, ticket.email, now)
    set_password(session, person.id, password_hash, now)
    return person


def set_password(
    session: Session, person_id: str, password_hash: str, now: datetime, *, keep: str | None = None
) -> None:
    """Keep a new password and end every session except the one with hash `keep`. Whoever had another one is told by mail."""
    if _keep_password(session, person_id, password_hash, now, keep=keep):
        told.tell(session, person_id, "password", now)


def _keep_password(
    session: Session, person_id: str, password_hash: str, now: datetime, *, keep: str | None = None
) -> bool:
    """Whether it took the place of another one."""
    row = db.credential(session, person_id)
    if row is None:
        session.add(db.CredentialRow(person_id=person_id, password_hash=password_hash, changed_at=now))
    else:
        row.password_hash, row.changed_at = password_hash, now
    db.end_sessions(session, person_id, now, but=keep)
    trail.note(session, trail.oneself(person_id), "password.set", person_id, now)
    return row is not None


def ask_new_address(session: Session, person_id: str, email: str, now: datetime) -> None:
    """Mail a link to the new address, by which its owner takes it; where it is somebody's already, the mail says that, not the page."""
    owner = db.person_by_email(session, email)
    if owner is not None and owner.id == person_id:
        sentence = say("いまのメールアドレスと同じです。")
        raise Invalid(sentence, fields={"email": sentence})
    tickets.issue(
        session,
        purpose="address",
        email=email,
        person_id=person_id,
        now=now,
        mail="address-taken" if owner is not None else "address",
    )


def change_address(session: Session, key: bytes, secret: str, person_id: str, now: datetime, *, keep: str) -> None:
    """Use up a link: the person is found by the new address now. The old one is told, and links lying there open nothing any more.

    Every session ends but the one with hash `keep`. Raises Conflict if the address is somebody else's by now.
    """
    ticket = tickets.find(session, key, secret, now, lock=True, purposes=tickets.ADDRESS)
    person = db.person(session, person_id)
    if person is None or ticket.person_id != person.id:
        raise Conflict(
            say(
                "このリンクは、いまサインインしている方のものではありません。ご本人がサインインしてから開いてください。"
            )
        )
    if db.person_by_email(session, ticket.email) is not None:
        raise Conflict(say("このメールアドレスは、別の登録で使われています。"), code="known-account")
    told.tell(session, person.id, "address", now, address=person.email)
    for address in (person.email, ticket.email):
        db.void_tickets(session, address, now)
    person.email = ticket.email
    db.end_sessions(session, person.id, now, but=keep)
    trail.note(session, trail.oneself(person.id), "address.changed", person.id, now)


def close(session: Session, person_id: str, now: datetime) -> None:
    """The account is gone, by its owner's wish: no way in is left, no name and no address. What services hold of the person is theirs."""
    person = db.person(session, person_id)
    if person is None:
        return
    told.tell(session, person.id, "closed", now, address=person.email)
    db.void_tickets(session, person.email, now)
    db.end_sessions(session, person.id, now)
    db.forget_ways_in(session, person.id)
    person.email, person.display_name, person.closed_at = f"closed {person.id}", "", now
    trail.note(session, trail.oneself(person.id), "person.closed", person.id, now)


def stop(session: Session, person: db.PersonRow, *, by: Actor, now: datetime) -> None:
    """Nobody enters this account any more, whoever knows its password: every session ends. Twice is once."""
    if person.stopped_at is None:
        person.stopped_at = now
        db.end_sessions(session, person.id, now)
        told.tell(session, person.id, "stopped", now)
        trail.note(session, by, "person.stopped", person.id, now)


def open_again(session: Session, person: db.PersonRow, *, by: Actor, now: datetime) -> None:
    """Its owner may sign in again, as before. Twice is once."""
    if person.stopped_at is not None:
        person.stopped_at = None
        told.tell(session, person.id, "opened", now)
        trail.note(session, by, "person.opened", person.id, now)


def rename(session: Session, person_id: str, display_name: str, now: datetime) -> None:
    person = db.person(session, person_id)
    if person is not None:
        person.display_name = domain.display_name_of(display_name)
        trail.note(session, trail.oneself(person_id), "person.renamed", person_id, now)


def sample_person(session: Session, email: str, display_name: str, password_hash: str, now: datetime) -> str:
    """An account of the sample, made or put back to its published password. Returns its id.

    The caller has made sure that this is a sample; a production start refuses a store that holds such a person.
    """
    email = domain.email_of(email)
    person = db.person_by_email(session, email)
    if person is None:
        person = add_person(session, email, display_name, now, sample=True)
    elif not person.sample:
        raise Conflict(say("このメールアドレスは、見本ではない方が使っています。"))
    _keep_password(session, person.id, password_hash, now)
    return person.id


def first_operator(session: Session, email: str, display_name: str, now: datetime) -> tuple[str, db.TicketRow]:
    """The person who will run the cloud, and the ticket of the link by which they begin."""
    email = domain.email_of(email)
    person = db.person_by_email(session, email) or add_person(session, email, display_name, now)
    if db.credential(session, person.id) is not None:
        raise Conflict(say("この方は、もうサインインできます。役割だけを登録してください。"), person_id=person.id)
    ticket = tickets.issue(
        session,
        purpose="invitation",
        email=email,
        person_id=person.id,
        now=now,
        mail="invitation",
        facts={"roles_text": "運用担当"},
    )
    trail.note(session, FROM_TERMINAL, "first-operator.named", person.id, now)
    return person.id, ticket
