"""a municipality's profile, technical points, proposals"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "ebid_0002"
down_revision = "ebid_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "profiles",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_profiles"),
    )
    op.create_table(
        "scores",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("points", Json, nullable=False),
        sa.Column("total", sa.String(40), nullable=False),
        sa.Column("scored_by", sa.String(200), nullable=False),
        sa.Column("scored_at", UtcDateTime, nullable=False),
        sa.Column("entry_id", sa.String(36), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id", "tender_id"], ["tenders.tenant_id", "tenders.id"], name="to_tenders"),
        sa.PrimaryKeyConstraint("tenant_id", "tender_id", "company_id", name="pk_scores"),
    )
    op.create_table(
        "proposals",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("stored_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "tender_id"], ["tenders.tenant_id", "tenders.id"], name="to_tenders"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_proposals"),
    )
    op.create_index(
        "ix_proposals_tenant_id_tender_id_company_id", "proposals", ["tenant_id", "tender_id", "company_id"]
    )
