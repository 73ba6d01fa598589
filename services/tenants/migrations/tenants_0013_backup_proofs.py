"""what each municipality kept month by month, and the evidence of its restore drills"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "tenants_0013"
down_revision = "tenants_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backup_months",
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("stored", sa.BigInteger, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "month", name="pk_backup_months"),
    )
    op.create_table(
        "backup_proofs",
        sa.Column("drill_id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("finished_at", UtcDateTime, nullable=False),
        sa.Column("passed", sa.Boolean, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("files", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("age_seconds", sa.Float),
        sa.Column("evidence", Json),
        sa.Column("signature", sa.String(120)),
        sa.PrimaryKeyConstraint("drill_id", name="pk_backup_proofs"),
    )
    op.create_index("ix_backup_proofs_tenant_finished_at", "backup_proofs", ["tenant", "finished_at"])
