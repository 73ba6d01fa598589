"""requests counted per day for quotas; services closed or read-only for a while"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "gateway_0006"
down_revision = "gateway_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "requests_counted",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("whose", sa.String(40), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "closures",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("for_tenant", sa.String(6)),
        sa.Column("service", sa.String(40)),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("sentence", sa.String(300), nullable=False),
        sa.Column("begins_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime),
        sa.Column("made_by", sa.String(36), nullable=False),
        sa.Column("ended_at", UtcDateTime),
    )
