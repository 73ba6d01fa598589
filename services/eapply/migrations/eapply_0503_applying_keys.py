"""a key of one's own may apply, too, where its holder has said so; how often it has done so today"""

import sqlalchemy as sa
from alembic import op

revision = "eapply_0503"
down_revision = "eapply_0502"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("own_keys", sa.Column("applies", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("own_keys", sa.Column("sent_on", sa.Date))
    op.add_column("own_keys", sa.Column("sent", sa.Integer, nullable=False, server_default="0"))
