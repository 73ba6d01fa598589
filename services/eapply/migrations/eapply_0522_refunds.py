"""what the payment provider was asked to pay back, so that nothing is asked for twice"""

import sqlalchemy as sa
from alembic import op

revision = "eapply_0522"
down_revision = "eapply_0521"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("charges", sa.Column("refund_asked", sa.Integer, nullable=False, server_default="0"))
