"""a correction after 連署: the co-signers are asked again, and until when the time stood still for it"""

import sqlalchemy as sa
from alembic import op

revision = "eapply_0505"
down_revision = "eapply_0504"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applications", sa.Column("cosign_again", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("corrections", sa.Column("cosign_again", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("corrections", sa.Column("cosigned_on", sa.Date))
