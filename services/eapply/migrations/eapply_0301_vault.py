"""the vault of マイナンバー: wrapped keys, sealed numbers, who read them"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "eapply_0301"
down_revision = "eapply_0205"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vault_keys",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_vault_keys"),
    )
    op.create_table(
        "vault_entries",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("draft_id", sa.String(36)),
        sa.Column("application_id", sa.String(36)),
        sa.Column("key_id", sa.String(36), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("kept_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_vault_entries"),
        sa.UniqueConstraint("tenant_id", "draft_id", name="uq_vault_entries_tenant_id_draft_id"),
        sa.UniqueConstraint("tenant_id", "application_id", name="uq_vault_entries_tenant_id_application_id"),
    )
    op.create_table(
        "vault_reads",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("receipt_number", sa.String(40), nullable=False),
        sa.Column("reader", sa.String(200), nullable=False),
        sa.Column("reader_name", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("read_at", UtcDateTime, nullable=False),
        sa.Column("looked_at", UtcDateTime),
        sa.Column("looked_by", sa.String(200)),
        sa.Column("looked_by_name", sa.String(200)),
        sa.Column("proper", sa.Boolean),
        sa.Column("finding", sa.Text),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_vault_reads"),
    )
    op.create_index("ix_vault_reads_tenant_id_read_at", "vault_reads", ["tenant_id", "read_at"])
    op.create_index("ix_vault_reads_tenant_id_application_id", "vault_reads", ["tenant_id", "application_id"])
