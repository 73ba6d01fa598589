"""which reservation of a municipality that ended a reservation goes on with"""

import sqlalchemy as sa
from alembic import op

revision = "tenants_0027"
down_revision = "tenants_0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reservations", sa.Column("carried_from", sa.String(36)))
