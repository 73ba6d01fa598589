"""the clock: own closures, the way through a transit agency, how a case ended in its period, who was warned"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "eapply_0201"
down_revision = "eapply_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "office_closures",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("added_by", sa.String(200), nullable=False),
        sa.Column("added_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "day", name="pk_office_closures"),
    )
    op.add_column("applications", sa.Column("reached_on", sa.Date))
    op.add_column("applications", sa.Column("days_used", sa.Integer))
    op.add_column("applications", sa.Column("within_period", sa.Boolean))
    op.add_column("applications", sa.Column("alerted_for", sa.Date))
    op.create_index("ix_applications_tenant_id_decided_at", "applications", ["tenant_id", "decided_at"])
