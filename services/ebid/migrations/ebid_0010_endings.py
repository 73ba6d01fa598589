"""Which companies were told that their registration ends"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "ebid_0010"
down_revision = "ebid_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "endings_told",
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("told_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("company_id", "valid_until", "days", name="pk_endings_told"),
    )
    op.create_index("ix_companies_valid_until", "companies", ["valid_until"])
