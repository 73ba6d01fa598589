"""applications of the years before a municipality joined, brought from the system it used until then"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0023"
down_revision = "tenants_0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "past_imports",
        sa.Column("tenant_id", sa.String(6), primary_key=True),
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("file_name", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("applications", sa.Integer, nullable=False),
        sa.Column("taken_by", sa.String(36), nullable=False),
        sa.Column("taken_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "past_applications",
        sa.Column("tenant_id", sa.String(6), primary_key=True),
        sa.Column("number", sa.String(60), primary_key=True),
        sa.Column("brought_by", sa.String(36), nullable=False),
        sa.Column("procedure", sa.String(100), nullable=False),
        sa.Column("received_on", sa.Date, nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("outcome", sa.String(40), nullable=False),
        sa.Column("decided_on", sa.Date),
    )
    op.create_index("ix_past_applications_tenant_id_received_on", "past_applications", ["tenant_id", "received_on"])
    op.create_table(
        "past_totals",
        sa.Column("tenant", sa.String(6), primary_key=True),
        sa.Column("brought_by", sa.String(36), primary_key=True),
        sa.Column("fiscal_year", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("procedure", sa.String(100), primary_key=True),
        sa.Column("channel", sa.String(10), primary_key=True),
        sa.Column("applications", sa.Integer, nullable=False),
    )
