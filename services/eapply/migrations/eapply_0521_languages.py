"""the languages in which the giver of a 委任 and a co-signer are written to"""

import sqlalchemy as sa
from alembic import op

revision = "eapply_0521"
down_revision = "eapply_0520"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delegations", sa.Column("language", sa.String(10)))
    op.add_column("cosigners", sa.Column("language", sa.String(10)))
