"""since when a stream has readings"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "opendata_0008"
down_revision = "opendata_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("published_streams", sa.Column("first_at", UtcDateTime))
