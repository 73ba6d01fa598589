"""what the scanner found, plans, contracts"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "ebid_0003"
down_revision = "ebid_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plans",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("ocid", sa.String(60), nullable=False),
        sa.Column("fiscal_year", sa.Integer(), nullable=False),
        sa.Column("quarter", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("place", sa.String(200), nullable=False),
        sa.Column("period", sa.String(100), nullable=False),
        sa.Column("category", sa.String(20), nullable=False),
        sa.Column("method", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=True),
        sa.Column("published_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_plans"),
        sa.UniqueConstraint("tenant_id", "ocid", name="uq_plans_tenant_id_ocid"),
    )
    op.create_index("ix_plans_tenant_id_fiscal_year_quarter", "plans", ["tenant_id", "fiscal_year", "quarter"])
    op.create_table(
        "contracts",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("amendments", Json, nullable=False),
        sa.Column("completed_on", sa.Date(), nullable=True),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "tender_id"], ["tenders.tenant_id", "tenders.id"], name="to_tenders"),
        sa.PrimaryKeyConstraint("tenant_id", "tender_id", name="pk_contracts"),
    )
    op.add_column("documents", sa.Column("findings", Json, nullable=True))
