"""what municipalities keep at the distant site"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0002"
down_revision = "tenants_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backups",
        sa.Column("tenant", sa.String(6), primary_key=True),
        sa.Column("stored", sa.BigInteger, nullable=False),
        sa.Column("last_point_at", UtcDateTime),
        sa.Column("proven_at", UtcDateTime),
        sa.Column("failed_at", UtcDateTime),
    )
