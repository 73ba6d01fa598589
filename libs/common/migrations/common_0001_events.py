"""outbox and inbox"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "common_0001"
down_revision = None
branch_labels = ("common",)
depends_on = None

POSITION = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("position", POSITION, primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("type", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("tenant", sa.String(6)),
        sa.Column("envelope", Json, nullable=False),
        sa.Column("added_at", UtcDateTime, nullable=False),
        sa.Column("published_at", UtcDateTime),
        sa.UniqueConstraint("event_id", name="uq_outbox_event_id"),
        sa.UniqueConstraint("subject", "sequence", name="uq_outbox_subject_sequence"),
    )
    _create_partial_index("ix_outbox_waiting", "outbox", ["position"], "published_at IS NULL")
    op.create_table(
        "outbox_heads",
        sa.Column("subject", sa.String(200), primary_key=True),
        sa.Column("sequence", sa.Integer, nullable=False),
    )
    op.create_table(
        "inbox",
        sa.Column("position", POSITION, primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.String(200), nullable=False),
        sa.Column("source", sa.String(100), nullable=False),
        sa.Column("type", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("tenant", sa.String(6)),
        sa.Column("envelope", Json, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", UtcDateTime, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("handled_at", UtcDateTime),
        sa.Column("error", sa.String(2000)),
        sa.Column("resolved_by", sa.String(200)),
        sa.Column("resolved_because", sa.String(2000)),
        sa.UniqueConstraint("event_id", name="uq_inbox_event_id"),
    )
    _create_partial_index("ix_inbox_waiting", "inbox", ["position"], "handled_at IS NULL")
    _create_partial_index("ix_inbox_subject", "inbox", ["source", "subject", "position"], "handled_at IS NULL")


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
