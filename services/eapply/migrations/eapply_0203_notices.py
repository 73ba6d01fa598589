"""the written notice: its number, its way to the applicant, the signed document"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "eapply_0203"
down_revision = "eapply_0202"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applications", sa.Column("electronic", sa.Boolean))
    op.create_table(
        "notice_documents",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("number", sa.String(60), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("delivery", sa.String(20), nullable=False),
        sa.Column("decided_at", UtcDateTime, nullable=False),
        sa.Column("made_at", UtcDateTime),
        sa.Column("file_id", sa.String(36)),
        sa.Column("sha256", sa.String(64)),
        sa.Column("size", sa.Integer),
        sa.Column("signer", sa.String(200)),
        sa.Column("post_reason", sa.String(20)),
        sa.Column("post_since", UtcDateTime),
        sa.Column("posted_at", UtcDateTime),
        sa.Column("posted_by_name", sa.String(200)),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"], ["applications.tenant_id", "applications.id"], name="to_applications"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "application_id", name="pk_notice_documents"),
        sa.UniqueConstraint("tenant_id", "code", name="uq_notice_documents_tenant_id_code"),
        sa.UniqueConstraint("tenant_id", "number", name="uq_notice_documents_tenant_id_number"),
    )
    op.create_index(
        "ix_notice_documents_tenant_id_delivery_posted_at", "notice_documents", ["tenant_id", "delivery", "posted_at"]
    )
