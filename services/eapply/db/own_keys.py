"""Keys with which a person's own programs read that person's applications."""

from datetime import datetime

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.tenancy import TenantTable
from services.eapply.db.base import ID, Base


class OwnKeyRow(TenantTable, Base):
    """`person` gave it a `label`; only the hash of the secret is kept. It is good until `good_until` or until it is ended, which
    removes it. `used_at`: when it was used last, to the hour."""

    __tablename__ = "own_keys"
    __table_args__ = (UniqueConstraint("tenant_id", "secret_hash"), Index(None, "tenant_id", "person"))

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    person: Mapped[str] = mapped_column(String(200))
    label: Mapped[str] = mapped_column(String(100))
    secret_hash: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
    good_until: Mapped[datetime]
    used_at: Mapped[datetime | None]
