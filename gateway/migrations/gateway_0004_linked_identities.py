"""identities of other providers that sign in to an account of ours; by whom a session was signed in"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "gateway_0004"
down_revision = "gateway_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "linked_identities",
        sa.Column("issuer", sa.String(255), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("person_id", sa.String(36), sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("provider", sa.String(31), nullable=False),
        sa.Column("linked_at", UtcDateTime, nullable=False),
        sa.Column("last_used_at", UtcDateTime),
        sa.UniqueConstraint("id", name="uq_linked_identities_id"),
    )
    op.create_index("ix_linked_identities_person_id", "linked_identities", ["person_id"])
    op.add_column("sessions", sa.Column("provider", sa.String(31)))
