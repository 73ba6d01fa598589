"""docs, parts, holidays"""

import sqlalchemy as sa
from alembic import op

revision = "shop_0001"
down_revision = None
branch_labels = ("shop",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "docs",
        sa.Column("tenant_id", sa.String(6), primary_key=True),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("title", sa.String(100), nullable=False),
    )
    op.create_table(
        "parts",
        sa.Column("tenant_id", sa.String(6), primary_key=True),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("doc_id", sa.Integer, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "doc_id"], ["docs.tenant_id", "docs.id"]),
    )
    op.create_table("holidays", sa.Column("name", sa.String(100), primary_key=True))
