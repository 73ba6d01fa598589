"""Keys with which a person's own programs read that person's applications and, where the person has said so, apply."""

from datetime import date, datetime

from sqlalchemy import Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.tenancy import TenantTable
from services.eapply.db.base import ID, Base


class OwnKeyRow(TenantTable, Base):
    """`person` gave it a `label`; only the hash of the secret is kept. It is good until `good_until` or until it is ended, which
    removes it. `used_at`: when it was used last, to the hour. `applies`: it may apply, too; `sent`: how many applications it
    sent on `sent_on`, the last day (JST) on which it did."""

    __tablename__ = "own_keys"
    __table_args__ = (UniqueConstraint("tenant_id", "secret_hash"), Index(None, "tenant_id", "person"))

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    person: Mapped[str] = mapped_column(String(200))
    label: Mapped[str] = mapped_column(String(100))
    secret_hash: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
    good_until: Mapped[datetime]
    used_at: Mapped[datetime | None]
    applies: Mapped[bool] = mapped_column(default=False, server_default=false())
    sent_on: Mapped[date | None]
    sent: Mapped[int] = mapped_column(default=0, server_default="0")
