"""what other services told, as far as data sets are made of it"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json

revision = "opendata_0003"
down_revision = "opendata_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tender_facts",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("published", Json),
        sa.Column("result", Json),
        sa.PrimaryKeyConstraint("tenant_id", "tender_id", name="pk_tender_facts"),
    )
    op.create_table(
        "procedure_facts",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("procedure_id", sa.String(36), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "procedure_id", name="pk_procedure_facts"),
    )
    op.create_table(
        "application_facts",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("procedure_id", sa.String(36)),
        sa.Column("month", sa.String(7)),
        sa.Column("channel", sa.String(10)),
        sa.Column("outcome", sa.String(10)),
        sa.PrimaryKeyConstraint("tenant_id", "application_id", name="pk_application_facts"),
    )
    op.create_table(
        "participation_facts",
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("service", sa.String(40), nullable=False),
        sa.Column("from_date", sa.Date, nullable=False),
        sa.Column("until_date", sa.Date),
        sa.PrimaryKeyConstraint("tenant", "service", "from_date", name="pk_participation_facts"),
    )
