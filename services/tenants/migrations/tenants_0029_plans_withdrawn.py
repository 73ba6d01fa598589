"""a plan that was recorded wrongly is withdrawn: when, by whom and why"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0029"
down_revision = "tenants_0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("plans", sa.Column("withdrawn_at", UtcDateTime))
    op.add_column("plans", sa.Column("withdrawn_by", sa.String(36)))
    op.add_column("plans", sa.Column("withdrawn_because", sa.String(2000)))
