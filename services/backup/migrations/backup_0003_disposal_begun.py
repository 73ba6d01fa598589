"""a disposal says that it has begun, before the first byte goes"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "backup_0003"
down_revision = "backup_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("disposals", sa.Column("begun_at", UtcDateTime))
