"""keys with which a person's own programs read that person's applications"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "eapply_0502"
down_revision = "eapply_0501"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "own_keys",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("good_until", UtcDateTime, nullable=False),
        sa.Column("used_at", UtcDateTime),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_own_keys"),
        sa.UniqueConstraint("tenant_id", "secret_hash", name="uq_own_keys_tenant_id_secret_hash"),
    )
    op.create_index("ix_own_keys_tenant_id_person", "own_keys", ["tenant_id", "person"])
