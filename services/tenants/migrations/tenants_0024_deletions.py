"""the signed records of deletions, kept as they were signed"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0024"
down_revision = "tenants_0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deletions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("subject", sa.String(40), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("signed_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_deletions_tenant", "deletions", ["tenant"])
