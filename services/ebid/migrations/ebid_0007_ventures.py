"""共同企業体"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "ebid_0007"
down_revision = "ebid_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("companies", sa.Column("members", Json, nullable=True))
    op.create_table(
        "ventures",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("leader_id", sa.String(36), nullable=False),
        sa.Column("proposed_at", UtcDateTime, nullable=False),
        sa.Column("formed_at", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id", "tender_id"], ["tenders.tenant_id", "tenders.id"], name="to_tenders"),
        sa.PrimaryKeyConstraint("tenant_id", "tender_id", "company_id", name="pk_ventures"),
    )
    op.create_table(
        "venture_members",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("venture_id", sa.String(36), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("share", sa.String(40), nullable=False),
        sa.Column("agreed_at", UtcDateTime, nullable=True),
        sa.Column("agreed_by", sa.String(200), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "tender_id", "venture_id"],
            ["ventures.tenant_id", "ventures.tender_id", "ventures.company_id"],
            name="to_ventures",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "tender_id", "venture_id", "company_id", name="pk_venture_members"),
    )
    op.create_index("ix_venture_members_tenant_id_company_id", "venture_members", ["tenant_id", "company_id"])
