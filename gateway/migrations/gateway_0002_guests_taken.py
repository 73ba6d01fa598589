"""who went on with what a guest had begun"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "gateway_0002"
down_revision = "gateway_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("earlier_guest", sa.String(40)))
    op.create_table(
        "guests_taken",
        sa.Column("sid", sa.String(40), primary_key=True),
        sa.Column("person_id", sa.String(36), sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
