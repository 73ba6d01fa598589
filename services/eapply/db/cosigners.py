"""連署: the further persons who confirm an application."""

from datetime import datetime

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.tenancy import TenantTable
from services.eapply.db.base import ID, Base, points_at


class CosignerRow(TenantTable, Base):
    """One of them: `name` and `address` as the applicant gave them. `state`: waiting | confirmed | refused | replaced |
    lapsed (confirmed, and then a correction changed what that was: another row asks the same person again).

    `secret_hash` is of the newest link's secret, good until `good_until` or until they have answered. `account` and
    `session_hash` say who answered, so that nobody confirms twice. `language`: in which they are written to, as the applicant said;
    None: Japanese.
    """

    __tablename__ = "cosigners"
    __table_args__ = (
        points_at(["application_id"], "applications", ["id"]),
        UniqueConstraint("tenant_id", "secret_hash"),
        Index(None, "tenant_id", "application_id"),
        Index(None, "tenant_id", "state", "asked_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    application_id: Mapped[str] = mapped_column(ID)
    name: Mapped[str] = mapped_column(String(200))
    address: Mapped[str | None] = mapped_column(String(254))
    state: Mapped[str] = mapped_column(String(20))
    secret_hash: Mapped[str | None] = mapped_column(String(64))
    asked_at: Mapped[datetime]
    good_until: Mapped[datetime]
    reminders: Mapped[int] = mapped_column(default=0)
    account: Mapped[str | None] = mapped_column(String(200))
    session_hash: Mapped[str | None] = mapped_column(String(64))
    signed_name: Mapped[str | None] = mapped_column(String(200))
    answered_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(String(10))
