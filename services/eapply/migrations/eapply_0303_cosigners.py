"""連署: who is asked to confirm an application, and the day on which all had"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "eapply_0303"
down_revision = "eapply_0302"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applications", sa.Column("cosigners_needed", sa.Integer))
    op.add_column("applications", sa.Column("cosigned_on", sa.Date))
    op.create_table(
        "cosigners",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("address", sa.String(254)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("secret_hash", sa.String(64)),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("good_until", UtcDateTime, nullable=False),
        sa.Column("reminders", sa.Integer, nullable=False),
        sa.Column("account", sa.String(200)),
        sa.Column("session_hash", sa.String(64)),
        sa.Column("signed_name", sa.String(200)),
        sa.Column("answered_at", UtcDateTime),
        sa.Column("reason", sa.Text),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"], ["applications.tenant_id", "applications.id"], name="to_applications"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_cosigners"),
        sa.UniqueConstraint("tenant_id", "secret_hash", name="uq_cosigners_tenant_id_secret_hash"),
    )
    op.create_index("ix_cosigners_tenant_id_application_id", "cosigners", ["tenant_id", "application_id"])
    op.create_index("ix_cosigners_tenant_id_state_asked_at", "cosigners", ["tenant_id", "state", "asked_at"])
