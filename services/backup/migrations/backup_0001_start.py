"""repositories, their objects, keys, recovery points, alerts, drills; sites and trusted time"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "backup_0001"
down_revision = None
branch_labels = ("backup",)
depends_on = None

UNCOPIED = sa.text("copied_at IS NULL AND type <> 'locks'")
DELETED = sa.text("deleted_at IS NOT NULL")
BROKEN = sa.text("first_state IN ('damaged', 'missing') OR second_state IN ('damaged', 'missing')")


def upgrade() -> None:
    _create_repositories()
    _create_objects()
    _create_watched()
    op.create_table(
        "sites",
        sa.Column("name", sa.String(10), nullable=False),
        sa.Column("mark", sa.String(36), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sites"),
    )
    op.create_table(
        "trusted_time",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("seen", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trusted_time"),
    )


def _create_repositories() -> None:
    op.create_table(
        "allowances",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("quota", sa.BigInteger, nullable=False),
        sa.Column("live", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_allowances"),
    )
    op.create_table(
        "repositories",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(62), nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("alert_address", sa.String(254)),
        sa.Column("quota", sa.BigInteger, nullable=False),
        sa.Column("live", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("retention_days", sa.Integer, nullable=False),
        sa.Column("promised_hours", sa.Integer, nullable=False),
        sa.Column("last_point_at", UtcDateTime),
        sa.Column("last_proven_at", UtcDateTime),
        sa.Column("added_since_point", sa.BigInteger, nullable=False),
        sa.Column("sealed_password", sa.LargeBinary),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_repositories"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_repositories_tenant_id_name"),
    )
    op.create_table(
        "access_keys",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("token_id", sa.String(40), nullable=False),
        sa.Column("repository_id", sa.String(36), nullable=False),
        sa.Column("mode", sa.String(10), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.PrimaryKeyConstraint("tenant_id", "token_id", name="pk_access_keys"),
        _of_repository("access_key"),
    )


def _create_objects() -> None:
    op.create_table(
        "objects",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("repository_id", sa.String(36), nullable=False),
        sa.Column("type", sa.String(10), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("arrived_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime),
        sa.Column("keep_until", UtcDateTime),
        sa.Column("copied_at", UtcDateTime),
        sa.Column("first_checked_at", UtcDateTime),
        sa.Column("first_state", sa.String(10)),
        sa.Column("second_checked_at", UtcDateTime),
        sa.Column("second_state", sa.String(10)),
        sa.PrimaryKeyConstraint("tenant_id", "repository_id", "type", "name", name="pk_objects"),
        _of_repository("object"),
    )
    op.create_index(
        "ix_objects_uncopied", "objects", ["tenant_id", "arrived_at"], postgresql_where=UNCOPIED, sqlite_where=UNCOPIED
    )
    op.create_index(
        "ix_objects_deleted", "objects", ["tenant_id", "keep_until"], postgresql_where=DELETED, sqlite_where=DELETED
    )
    op.create_index("ix_objects_broken", "objects", ["tenant_id"], postgresql_where=BROKEN, sqlite_where=BROKEN)
    op.create_index("ix_objects_tenant_id_first_checked_at", "objects", ["tenant_id", "first_checked_at"])
    op.create_index("ix_objects_tenant_id_second_checked_at", "objects", ["tenant_id", "second_checked_at"])


def _create_watched() -> None:
    op.create_table(
        "recovery_points",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("repository_id", sa.String(36), nullable=False),
        sa.Column("snapshot", sa.String(64), nullable=False),
        sa.Column("arrived_at", UtcDateTime, nullable=False),
        sa.Column("added", sa.BigInteger, nullable=False),
        sa.Column("stored", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", UtcDateTime),
        sa.PrimaryKeyConstraint("tenant_id", "repository_id", "snapshot", name="pk_recovery_points"),
        _of_repository("point"),
    )
    op.create_index(
        "ix_recovery_points_tenant_id_repository_id_arrived_at",
        "recovery_points",
        ["tenant_id", "repository_id", "arrived_at"],
    )
    op.create_table(
        "alerts",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("repository_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("raised_at", UtcDateTime, nullable=False),
        sa.Column("cleared_at", UtcDateTime),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_alerts"),
        _of_repository("alert"),
    )
    op.create_index(
        "ix_alerts_tenant_id_repository_id_cleared_at", "alerts", ["tenant_id", "repository_id", "cleared_at"]
    )
    op.create_table(
        "drills",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("repository_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("asked_by", sa.String(100), nullable=False),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("evidence", Json),
        sa.Column("signature", sa.String(120)),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_drills"),
        _of_repository("drill"),
    )
    op.create_index("ix_drills_tenant_id_repository_id_asked_at", "drills", ["tenant_id", "repository_id", "asked_at"])


def _of_repository(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "repository_id"],
        ["repositories.tenant_id", "repositories.id"],
        name=f"{name}_of_repository",
    )
