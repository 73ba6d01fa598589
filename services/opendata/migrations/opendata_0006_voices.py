"""requests for data with votes, and what people made with it"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "opendata_0006"
down_revision = "opendata_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_requests()
    op.create_table(
        "apps",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("maker", sa.String(100), nullable=False),
        sa.Column("dataset_id", sa.String(36), nullable=False),
        sa.Column("picture_id", sa.String(36)),
        sa.Column("picture_type", sa.String(40), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("author", sa.String(100), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_apps"),
    )
    op.create_table(
        "published_voices",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("votes", sa.Integer, nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_published_voices"),
    )
    op.create_index("ix_published_voices_tenant", "published_voices", ["tenant"])


def _create_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("dataset_id", sa.String(36)),
        sa.Column("author", sa.String(100), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_requests"),
    )
    op.create_table(
        "request_votes",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("voter", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "request_id", "voter", name="pk_request_votes"),
    )
