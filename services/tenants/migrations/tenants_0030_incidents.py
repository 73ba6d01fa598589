"""incidents that operators write on the public status page, with what they wrote while one went on"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0030"
down_revision = "tenants_0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("part", sa.String(40), nullable=False),
        sa.Column("began_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("withdrawn_at", UtcDateTime),
    )
    op.create_index("ix_incidents_ended_at", "incidents", ["ended_at"])
    op.create_table(
        "incident_texts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("incident", sa.String(36), sa.ForeignKey("incidents.id"), nullable=False),
        sa.Column("text", sa.String(2000), nullable=False),
        sa.Column("written_by", sa.String(36), nullable=False),
        sa.Column("written_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_incident_texts_incident", "incident_texts", ["incident", "written_at"])
