"""A session knows which one at its provider it belongs to, and when its person last proved to be there"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "gateway_0010"
down_revision = "gateway_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("provider_sid", sa.String(255)))
    op.add_column("sessions", sa.Column("proved_at", UtcDateTime))
