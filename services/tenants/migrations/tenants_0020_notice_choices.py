"""how a person wants to hear of what happens in a municipality; whether services answered, day by day"""

import sqlalchemy as sa
from alembic import op

revision = "tenants_0020"
down_revision = "tenants_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice_choices",
        sa.Column("person_id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("about", sa.String(20), nullable=False),
        sa.Column("way", sa.String(10), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "tenant", "about", name="pk_notice_choices"),
    )
    op.create_table(
        "service_days",
        sa.Column("service", sa.String(40), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("answered", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("service", "day", name="pk_service_days"),
    )
