"""pairs of characters for the desk's search, and of which words each application's pairs are; a timer makes those of old ones"""

import sqlalchemy as sa
from alembic import op

revision = "eapply_0508"
down_revision = "eapply_0507"
branch_labels = None
depends_on = None

UNPAIRED = "paired IS NULL OR paired <> search"


def upgrade() -> None:
    op.add_column("applications", sa.Column("paired", sa.Text))
    op.create_index(
        "ix_applications_unpaired", "applications", ["tenant_id", "id"],
        postgresql_where=sa.text(UNPAIRED), sqlite_where=sa.text(UNPAIRED),
    )  # fmt: skip
    op.create_table(
        "application_pairs",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("pair", sa.String(2), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"], ["applications.tenant_id", "applications.id"], name="to_applications",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "pair", "application_id", name="pk_application_pairs"),
    )  # fmt: skip
    op.create_index(
        "ix_application_pairs_tenant_id_application_id", "application_pairs", ["tenant_id", "application_id"]
    )
