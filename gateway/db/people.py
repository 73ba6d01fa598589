"""Persons, their passwords, sessions, links in mails, and what is counted against guessing."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.db.base import Base
from libs.common.tenancy import PersonTable


class PersonRow(PersonTable, Base):
    """One person, wherever they work or live. `sample` marks those that must not exist in a production start. `closed_at`: the
    account is gone, by its owner's wish; `stopped_at`: nobody can enter it until it is opened again."""

    __tablename__ = "persons"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    display_name: Mapped[str] = mapped_column(String(100))
    sample: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]


class CredentialRow(PersonTable, Base):
    """A password, argon2id (PHC string). A person without one was invited and has not come yet."""

    __tablename__ = "credentials"
    person_id: Mapped[str] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    changed_at: Mapped[datetime]


class SessionRow(PersonTable, Base):
    """One browser that is signed in. `hash` is SHA-256 of the cookie; `id` is what the owner sees and ends.

    `provider_sid`: which session at `provider` it came from, where that says so. `proved_at`: when its person last proved who they
    are, if not at `created_at`: a provider that knows somebody from before asks nothing.
    """

    __tablename__ = "sessions"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("persons.id"), index=True)
    acr: Mapped[str] = mapped_column(String(20))
    device: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    earlier_guest: Mapped[str | None] = mapped_column(String(40))
    provider: Mapped[str | None] = mapped_column(String(31))
    shared: Mapped[bool] = mapped_column(default=False)
    corporate_number: Mapped[str | None] = mapped_column(String(13))
    provider_sid: Mapped[str | None] = mapped_column(String(255))
    proved_at: Mapped[datetime | None]


class GuestTakenRow(PersonTable, Base):
    """Whose the things begun under a guest's `sid` have become: the first person who signs in with that cookie, no other."""

    __tablename__ = "guests_taken"
    sid: Mapped[str] = mapped_column(String(40), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("persons.id"))
    at: Mapped[datetime]


class TrailWaitingRow(PersonTable, Base):
    """An entry of the record from before there was a tenant in whose record it could stand (`trail.py`)."""

    __tablename__ = "trail_waiting"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(200))


class TicketRow(PersonTable, Base):
    """A link in a mail that opens one door once. The secret in the link is a MAC of `id`: this row does not hold it."""

    __tablename__ = "tickets"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(20))
    email: Mapped[str] = mapped_column(String(254), index=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("persons.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class FailureRow(PersonTable, Base):
    """Failed sign-ins of one account from one network, both as keyed digests."""

    __tablename__ = "failures"
    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    network: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)
    open_at: Mapped[datetime]


def person_by_email(session: Session, email: str) -> PersonRow | None:
    return session.scalar(select(PersonRow).where(PersonRow.email == email, PersonRow.closed_at.is_(None)))


def person(session: Session, person_id: str) -> PersonRow | None:
    return session.scalar(select(PersonRow).where(PersonRow.id == person_id, PersonRow.closed_at.is_(None)))


def persons(session: Session, ids: list[str]) -> list[PersonRow]:
    return list(session.scalars(select(PersonRow).where(PersonRow.id.in_(ids)).order_by(PersonRow.id)))


def any_sample_person(session: Session) -> bool:
    return session.scalar(select(PersonRow.id).where(PersonRow.sample.is_(True)).limit(1)) is not None


def credential(session: Session, person_id: str) -> CredentialRow | None:
    return session.get(CredentialRow, person_id)


def live_session(session: Session, hash_: str, now: datetime) -> tuple[SessionRow, PersonRow] | None:
    found = session.execute(
        select(SessionRow, PersonRow)
        .join(PersonRow, PersonRow.id == SessionRow.person_id)
        .where(SessionRow.hash == hash_, SessionRow.ended_at.is_(None), SessionRow.expires_at > now)
        .where(PersonRow.closed_at.is_(None), PersonRow.stopped_at.is_(None))
    ).first()
    return (found[0], found[1]) if found else None


def sessions_of(session: Session, person_id: str, now: datetime) -> list[SessionRow]:
    return list(
        session.scalars(
            select(SessionRow)
            .where(SessionRow.person_id == person_id, SessionRow.ended_at.is_(None), SessionRow.expires_at > now)
            .order_by(SessionRow.last_used_at.desc())
        )
    )


def end_sessions(session: Session, person_id: str, now: datetime, *, but: str | None = None) -> None:
    """End every session of a person, except the one with hash `but`."""
    statement = update(SessionRow).where(SessionRow.person_id == person_id, SessionRow.ended_at.is_(None))
    if but is not None:
        statement = statement.where(SessionRow.hash != but)
    session.execute(statement.values(ended_at=now))


def end_provider_sessions(
    session: Session,
    provider: str,
    now: datetime,
    *,
    begun_by: datetime,
    person_id: str = "",
    sid: str = "",
    but: str = "",
) -> None:
    """End what came in by `provider` until `begun_by`: the session that it calls `sid`, or all of this person if it says none; except
    the one with hash `but`.

    Where a sign-in did not say its `sid`, the person alone is looked at.
    """
    named = SessionRow.provider_sid == sid
    where = [SessionRow.provider == provider, SessionRow.ended_at.is_(None), SessionRow.created_at <= begun_by]
    if person_id:
        where.append(SessionRow.person_id == person_id)
        named = or_(named, SessionRow.provider_sid.is_(None))
    if sid:
        where.append(named)
    if but:
        where.append(SessionRow.hash != but)
    session.execute(update(SessionRow).where(*where).values(ended_at=now))


def ticket(session: Session, ident: str, *, lock: bool = False) -> TicketRow | None:
    return session.get(TicketRow, ident, with_for_update=lock or None)


def void_tickets(session: Session, email: str, now: datetime) -> None:
    """Links still lying in a mailbox open nothing any more."""
    session.execute(update(TicketRow).where(TicketRow.email == email, TicketRow.used_at.is_(None)).values(used_at=now))


def failures(session: Session, account: str, network: str) -> FailureRow | None:
    return session.get(FailureRow, (account, network))


def failures_to_change(session: Session, account: str, network: str, now: datetime) -> FailureRow:
    """The row of this pair, made if missing, held until the transaction ends (two may come at once)."""
    row = session.get(FailureRow, (account, network), with_for_update=True)
    if row is None:
        try:
            with session.begin_nested():
                session.add(FailureRow(account=account, network=network, count=0, last_at=now, open_at=now))
        except IntegrityError:
            session.expire_all()
        row = session.get_one(FailureRow, (account, network), with_for_update=True)
    return row


def forget_failures(session: Session, before: datetime) -> None:
    session.execute(delete(FailureRow).where(FailureRow.last_at < before))


def forget_ended(session: Session, before: datetime) -> None:
    """Sessions and links that ended, however they did, before that moment."""
    ended = func.coalesce(SessionRow.ended_at, SessionRow.expires_at)
    session.execute(delete(SessionRow).where(ended < before))
    closed = func.coalesce(TicketRow.used_at, TicketRow.expires_at)
    session.execute(delete(TicketRow).where(closed < before))


def forget_guests_taken(session: Session, before: datetime) -> None:
    """`before`: when the youngest cookie that is too old by now was made."""
    session.execute(delete(GuestTakenRow).where(GuestTakenRow.at < before))


def note_session_used(session: Session, hash_: str, now: datetime) -> None:
    session.execute(update(SessionRow).where(SessionRow.hash == hash_).values(last_used_at=now))
