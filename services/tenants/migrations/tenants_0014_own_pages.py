"""what municipalities write for their own pages, and the files they send here"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "tenants_0014"
down_revision = "tenants_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "own_pages",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("content", Json, nullable=False),
        sa.Column("changed_by", sa.String(36), nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "kind", "number", name="pk_own_pages"),
    )
    op.create_table(
        "own_files",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("stored_at", UtcDateTime, nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(36), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_own_files"),
    )
    op.create_index("ix_own_files_tenant_id_subject", "own_files", ["tenant_id", "subject"])
