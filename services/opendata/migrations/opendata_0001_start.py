"""data sets, their resources, versions and drafts; what everybody may read; numbers of use"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "opendata_0001"
down_revision = None
branch_labels = ("opendata",)
depends_on = None


def upgrade() -> None:
    _create_datasets()
    _create_versions()
    _create_public()


def _create_datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("theme", sa.String(20), nullable=False),
        sa.Column("license", sa.String(40), nullable=False),
        sa.Column("frequency", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("about", Json, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_datasets"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_datasets_tenant_id_name"),
    )
    op.create_table(
        "resources",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("dataset_id", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("format", sa.String(40), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("about", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_resources"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "dataset_id"], ["datasets.tenant_id", "datasets.id"], name="resource_of_dataset"
        ),
    )
    op.create_index("ix_resources_tenant_id_dataset_id", "resources", ["tenant_id", "dataset_id"])


def _create_versions() -> None:
    op.create_table(
        "versions",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("resource_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("source_id", sa.String(36), nullable=False),
        sa.Column("file_id", sa.String(36), nullable=False),
        sa.Column("table_id", sa.String(36)),
        *_file_columns(),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("columns", Json, nullable=False),
        sa.Column("report", Json, nullable=False),
        sa.Column("repaired", sa.Boolean, nullable=False),
        sa.Column("published_at", UtcDateTime, nullable=False),
        sa.Column("published_by", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "resource_id", "number", name="pk_versions"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "resource_id"], ["resources.tenant_id", "resources.id"], name="version_of_resource"
        ),
    )
    op.create_table(
        "drafts",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("dataset_id", sa.String(36)),
        sa.Column("resource_id", sa.String(36)),
        sa.Column("file_id", sa.String(36), nullable=False),
        *_file_columns(),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("report", Json, nullable=False),
        sa.Column("repaired_table", sa.String(36)),
        sa.Column("repaired_file", sa.String(36)),
        sa.Column("original_table", sa.String(36)),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_drafts"),
    )


def _file_columns() -> list[sa.Column]:
    return [
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    ]


def _create_public() -> None:
    catalogue = op.create_table(
        "catalogue",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalogue"),
    )
    op.bulk_insert(catalogue, [{"id": 1, "change": 0}])
    op.create_table(
        "published",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(6), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_published"),
        sa.UniqueConstraint("name", name="uq_published_name"),
    )
    op.create_index("ix_published_change", "published", ["change"])
    op.create_index("ix_published_tenant", "published", ["tenant"])
    op.create_table(
        "published_resources",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("dataset_id", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_published_resources"),
    )
    op.create_index("ix_published_resources_dataset_id", "published_resources", ["dataset_id"])
    op.create_table(
        "uses",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("dataset_id", sa.String(36), nullable=False),
        sa.Column("resource_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("day", "dataset_id", "resource_id", "kind", name="pk_uses"),
    )
    op.create_index("ix_uses_dataset_id", "uses", ["dataset_id"])
