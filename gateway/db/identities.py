"""Identities of other providers that sign in to an account of ours."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.db.base import Base
from gateway.db.people import CredentialRow, PersonRow
from gateway.db.second_factors import forget_codes, forget_passkeys
from libs.common.tenancy import PersonTable


class LinkedIdentityRow(PersonTable, Base):
    """`subject` at `issuer` is this person. `provider` is the key under which the provider was set up when they were linked."""

    __tablename__ = "linked_identities"
    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("persons.id"), index=True)
    provider: Mapped[str] = mapped_column(String(31))
    linked_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


def linked_person(session: Session, issuer: str, subject: str) -> tuple[LinkedIdentityRow, PersonRow] | None:
    """The link and whom it leads to, if that account still exists."""
    found = session.execute(
        select(LinkedIdentityRow, PersonRow)
        .join(PersonRow, PersonRow.id == LinkedIdentityRow.person_id)
        .where(LinkedIdentityRow.issuer == issuer, LinkedIdentityRow.subject == subject)
        .where(PersonRow.closed_at.is_(None))
    ).first()
    return (found[0], found[1]) if found else None


def identities_of(session: Session, person_id: str, *, lock: bool = False) -> list[LinkedIdentityRow]:
    """`lock`: who wants to change them waits for whoever does so at the same time."""
    if lock:
        session.execute(select(PersonRow.id).where(PersonRow.id == person_id).with_for_update())
    statement = select(LinkedIdentityRow).where(LinkedIdentityRow.person_id == person_id)
    return list(session.scalars(statement.order_by(LinkedIdentityRow.linked_at)))


def with_identities(session: Session, person_ids: list[str]) -> set[str]:
    """Those of `person_ids` who can sign in with some provider."""
    statement = select(LinkedIdentityRow.person_id).where(LinkedIdentityRow.person_id.in_(person_ids))
    return set(session.scalars(statement))


def forget_ways_in(session: Session, person_id: str) -> None:
    """Password, passkeys, recovery codes and links to providers of this person are no more."""
    forget_passkeys(session, person_id)
    forget_codes(session, person_id)
    for table in (CredentialRow, LinkedIdentityRow):
        session.execute(delete(table).where(table.person_id == person_id))


def forget_password(session: Session, person_id: str) -> None:
    session.execute(delete(CredentialRow).where(CredentialRow.person_id == person_id))


def can_sign_in(session: Session, person_id: str) -> bool:
    """Whether there is any way for this person to come in: a password, or a provider."""
    return session.get(CredentialRow, person_id) is not None or bool(with_identities(session, [person_id]))
