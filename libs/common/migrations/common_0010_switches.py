"""functions that are switched off, or on again, in a tenant's room"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json

revision = "common_0010"
down_revision = "common_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rooms", sa.Column("switches", Json))
