"""how many data sets municipalities publish"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0006"
down_revision = "tenants_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "datasets",
        sa.Column("tenant", sa.String(6), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("told_at", UtcDateTime, nullable=False),
    )
