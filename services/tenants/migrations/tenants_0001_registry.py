"""municipalities, subscriptions, requests, members, usage"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "tenants_0001"
down_revision = None
branch_labels = ("tenants",)
depends_on = None


def upgrade() -> None:
    _registry()
    _subscriptions()
    _requests()
    _members()
    _usage()


def _registry() -> None:
    op.create_table(
        "municipalities",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("code", sa.String(6), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("kana", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(4), nullable=False),
        sa.Column("region", sa.String(40), nullable=False),
        sa.Column("valid_from", sa.Date),
        sa.Column("valid_until", sa.Date),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        sa.Column("superseded_at", UtcDateTime),
        sa.Column("longitude", sa.Float),
        sa.Column("latitude", sa.Float),
        sa.Column("successor", sa.String(6)),
    )
    op.create_index("ix_municipalities_tenant", "municipalities", ["tenant"])
    op.create_index("ix_municipalities_code", "municipalities", ["code"])
    op.create_table(
        "registry_versions",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
    )


def _subscriptions() -> None:
    op.create_table(
        "subscription_intervals",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("service", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("valid_until", sa.Date),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        sa.Column("superseded_at", UtcDateTime),
        sa.Column("origin", sa.String(100), nullable=False),
    )
    op.create_index("ix_subscription_intervals_tenant_service", "subscription_intervals", ["tenant", "service"])
    op.create_table(
        "service_rules",
        sa.Column("service", sa.String(40), primary_key=True),
        sa.Column("auto_approve", sa.Boolean, nullable=False),
        sa.Column("changed_by", sa.String(36), nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
    )


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("service", sa.String(40), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("slot", sa.String(36), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("effective_from", sa.Date),
        sa.Column("requested_by", sa.String(36), nullable=False),
        sa.Column("requested_at", UtcDateTime, nullable=False),
        sa.Column("decided_by", sa.String(36)),
        sa.Column("decided_at", UtcDateTime),
        sa.Column("reason", sa.String(2000)),
        sa.Column("room_action", sa.String(10)),
        sa.Column("room_request", sa.String(36)),
        sa.Column("asked_at", UtcDateTime),
        sa.Column("heard_at", UtcDateTime),
        sa.Column("asks", sa.Integer, nullable=False),
        sa.Column("archive", sa.String(200)),
        sa.Column("finished_at", UtcDateTime),
        sa.UniqueConstraint("tenant", "service", "slot", name="uq_requests_tenant_service_slot"),
    )
    op.create_index("ix_requests_room_request", "requests", ["room_request"])
    op.create_index("ix_requests_state_requested_at", "requests", ["state", "requested_at"])
    op.create_table(
        "request_steps",
        sa.Column("request_id", sa.String(36), sa.ForeignKey("requests.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("label", sa.String(500)),
        sa.Column("done", sa.Integer),
        sa.Column("total", sa.Integer),
    )


def _members() -> None:
    op.create_table(
        "members",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("person_id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("role", sa.String(40), nullable=False),
        sa.Column("granted_by", sa.String(36), nullable=False),
        sa.Column("granted_at", UtcDateTime, nullable=False),
        sa.Column("removed_by", sa.String(36)),
        sa.Column("removed_at", UtcDateTime),
    )
    op.create_index("ix_members_tenant_removed_at", "members", ["tenant", "removed_at"])
    op.create_index("ix_members_person_id", "members", ["person_id"])
    # One present grant of a role per person and tenant; removed ones stay as history.
    op.create_index(
        "uq_members_present",
        "members",
        ["tenant", "person_id", "role"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )


def _usage() -> None:
    op.create_table(
        "applications",
        sa.Column("tenant_id", sa.String(6), primary_key=True),
        sa.Column("service", sa.String(40), primary_key=True),
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("procedure", sa.String(100), nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("submitted_at", UtcDateTime, nullable=False),
        sa.Column("outcome", sa.String(40)),
        sa.Column("sequence", sa.Integer, nullable=False),
    )
    op.create_table(
        "procedures",
        sa.Column("tenant_id", sa.String(6), primary_key=True),
        sa.Column("service", sa.String(40), primary_key=True),
        sa.Column("id", sa.String(100), primary_key=True),
        sa.Column("key", sa.String(100), nullable=False),
    )
    op.create_table(
        "usage_totals",
        sa.Column("tenant", sa.String(6), primary_key=True),
        sa.Column("service", sa.String(40), primary_key=True),
        sa.Column("procedure", sa.String(100), primary_key=True),
        sa.Column("fiscal_year", sa.Integer, primary_key=True),
        sa.Column("channel", sa.String(10), primary_key=True),
        sa.Column("applications", sa.Integer, nullable=False),
    )
    op.create_table(
        "usage_comparisons",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("service", sa.String(40), nullable=False),
        sa.Column("compared_at", UtcDateTime, nullable=False),
        sa.Column("ours", sa.Integer, nullable=False),
        sa.Column("theirs", sa.Integer, nullable=False),
        sa.Column("missing", sa.Integer, nullable=False),
        sa.Column("surplus", sa.Integer, nullable=False),
        sa.Column("differing", sa.Integer, nullable=False),
        sa.Column("repaired", sa.Integer, nullable=False),
    )
