"""Keys of programs."""

import hmac
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.db.base import Base
from gateway.db.people import PersonRow
from libs.common.db import Json
from libs.common.tenancy import PersonTable


class MachineTokenRow(PersonTable, Base):
    """A program's key for `for_tenant`, held by `person_id`, who made its present secret. Kept as a hash; the secret is shown once.

    Whoever holds it answers for it: it opens nothing while their account is stopped, and nothing any more once it is closed.

    After a change of secret the earlier one (`old_hash`) is good until `old_until`: the program is changed over without a pause.
    """

    __tablename__ = "machine_tokens"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64))
    person_id: Mapped[str] = mapped_column(ForeignKey("persons.id"))
    for_tenant: Mapped[str] = mapped_column(String(6))
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None] = mapped_column(String(36))
    old_hash: Mapped[str | None] = mapped_column(String(64))
    old_until: Mapped[datetime | None]
    old_last_used_at: Mapped[datetime | None]
    __table_args__ = (Index("ix_machine_tokens_for_tenant", "for_tenant"),)


def machine_tokens(session: Session, tenants: list[str]) -> list[MachineTokenRow]:
    return list(
        session.scalars(
            select(MachineTokenRow)
            .where(MachineTokenRow.for_tenant.in_(tenants))
            .order_by(MachineTokenRow.created_at.desc())
        )
    )


def live_machine_token(session: Session, ident: str, hash_: str, now: datetime) -> tuple[MachineTokenRow, bool] | None:
    """The key, and whether it was the earlier of its two secrets that was shown; None for anything that opens nothing now."""
    row = session.get(MachineTokenRow, ident)
    if row is None or row.revoked_at is not None or row.expires_at <= now or not has_holder(session, row):
        return None
    if hmac.compare_digest(row.hash, hash_):
        return row, False
    old_lives = row.old_hash is not None and row.old_until is not None and row.old_until > now
    return (row, True) if old_lives and hmac.compare_digest(row.old_hash or "", hash_) else None


def has_holder(session: Session, row: MachineTokenRow) -> bool:
    """Whether somebody answers for this key who may act."""
    holder = session.get_one(PersonRow, row.person_id)
    return holder.stopped_at is None and holder.closed_at is None


def live_keys_of(session: Session, person_id: str, now: datetime) -> list[MachineTokenRow]:
    """Keys that would open nothing any more without this person."""
    mine = select(MachineTokenRow).where(MachineTokenRow.person_id == person_id)
    return list(session.scalars(mine.where(MachineTokenRow.revoked_at.is_(None), MachineTokenRow.expires_at > now)))


def note_machine_token_used(session: Session, ident: str, now: datetime, *, old: bool = False) -> None:
    column = "old_last_used_at" if old else "last_used_at"
    session.execute(update(MachineTokenRow).where(MachineTokenRow.id == ident).values({column: now}))
