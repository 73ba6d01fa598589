"""an indicator whose typed values grow from 1 April on and begin again a year later"""

import sqlalchemy as sa
from alembic import op

revision = "tenants_0031"
down_revision = "tenants_0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("indicators", sa.Column("adds_up", sa.Boolean, nullable=False, server_default=sa.false()))
