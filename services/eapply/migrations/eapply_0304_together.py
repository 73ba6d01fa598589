"""one-stop: drafts that were begun together, and the applications that came of them"""

import sqlalchemy as sa
from alembic import op

revision = "eapply_0304"
down_revision = "eapply_0303"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("drafts", sa.Column("bundle_id", sa.String(36)))
    op.create_index("ix_drafts_tenant_id_bundle_id", "drafts", ["tenant_id", "bundle_id"])
    op.add_column("applications", sa.Column("bundle_id", sa.String(36)))
    op.create_index("ix_applications_tenant_id_bundle_id", "applications", ["tenant_id", "bundle_id"])
