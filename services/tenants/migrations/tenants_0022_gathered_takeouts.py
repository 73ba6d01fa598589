"""the archive of everything is put together once and kept, so that a download can be taken up where it broke off"""

import sqlalchemy as sa
from alembic import op

revision = "tenants_0022"
down_revision = "tenants_0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("takeouts", sa.Column("job", sa.String(36)))
    op.add_column("takeouts", sa.Column("file", sa.String(36)))
    op.add_column("takeouts", sa.Column("size", sa.BigInteger))
    op.add_column("takeouts", sa.Column("sha256", sa.String(64)))
