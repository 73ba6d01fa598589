"""providers that municipalities set up themselves for their own staff"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "gateway_0011"
down_revision = "gateway_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "town_providers",
        sa.Column("for_tenant", sa.String(6), primary_key=True),
        sa.Column("label", sa.String(60), nullable=False),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("domains", Json, nullable=False),
        sa.Column("claim", sa.String(60)),
        sa.Column("claim_values", Json, nullable=False),
        sa.Column("is_on", sa.Boolean, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.Column("changed_by", sa.String(36), nullable=False),
    )
