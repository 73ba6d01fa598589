"""departments of municipalities, and who administers a service or a department for them"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "tenants_0016"
down_revision = "tenants_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "departments",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("services", Json, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("removed_at", UtcDateTime),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_departments"),
    )
    op.create_table(
        "department_members",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("department", sa.String(36), nullable=False),
        sa.Column("person_id", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "department", "person_id", name="pk_department_members"),
    )
    op.create_table(
        "delegations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("person_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("subject", sa.String(40), nullable=False),
        sa.Column("until", sa.Date, nullable=False),
        sa.Column("given_by", sa.String(36), nullable=False),
        sa.Column("given_at", UtcDateTime, nullable=False),
        sa.Column("ended_by", sa.String(36)),
        sa.Column("ended_at", UtcDateTime),
    )
    op.create_index("ix_delegations_tenant_ended_at", "delegations", ["tenant", "ended_at"])
    op.create_index("ix_delegations_person_id", "delegations", ["person_id"])
