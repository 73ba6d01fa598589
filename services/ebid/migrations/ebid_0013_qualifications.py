"""競争入札参加資格: common answers, each municipality's own questions, applications"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "ebid_0013"
down_revision = "ebid_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "company_answers",
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("answers", Json, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("company_id", name="pk_company_answers"),
    )
    op.create_table(
        "qualification_forms",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("optional", Json, nullable=False),
        sa.Column("own", Json, nullable=False),
        sa.Column("demanded", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_qualification_forms"),
    )
    op.create_table(
        "qualifications",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("answers", Json, nullable=False),
        sa.Column("questions", Json, nullable=False),
        sa.Column("categories", Json, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("applied_at", UtcDateTime, nullable=False),
        sa.Column("decided_at", UtcDateTime),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "company_id", name="pk_qualifications"),
    )
