"""announced maintenance"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0012"
down_revision = "tenants_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "maintenances",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("service", sa.String(40), nullable=False),
        sa.Column("begins_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.Column("text", sa.String(2000), nullable=False),
        sa.Column("announced_by", sa.String(36), nullable=False),
        sa.Column("announced_at", UtcDateTime, nullable=False),
        sa.Column("cancelled_at", UtcDateTime),
    )
    op.create_index("ix_maintenances_ends_at", "maintenances", ["ends_at"])
