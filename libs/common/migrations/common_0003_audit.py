"""the audit record"""

import sqlalchemy as sa
from alembic import op

from libs.common.audit import guards
from libs.common.db import UtcDateTime

revision = "common_0003"
down_revision = "common_0002"
branch_labels = None
depends_on = None

POSITION = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("tenant_id", sa.String(6), primary_key=True),
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor_kind", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("position", sa.BigInteger),
        sa.Column("previous", sa.String(64)),
        sa.Column("hash", sa.String(64)),
        sa.UniqueConstraint("tenant_id", "position", name="uq_audit_entries_tenant_id_position"),
    )
    op.create_index("ix_audit_entries_tenant_id_subject", "audit_entries", ["tenant_id", "subject"])
    op.create_table(
        "audit_heads",
        sa.Column("tenant_id", sa.String(6), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("forgotten_to", sa.BigInteger, nullable=False),
        sa.Column("forgotten_hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit_marks",
        sa.Column("position", POSITION, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String(6), nullable=False),
    )
    guards.install(op.get_bind())
