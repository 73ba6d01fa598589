"""Accounts can be stopped, by whoever helps their owners"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "gateway_0009"
down_revision = "gateway_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("persons", sa.Column("stopped_at", UtcDateTime))
