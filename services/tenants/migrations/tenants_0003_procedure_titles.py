"""what a municipality calls its procedures"""

import sqlalchemy as sa
from alembic import op

revision = "tenants_0003"
down_revision = "tenants_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("procedures", sa.Column("title", sa.String(200), nullable=False, server_default=""))
