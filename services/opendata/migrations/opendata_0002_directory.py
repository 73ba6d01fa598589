"""divisions and collections, their members, users that programs name, and who follows what"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "opendata_0002"
down_revision = "opendata_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_people()
    _create_public()


def _group_columns() -> list[sa.Column]:
    return [
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("about", Json, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    ]


def _create_people() -> None:
    op.create_table(
        "groups",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        *_group_columns(),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_groups"),
    )
    op.create_table(
        "program_users",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("about", Json, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_program_users"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_program_users_tenant_id_name"),
    )
    op.create_table(
        "members",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("group_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("object_id", sa.String(100), nullable=False),
        sa.Column("capacity", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "group_id", "kind", "object_id", name="pk_members"),
    )


def _create_public() -> None:
    op.create_table(
        "published_groups",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(6), nullable=False),
        *_group_columns(),
        sa.PrimaryKeyConstraint("id", name="pk_published_groups"),
        sa.UniqueConstraint("name", name="uq_published_groups_name"),
    )
    op.create_index("ix_published_groups_tenant", "published_groups", ["tenant"])
    op.create_table(
        "follows",
        sa.Column("follower", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("object_id", sa.String(100), nullable=False),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("follower", "kind", "object_id", name="pk_follows"),
    )
    op.create_index("ix_follows_tenant", "follows", ["tenant"])
