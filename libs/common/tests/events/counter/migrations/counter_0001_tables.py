"""effects, tallies"""

import sqlalchemy as sa
from alembic import op

revision = "counter_0001"
down_revision = None
branch_labels = ("counter",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "effects",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
    )
    op.create_table(
        "tallies",
        sa.Column("tenant_id", sa.String(6), primary_key=True),
        sa.Column("id", sa.String(10), primary_key=True),
        sa.Column("total", sa.Integer, nullable=False),
    )
