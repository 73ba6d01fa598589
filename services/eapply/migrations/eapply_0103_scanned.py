"""attachments: what a scanner said, and when"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "eapply_0103"
down_revision = "eapply_0102"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attachments", sa.Column("malware", sa.String(200)))
    op.add_column("attachments", sa.Column("scanned_at", UtcDateTime))
    op.create_index("ix_attachments_tenant_id_scanned_at", "attachments", ["tenant_id", "scanned_at"])
