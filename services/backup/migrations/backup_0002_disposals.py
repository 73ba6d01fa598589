"""repositories are disposed of by two people, after a delay"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "backup_0002"
down_revision = "backup_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("repositories", sa.Column("closing_at", UtcDateTime))
    op.add_column("repositories", sa.Column("disposed_at", UtcDateTime))
    op.create_table(
        "disposals",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("repository_id", sa.String(36), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("asked_by", sa.String(100), nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("agreed_by", sa.String(100)),
        sa.Column("agreed_at", UtcDateTime),
        sa.Column("due_at", UtcDateTime),
        sa.Column("stopped_by", sa.String(100)),
        sa.Column("stopped_at", UtcDateTime),
        sa.Column("done_at", UtcDateTime),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_disposals"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "repository_id"],
            ["repositories.tenant_id", "repositories.id"],
            name="disposal_of_repository",
        ),
    )
    op.create_index("ix_disposals_tenant_id_repository_id", "disposals", ["tenant_id", "repository_id"])
