"""questions of municipalities to the operators, and the answers"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0015"
down_revision = "tenants_0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "support_threads",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("service", sa.String(40), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("asked_by", sa.String(36), nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("moved", sa.String(36), nullable=False),
        sa.Column("moved_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_support_threads_tenant_moved", "support_threads", ["tenant", "moved"])
    op.create_index("ix_support_threads_state_moved", "support_threads", ["state", "moved"])
    op.create_table(
        "support_messages",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("thread", sa.String(36), nullable=False),
        sa.Column("side", sa.String(10), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("by", sa.String(36), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_support_messages"),
    )
    op.create_index("ix_support_messages_tenant_id_thread", "support_messages", ["tenant_id", "thread"])
