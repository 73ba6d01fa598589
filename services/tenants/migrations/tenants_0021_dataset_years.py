"""how many data sets each municipality published at the end of a fiscal year"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0021"
down_revision = "tenants_0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dataset_years",
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("told_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "fiscal_year", name="pk_dataset_years"),
    )
