"""棚卸し: every procedure, online or not"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "eapply_0102"
down_revision = "eapply_0101"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inventory",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("department", sa.String(100), nullable=False),
        sa.Column("legal_basis", sa.String(300), nullable=False),
        sa.Column("yearly_volume", sa.Integer),
        sa.Column("working_days", sa.Integer),
        sa.Column("online", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String(30), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("procedure_key", sa.String(60)),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_inventory"),
        sa.UniqueConstraint("tenant_id", "name", "department", name="uq_inventory_tenant_id_name_department"),
    )
    op.create_index("ix_inventory_tenant_id_online", "inventory", ["tenant_id", "online"])
    op.create_table(
        "inventory_state",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("one", sa.Integer, nullable=False),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("finished_by_name", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "one", name="pk_inventory_state"),
    )
