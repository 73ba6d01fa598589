"""When the service could not be reached, and why dates were moved"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "ebid_0009"
down_revision = "ebid_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "heartbeat",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reached_at", UtcDateTime, nullable=True),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_heartbeat"),
    )
    op.create_table(
        "outages",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("first", UtcDateTime, nullable=False),
        sa.Column("last", UtcDateTime, nullable=False),
        sa.Column("measured", sa.Boolean(), nullable=False),
        sa.Column("receipt", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outages"),
    )
    op.create_index("ix_outages_last", "outages", ["last"])
    op.add_column("rounds", sa.Column("amendments", Json, nullable=True))
