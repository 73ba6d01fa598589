"""the mark of the picture that a room's tenant shows on its pages"""

import sqlalchemy as sa
from alembic import op

revision = "common_0009"
down_revision = "common_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rooms", sa.Column("logo", sa.String(8)))
