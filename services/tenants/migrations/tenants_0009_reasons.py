"""why a municipality has not joined"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0009"
down_revision = "tenants_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "not_yet_reasons",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("service", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("text", sa.String(2000), nullable=False),
        sa.Column("heard_by", sa.String(36), nullable=False),
        sa.Column("heard_at", UtcDateTime, nullable=False),
        sa.Column("superseded_at", UtcDateTime),
    )
    op.create_index("ix_not_yet_reasons_service_tenant", "not_yet_reasons", ["service", "tenant"])
