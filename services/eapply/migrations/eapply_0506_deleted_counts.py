"""how many applications were deleted after their 保存期間: a year's numbers stay what they were"""

import sqlalchemy as sa
from alembic import op

revision = "eapply_0506"
down_revision = "eapply_0505"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deleted_counts",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("procedure_id", sa.String(36), nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("applications", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "procedure_id"], ["procedures.tenant_id", "procedures.id"], name="to_procedures"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "procedure_id", "fiscal_year", "channel", name="pk_deleted_counts"),
    )
