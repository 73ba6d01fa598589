"""Tables of what goes to the applicant: the written notice and how it was delivered."""

from datetime import datetime

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.tenancy import TenantTable
from services.eapply.db.base import ID, Base, points_at


class NoticeDocumentRow(TenantTable, Base):
    """通知書: one for each decision. `code` is what its QR asks for, of which nothing personal can be told.

    `delivery`: electronic | post. `post_reason`: no_consent | unopened | revoked. `file_id`, `sha256`, `size`, `signer`
    are set when the signed PDF is made.
    """

    __tablename__ = "notice_documents"
    __table_args__ = (
        points_at(["application_id"], "applications", ["id"]),
        UniqueConstraint("tenant_id", "code"),
        UniqueConstraint("tenant_id", "number"),
        Index(None, "tenant_id", "delivery", "posted_at"),
        Index(None, "tenant_id", "delivery", "decided_at"),
    )

    application_id: Mapped[str] = mapped_column(ID, primary_key=True)
    number: Mapped[str] = mapped_column(String(60))
    code: Mapped[str] = mapped_column(String(40))
    delivery: Mapped[str] = mapped_column(String(20))
    decided_at: Mapped[datetime]
    made_at: Mapped[datetime | None]
    file_id: Mapped[str | None] = mapped_column(ID)
    sha256: Mapped[str | None] = mapped_column(String(64))
    size: Mapped[int | None]
    signer: Mapped[str | None] = mapped_column(String(200))
    post_reason: Mapped[str | None] = mapped_column(String(20))
    post_since: Mapped[datetime | None]
    posted_at: Mapped[datetime | None]
    posted_by_name: Mapped[str | None] = mapped_column(String(200))
