"""streams of sensor readings, their sums by hour"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "opendata_0005"
down_revision = "opendata_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "streams",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("about", Json, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_streams"),
    )
    _create_readings()
    op.create_table(
        "published_streams",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("about", Json, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("latest_at", UtcDateTime),
        sa.Column("latest", sa.Float),
        sa.PrimaryKeyConstraint("id", name="pk_published_streams"),
    )
    op.create_index("ix_published_streams_tenant", "published_streams", ["tenant"])


def _create_readings() -> None:
    op.create_table(
        "readings",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("stream_id", sa.String(36), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("hour", UtcDateTime, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "stream_id", "at", name="pk_readings"),
    )
    op.create_index("ix_readings_hour", "readings", ["tenant_id", "stream_id", "hour"])
    op.create_table(
        "reading_hours",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("stream_id", sa.String(36), nullable=False),
        sa.Column("hour", UtcDateTime, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("least", sa.Float, nullable=False),
        sa.Column("most", sa.Float, nullable=False),
        sa.Column("total", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "stream_id", "hour", name="pk_reading_hours"),
    )
