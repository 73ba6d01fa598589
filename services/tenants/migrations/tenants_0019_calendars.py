"""the address by which a calendar program subscribes to a municipality's dates"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0019"
down_revision = "tenants_0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_keys",
        sa.Column("tenant", sa.String(6), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("made_by", sa.String(36), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("digest"),
    )
