"""内訳書"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "ebid_0006"
down_revision = "ebid_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "breakdowns",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("envelope", Json, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("kept_at", UtcDateTime, nullable=False),
        sa.Column("opened", Json, nullable=True),
        sa.Column("problems", Json, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "tender_id", "round"],
            ["rounds.tenant_id", "rounds.tender_id", "rounds.number"],
            name="to_rounds",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "tender_id", "round", "company_id", name="pk_breakdowns"),
    )
