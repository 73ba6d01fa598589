"""委任: who may apply for whom, for what, until when."""

from datetime import date, datetime

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import Json
from libs.common.tenancy import TenantTable
from services.eapply.db.base import ID, Base


class DelegationRow(TenantTable, Base):
    """`giver` lets the one who accepts apply in their place: for `procedures` (keys), to the end of `last_day`.

    `label`: whom the giver meant. `secret_hash` is of the link's secret, good once until `invite_until`. It is in force from
    `accepted_at` on; `revoked_at` ends it at once, by either of the two (`revoked_by`). `language`: of the page on which it was given,
    in which the giver is written to; None: not known, Japanese.
    """

    __tablename__ = "delegations"
    __table_args__ = (
        UniqueConstraint("tenant_id", "secret_hash"),
        Index(None, "tenant_id", "giver"),
        Index(None, "tenant_id", "delegate"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    giver: Mapped[str] = mapped_column(String(200))
    giver_name: Mapped[str] = mapped_column(String(200))
    label: Mapped[str] = mapped_column(String(200))
    delegate: Mapped[str | None] = mapped_column(String(200))
    delegate_name: Mapped[str | None] = mapped_column(String(200))
    procedures: Mapped[list[str]] = mapped_column(Json)
    last_day: Mapped[date]
    secret_hash: Mapped[str | None] = mapped_column(String(64))
    invite_until: Mapped[datetime]
    made_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None] = mapped_column(String(200))
    language: Mapped[str | None] = mapped_column(String(10))
