"""共同企業体 of one tender. Itself it is a bidder like any company: a row of the register that names its members."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.tenancy import TenantTable
from services.ebid.db.base import ID, Base, points_at


class VentureRow(TenantTable, Base):
    """`company_id` is the venture's own in the register, `leader_id` its 代表者. `formed_at` None: not all members have agreed yet."""

    __tablename__ = "ventures"
    __table_args__ = (points_at(["tender_id"], "tenders", ["id"]),)

    tender_id: Mapped[str] = mapped_column(ID, primary_key=True)
    company_id: Mapped[str] = mapped_column(ID, primary_key=True)
    leader_id: Mapped[str] = mapped_column(ID)
    proposed_at: Mapped[datetime]
    formed_at: Mapped[datetime | None]


class VentureMemberRow(TenantTable, Base):
    """A named member. `share` in percent, as a ratio; `agreed_at` None: it was only named so far."""

    __tablename__ = "venture_members"
    __table_args__ = (
        points_at(["tender_id", "venture_id"], "ventures", ["tender_id", "company_id"]),
        Index(None, "tenant_id", "company_id"),
    )

    tender_id: Mapped[str] = mapped_column(ID, primary_key=True)
    venture_id: Mapped[str] = mapped_column(ID, primary_key=True)
    company_id: Mapped[str] = mapped_column(ID, primary_key=True)
    share: Mapped[str] = mapped_column(String(40))
    agreed_at: Mapped[datetime | None]
    agreed_by: Mapped[str | None] = mapped_column(String(200))
