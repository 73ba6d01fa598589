"""Whose a 法人番号 is: found out, by whom and how; sole proprietors' own number; the National Tax Agency's published file.

Registrations from before stay usable (`earlier`) until an official has looked: tenders are under way.
"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "ebid_0011"
down_revision = "ebid_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("companies", sa.Column("claimed_number", sa.String(13)))
    op.add_column("companies", sa.Column("sole_number", sa.String(10)))
    op.add_column("companies", sa.Column("verified_at", UtcDateTime))
    op.add_column("companies", sa.Column("verified_how", sa.String(20)))
    op.create_index("ix_companies_claimed_number", "companies", ["claimed_number"])
    op.create_index("ix_companies_sole_number", "companies", ["sole_number"])
    op.execute(
        "UPDATE companies SET verified_at = updated_at, verified_how = 'earlier' "
        "WHERE members IS NULL OR CAST(members AS VARCHAR(10)) = 'null'"
    )
    op.create_table(
        "company_checks",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("number", sa.String(13), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("how", sa.String(20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by_tenant", sa.String(6)),
        sa.Column("by", sa.String(200)),
        sa.Column("by_name", sa.String(200)),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_company_checks"),
    )
    op.create_index("ix_company_checks_company_id", "company_checks", ["company_id"])
    op.create_table(
        "corporate_numbers",
        sa.Column("number", sa.String(13), nullable=False),
        sa.Column("name", sa.String(150), nullable=False),
        sa.Column("prefecture", sa.String(20), nullable=False),
        sa.Column("address", sa.String(600), nullable=False),
        sa.Column("closed_on", sa.Date()),
        sa.Column("updated_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_corporate_numbers"),
    )
