"""What the log's entries of decisions stand for, and their order within a tender"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json

revision = "ebid_0014"
down_revision = "ebid_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entries", sa.Column("serial", sa.Integer()))
    op.add_column("entries", sa.Column("content", Json))
