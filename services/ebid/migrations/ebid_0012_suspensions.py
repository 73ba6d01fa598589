"""指名停止 changed or ended early: what it was before is kept"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "ebid_0012"
down_revision = "ebid_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("suspensions", sa.Column("lifted_at", UtcDateTime))
    op.create_table(
        "suspension_changes",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("suspension_id", sa.String(36), nullable=False),
        sa.Column("by_tenant", sa.String(6), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lifts", sa.Boolean(), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_suspension_changes"),
    )
    op.create_index("ix_suspension_changes_suspension_id", "suspension_changes", ["suspension_id"])
    op.create_index("ix_suspension_changes_by_tenant", "suspension_changes", ["by_tenant"])
