"""The vault of マイナンバー: its own tables, which no archive carries. What is in them opens with the vault's key only."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.tenancy import TenantTable
from services.eapply.db.base import ID, Base


class VaultKeyRow(TenantTable, Base):
    """A municipality's key, wrapped by the vault's. The newest one seals; gone with the room, nothing opens any more."""

    __tablename__ = "vault_keys"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]


class VaultEntryRow(TenantTable, Base):
    """A sealed number, of a draft until it is sent and of the application from then on."""

    __tablename__ = "vault_entries"
    __table_args__ = (
        UniqueConstraint("tenant_id", "draft_id"),
        UniqueConstraint("tenant_id", "application_id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    draft_id: Mapped[str | None] = mapped_column(ID)
    application_id: Mapped[str | None] = mapped_column(ID)
    key_id: Mapped[str] = mapped_column(ID)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    kept_at: Mapped[datetime]


class VaultReadRow(TenantTable, Base):
    """Somebody looked at a number, and why. It stays when the application goes. `looked_at` and what follows: the second
    look, by a manager who is not the reader."""

    __tablename__ = "vault_reads"
    __table_args__ = (
        Index(None, "tenant_id", "read_at"),
        Index(None, "tenant_id", "application_id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    application_id: Mapped[str] = mapped_column(ID)
    receipt_number: Mapped[str] = mapped_column(String(40))
    reader: Mapped[str] = mapped_column(String(200))
    reader_name: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    read_at: Mapped[datetime]
    looked_at: Mapped[datetime | None]
    looked_by: Mapped[str | None] = mapped_column(String(200))
    looked_by_name: Mapped[str | None] = mapped_column(String(200))
    proper: Mapped[bool | None]
    finding: Mapped[str | None] = mapped_column(Text)


OFF_COPIES = (VaultKeyRow.__tablename__, VaultEntryRow.__tablename__)
"""Left out of the cloud's own copies and dumps. Who read what stays in them: it holds no number."""
