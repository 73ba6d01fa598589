"""what a draft of a procedure was before its last changes, and a version for entries of the inventory: of two who change one
thing at once, the second is told what the first did"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "eapply_0509"
down_revision = "eapply_0508"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "procedure_draft_editions",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("key", sa.String(60), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("by_name", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key", "revision", name="pk_procedure_draft_editions"),
    )
    op.add_column("inventory", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
    op.add_column("inventory", sa.Column("changed_by_name", sa.String(200)))
