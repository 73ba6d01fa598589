"""the last fiscal year of which an indicator is reported"""

import sqlalchemy as sa
from alembic import op

revision = "tenants_0028"
down_revision = "tenants_0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("indicators", sa.Column("last_year", sa.Integer))
