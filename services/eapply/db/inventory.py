"""棚卸し: every procedure a municipality has, online or not."""

from datetime import datetime

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.tenancy import TenantTable
from services.eapply.db.base import ID, Base


class InventoryRow(TenantTable, Base):
    """One procedure. `yearly_volume`: applications a year, None where nobody has counted. `reason`: a word of
    `domain/inventory.py`, why it is not online. `procedure_key`: the online procedure here that it is. `version` grows
    with every change: the form carries it."""

    __tablename__ = "inventory"
    __table_args__ = (UniqueConstraint("tenant_id", "name", "department"), Index(None, "tenant_id", "online"))

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    department: Mapped[str] = mapped_column(String(100))
    legal_basis: Mapped[str] = mapped_column(String(300))
    yearly_volume: Mapped[int | None]
    working_days: Mapped[int | None]
    online: Mapped[bool]
    reason: Mapped[str] = mapped_column(String(30))
    note: Mapped[str] = mapped_column(Text)
    procedure_key: Mapped[str | None] = mapped_column(String(60))
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
    changed_by_name: Mapped[str | None] = mapped_column(String(200))


class InventoryStateRow(TenantTable, Base):
    """Whether the municipality says that its inventory is complete, since when, and who said so."""

    __tablename__ = "inventory_state"

    one: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    finished_at: Mapped[datetime | None]
    finished_by_name: Mapped[str] = mapped_column(String(200))
