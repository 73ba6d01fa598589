"""an archive of everything, taken in from another installation"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "tenants_0017"
down_revision = "tenants_0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "takeins",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("file", sa.String(36), nullable=False),
        sa.Column("file_name", sa.String(200), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(6)),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("asked_by", sa.String(36), nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("problems", Json, nullable=False),
    )
    op.create_index("ix_takeins_state", "takeins", ["state"])
    op.create_table(
        "takein_parts",
        sa.Column("takein", sa.String(36), sa.ForeignKey("takeins.id"), primary_key=True),
        sa.Column("service", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("file", sa.String(36), nullable=False),
        sa.Column("room_request", sa.String(36), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("asks", sa.Integer, nullable=False),
        sa.Column("heard_at", UtcDateTime, nullable=False),
        sa.Column("label", sa.String(500), nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.UniqueConstraint("room_request", name="uq_takein_parts_room_request"),
    )
