"""paper bids, time stamps"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "ebid_0004"
down_revision = "ebid_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "papers",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("serial", sa.String(60), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("entry_id", sa.String(36), nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("received_by", sa.String(200), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("first", Json, nullable=True),
        sa.Column("typed", Json, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "tender_id", "round"],
            ["rounds.tenant_id", "rounds.tender_id", "rounds.number"],
            name="to_rounds",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "tender_id", "round", "company_id", name=("pk_papers")),
    )
    op.add_column("log_checkpoints", sa.Column("stamp", sa.Text(), nullable=True))
