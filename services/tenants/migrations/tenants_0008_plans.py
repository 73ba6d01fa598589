"""plans, measures, indicators, their values and reviews"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0008"
down_revision = "tenants_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _plans()
    _indicators()
    _values()


def _plans() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("owner", sa.String(6), nullable=False),
        sa.Column("first_year", sa.Integer, nullable=False),
        sa.Column("last_year", sa.Integer, nullable=False),
        sa.Column("text", sa.String(4000), nullable=False),
        sa.Column("recorded_by", sa.String(36), nullable=False),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "plan_measures",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("plan", sa.String(36), sa.ForeignKey("plans.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("pillar", sa.String(200), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("text", sa.String(4000), nullable=False),
    )
    op.create_index("ix_plan_measures_plan", "plan_measures", ["plan"])


def _indicators() -> None:
    op.create_table(
        "indicators",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("measure", sa.String(36), sa.ForeignKey("plan_measures.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("unit", sa.String(40), nullable=False),
        sa.Column("baseline", sa.String(40), nullable=False),
        sa.Column("baseline_date", sa.String(20), nullable=False),
        sa.Column("target", sa.String(40), nullable=False),
        sa.Column("target_date", sa.String(20), nullable=False),
        sa.Column("better", sa.String(4), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("automatic", sa.String(40), nullable=False),
    )
    op.create_index("ix_indicators_measure", "indicators", ["measure"])


def _values() -> None:
    op.create_table(
        "indicator_values",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("indicator", sa.String(36), sa.ForeignKey("indicators.id"), nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("quarter", sa.Integer, nullable=False),
        sa.Column("value", sa.String(20), nullable=False),
        sa.Column("source", sa.String(10), nullable=False),
        sa.Column("note", sa.String(2000), nullable=False),
        sa.Column("recorded_by", sa.String(36), nullable=False),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        sa.Column("superseded_at", UtcDateTime),
    )
    op.create_index("ix_indicator_values_indicator_fiscal_year", "indicator_values", ["indicator", "fiscal_year"])
    op.create_table(
        "indicator_reviews",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("indicator", sa.String(36), sa.ForeignKey("indicators.id"), nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("quarter", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("text", sa.String(4000), nullable=False),
        sa.Column("written_by", sa.String(36), nullable=False),
        sa.Column("written_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_indicator_reviews_indicator_fiscal_year", "indicator_reviews", ["indicator", "fiscal_year"])
