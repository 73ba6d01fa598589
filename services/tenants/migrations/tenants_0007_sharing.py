"""cost sharing: rules by fiscal year, populations, assumed effects, invoices"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "tenants_0007"
down_revision = "tenants_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _rules()
    _populations()
    _assumptions()
    _invoices()


def _rules() -> None:
    op.create_table(
        "sharing_rules",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("service", sa.String(40), nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("subsidy", sa.BigInteger, nullable=False),
        sa.Column("minimum", sa.BigInteger, nullable=False),
        sa.Column("equal", sa.Integer, nullable=False),
        sa.Column("population", sa.Integer, nullable=False),
        sa.Column("use", sa.Integer, nullable=False),
        sa.Column("note", sa.String(2000), nullable=False),
        sa.Column("recorded_by", sa.String(36), nullable=False),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        sa.Column("superseded_at", UtcDateTime),
    )
    op.create_index("ix_sharing_rules_service_fiscal_year", "sharing_rules", ["service", "fiscal_year"])


def _populations() -> None:
    op.create_table(
        "populations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("population", sa.Integer, nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        sa.Column("superseded_at", UtcDateTime),
    )
    op.create_index("ix_populations_tenant_as_of", "populations", ["tenant", "as_of"])


def _assumptions() -> None:
    names = ("uses", "paper_minutes", "online_minutes", "hourly_yen", "postage_yen", "travel_minutes", "travel_yen")
    op.create_table(
        "effect_assumptions",
        sa.Column("tenant_id", sa.String(6), primary_key=True),
        sa.Column("service", sa.String(40), primary_key=True),
        *(sa.Column(name, sa.Integer, nullable=False) for name in names),
        sa.Column("changed_by", sa.String(36), nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
    )


def _invoices() -> None:
    op.create_table(
        "invoices",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("slot", sa.String(36), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("lines", Json, nullable=False),
        sa.Column("issued_by", sa.String(36), nullable=False),
        sa.Column("issued_at", UtcDateTime, nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
        sa.Column("paid_on", sa.Date),
        sa.Column("void_reason", sa.String(2000)),
        sa.UniqueConstraint("fiscal_year", "number", name="uq_invoices_fiscal_year_number"),
        sa.UniqueConstraint("tenant", "fiscal_year", "slot", name="uq_invoices_tenant_fiscal_year_slot"),
    )
