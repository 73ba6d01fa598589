"""procedures in the making, the templates they came from, what municipalities share"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "eapply_0101"
down_revision = "eapply_0201"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "procedure_drafts",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("key", sa.String(60), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("base_version", sa.Integer, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(200)),
        sa.Column("updated_by_name", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key", name="pk_procedure_drafts"),
    )
    op.create_table(
        "procedure_origins",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("key", sa.String(60), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("source_key", sa.String(60), nullable=False),
        sa.Column("source_name", sa.String(200), nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("taken_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key", name="pk_procedure_origins"),
    )
    op.create_table(
        "shared_procedures",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("owner", sa.String(6), nullable=False),
        sa.Column("owner_name", sa.String(200), nullable=False),
        sa.Column("key", sa.String(60), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("category", sa.String(60), nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("audience", Json, nullable=False),
        sa.Column("shared_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shared_procedures"),
        sa.UniqueConstraint("owner", "key", name="uq_shared_procedures_owner_key"),
    )
    op.create_index("ix_shared_procedures_category", "shared_procedures", ["category"])
