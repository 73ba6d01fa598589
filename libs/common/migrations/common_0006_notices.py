"""notices to people"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "common_0006"
down_revision = "common_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("person", sa.String(100)),
        sa.Column("address", sa.String(320)),
        sa.Column("tenant", sa.String(6)),
        sa.Column("template", sa.String(100), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("read_at", UtcDateTime),
        sa.Column("mail", sa.String(10), nullable=False),
        sa.Column("mail_at", UtcDateTime),
        sa.Column("server_said", sa.String(500)),
    )
    op.create_index("ix_notices_person_id", "notices", ["person", "id"])
    op.create_index("ix_notices_tenant", "notices", ["tenant"])
