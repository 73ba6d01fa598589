"""rooms and the requests about them"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "common_0005"
down_revision = "common_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rooms",
        sa.Column("tenant", sa.String(6), primary_key=True),
        sa.Column("code", sa.String(6)),
        sa.Column("name", sa.String(100)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "room_requests",
        sa.Column("request_id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("code", sa.String(6)),
        sa.Column("name", sa.String(100)),
        sa.Column("archive", sa.String(36)),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("answer", Json),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("answered_at", UtcDateTime),
    )
    op.create_index("ix_room_requests_tenant", "room_requests", ["tenant"])
