"""what a reserved server costs, as it was when it was asked for"""

import sqlalchemy as sa
from alembic import op

revision = "tenants_0026"
down_revision = "tenants_0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("node_day", "storage_day"):
        op.add_column("reservations", sa.Column(name, sa.Integer))
        op.execute(f"UPDATE reservations SET {name} = (SELECT {name} FROM capacity_pools)")  # noqa: S608 (two names of ours)
