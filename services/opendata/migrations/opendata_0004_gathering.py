"""files renewed by themselves, catalogues read from elsewhere"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "opendata_0004"
down_revision = "opendata_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("resource_id", sa.String(36), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        *_runs(),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("known", Json, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "resource_id", name="pk_schedules"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "resource_id"], ["resources.tenant_id", "resources.id"], name="schedule_of_resource"
        ),
    )
    op.create_table(
        "harvests",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        *_runs(),
        sa.Column("counts", Json, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_harvests"),
    )


def _runs() -> list[sa.Column]:
    return [
        sa.Column("every", sa.String(10), nullable=False),
        sa.Column("next_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
    ]
