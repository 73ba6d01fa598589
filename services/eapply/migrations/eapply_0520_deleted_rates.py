"""how the 標準処理期間 was kept in each month by applications that were deleted since: a month's rate stays what it was"""

import sqlalchemy as sa
from alembic import op

revision = "eapply_0520"
down_revision = "eapply_0510"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deleted_rates",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("procedure_id", sa.String(36), nullable=False),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("decided", sa.Integer, nullable=False),
        sa.Column("counted", sa.Integer, nullable=False),
        sa.Column("within", sa.Integer, nullable=False),
        sa.Column("days_used", sa.Integer, nullable=False),
        sa.Column("longest", sa.Integer),
        sa.ForeignKeyConstraint(
            ["tenant_id", "procedure_id"], ["procedures.tenant_id", "procedures.id"], name="to_procedures"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "procedure_id", "month", name="pk_deleted_rates"),
    )
