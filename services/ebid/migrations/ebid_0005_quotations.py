"""quotations after 不落"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json

revision = "ebid_0005"
down_revision = "ebid_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rounds", sa.Column("kind", sa.String(20), nullable=True))
    op.add_column("rounds", sa.Column("invited", Json, nullable=True))
