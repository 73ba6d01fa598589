"""委任: delegations, and which drafts and applications were filed by a delegate"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "eapply_0302"
down_revision = "eapply_0301"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("drafts", sa.Column("delegation_id", sa.String(36)))
    op.add_column("applications", sa.Column("delegation_id", sa.String(36)))
    op.add_column("applications", sa.Column("filed_by", sa.String(200)))
    op.add_column("applications", sa.Column("filed_by_name", sa.String(200)))
    op.create_index("ix_applications_tenant_id_filed_by", "applications", ["tenant_id", "filed_by"])
    op.create_table(
        "delegations",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("giver", sa.String(200), nullable=False),
        sa.Column("giver_name", sa.String(200), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("delegate", sa.String(200)),
        sa.Column("delegate_name", sa.String(200)),
        sa.Column("procedures", Json, nullable=False),
        sa.Column("last_day", sa.Date, nullable=False),
        sa.Column("secret_hash", sa.String(64)),
        sa.Column("invite_until", UtcDateTime, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("accepted_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("revoked_by", sa.String(200)),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_delegations"),
        sa.UniqueConstraint("tenant_id", "secret_hash", name="uq_delegations_tenant_id_secret_hash"),
    )
    op.create_index("ix_delegations_tenant_id_giver", "delegations", ["tenant_id", "giver"])
    op.create_index("ix_delegations_tenant_id_delegate", "delegations", ["tenant_id", "delegate"])
