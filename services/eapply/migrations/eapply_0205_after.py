"""what comes after: retention, certificates of deletion, counted paper applications"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "eapply_0205"
down_revision = "eapply_0204"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applications", sa.Column("kept_until", sa.Date))
    op.add_column("applications", sa.Column("hold", sa.Text))
    op.create_index("ix_applications_tenant_id_kept_until", "applications", ["tenant_id", "kept_until"])
    op.create_table(
        "paper_counts",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("procedure_id", sa.String(36), nullable=False),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("applications", sa.Integer, nullable=False),
        sa.Column("entered_by", sa.String(200), nullable=False),
        sa.Column("entered_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "procedure_id"], ["procedures.tenant_id", "procedures.id"], name="to_procedures"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "procedure_id", "month", name="pk_paper_counts"),
    )
    op.create_table(
        "deletions",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("deleted_at", UtcDateTime, nullable=False),
        sa.Column("applications", Json, nullable=False),
        sa.Column("files", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_deletions"),
    )
