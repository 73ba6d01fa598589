"""all data of a municipality, asked of every service at once"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0011"
down_revision = "tenants_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "takeouts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("asked_by", sa.String(36), nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_takeouts_tenant", "takeouts", ["tenant"])
    op.create_table(
        "takeout_parts",
        sa.Column("takeout", sa.String(36), sa.ForeignKey("takeouts.id"), primary_key=True),
        sa.Column("service", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("room_request", sa.String(36), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("asks", sa.Integer, nullable=False),
        sa.Column("heard_at", UtcDateTime, nullable=False),
        sa.Column("label", sa.String(500), nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("file", sa.String(200)),
        sa.Column("size", sa.BigInteger),
        sa.Column("sha256", sa.String(64)),
        sa.UniqueConstraint("room_request", name="uq_takeout_parts_room_request"),
    )
