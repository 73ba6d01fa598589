"""受任者"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "ebid_0008"
down_revision = "ebid_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delegations",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("branch", sa.String(200), nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("address", sa.String(300), nullable=False),
        sa.Column("categories", Json, nullable=False),
        sa.Column("tenants", Json, nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("code_digest", sa.String(64), nullable=True),
        sa.Column("code_until", UtcDateTime, nullable=True),
        sa.Column("person", sa.String(200), nullable=True),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("ended_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_delegations"),
    )
    op.create_index("ix_delegations_company_id", "delegations", ["company_id"])
    op.create_index("ix_delegations_code_digest", "delegations", ["code_digest"])
    op.add_column("company_persons", sa.Column("delegation_id", sa.String(36), nullable=True))
    for table in ("submissions", "participations"):
        op.add_column(table, sa.Column("delegate", Json, nullable=True))
    op.add_column("letters", sa.Column("addressee", sa.Text(), nullable=True))
