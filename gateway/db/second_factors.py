"""Passkeys and recovery codes."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.db.base import Base
from libs.common.tenancy import PersonTable


class PasskeyRow(PersonTable, Base):
    """A WebAuthn credential. `credential_id` is base64url; `sign_count` is what it said last (0: it does not count)."""

    __tablename__ = "passkeys"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("persons.id"), index=True)
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class RecoveryCodeRow(PersonTable, Base):
    """One code for the day the passkey is lost, as a keyed digest. Works once."""

    __tablename__ = "recovery_codes"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("persons.id"), index=True)
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def passkeys_of(session: Session, person_id: str) -> list[PasskeyRow]:
    statement = select(PasskeyRow).where(PasskeyRow.person_id == person_id)
    return list(session.scalars(statement.order_by(PasskeyRow.created_at)))


def has_passkey(session: Session, person_id: str) -> bool:
    return session.scalar(select(PasskeyRow.id).where(PasskeyRow.person_id == person_id).limit(1)) is not None


def codes_left(session: Session, person_id: str) -> int:
    unused = (RecoveryCodeRow.person_id == person_id, RecoveryCodeRow.used_at.is_(None))
    return session.scalar(select(func.count()).select_from(RecoveryCodeRow).where(*unused)) or 0


def forget_codes(session: Session, person_id: str) -> None:
    session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.person_id == person_id))


def forget_passkeys(session: Session, person_id: str) -> None:
    session.execute(delete(PasskeyRow).where(PasskeyRow.person_id == person_id))


def passkey_by_credential(session: Session, credential_id: str, *, lock: bool = False) -> PasskeyRow | None:
    statement = select(PasskeyRow).where(PasskeyRow.credential_id == credential_id)
    return session.scalar(statement.with_for_update() if lock else statement)
