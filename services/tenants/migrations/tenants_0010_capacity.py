"""the pool of servers and who reserved what"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0010"
down_revision = "tenants_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    names = ("nodes", "storage", "cpu", "memory", "node_day", "storage_day")
    op.create_table(
        "capacity_pools",
        sa.Column("name", sa.String(20), primary_key=True),
        *(sa.Column(name, sa.Integer, nullable=False) for name in names),
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("first", sa.Date, nullable=False),
        sa.Column("until", sa.Date, nullable=False),
        sa.Column("nodes", sa.Integer, nullable=False),
        sa.Column("storage", sa.Integer, nullable=False),
        sa.Column("purpose", sa.String(200), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(2000)),
        sa.Column("asked_by", sa.String(36), nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("decided_by", sa.String(36)),
        sa.Column("decided_at", UtcDateTime),
        sa.Column("applied_at", UtcDateTime),
        sa.Column("removed_at", UtcDateTime),
        sa.Column("outcome", sa.String(2000)),
    )
    op.create_index("ix_reservations_state_until", "reservations", ["state", "until"])
    op.create_index("ix_reservations_tenant", "reservations", ["tenant"])
