"""tenders as the e-bidding service told of them"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0005"
down_revision = "tenants_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenders",
        sa.Column("tenant", sa.String(6), primary_key=True),
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("category", sa.String(20), nullable=False),
        sa.Column("published_at", UtcDateTime),
        sa.Column("outcome", sa.String(20)),
        sa.Column("bidders", sa.Integer),
        sa.Column("amount", sa.BigInteger),
    )
