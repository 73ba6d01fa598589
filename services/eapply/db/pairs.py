"""The pairs of characters by which the desk's search finds an application without looking at every one."""

from sqlalchemy import ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.tenancy import TenantTable
from services.eapply.db.base import ID, Base


class PairRow(TenantTable, Base):
    """Two neighbouring characters of an application's `search`. As personal as the name, so it goes with the application: by
    the database itself, because the release before deletes applications without knowing this table."""

    __tablename__ = "application_pairs"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "application_id"],
            ["applications.tenant_id", "applications.id"],
            name="to_applications",
            ondelete="CASCADE",
        ),
        Index(None, "tenant_id", "application_id"),
    )

    pair: Mapped[str] = mapped_column(String(2), primary_key=True)
    application_id: Mapped[str] = mapped_column(ID, primary_key=True)
