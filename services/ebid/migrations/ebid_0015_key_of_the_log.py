"""The keys that the log had, one after the other"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json

revision = "ebid_0015"
down_revision = "ebid_0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("log_head", sa.Column("changes", Json))
