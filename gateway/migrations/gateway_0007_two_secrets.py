"""a machine token's earlier secret, good for a while beside the new one"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "gateway_0007"
down_revision = "gateway_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("machine_tokens", sa.Column("old_hash", sa.String(64)))
    op.add_column("machine_tokens", sa.Column("old_until", UtcDateTime))
    op.add_column("machine_tokens", sa.Column("old_last_used_at", UtcDateTime))
