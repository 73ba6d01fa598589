"""an index of what came back from a correction and nobody has read: counted at every opening of the desk"""

import sqlalchemy as sa
from alembic import op

revision = "eapply_0501"
down_revision = "eapply_0401"
branch_labels = None
depends_on = None

RETURNED = "state IN ('in_review') AND unread AND round > 1"


def upgrade() -> None:
    op.create_index(
        "ix_applications_returned", "applications", ["tenant_id", "due_on", "id"],
        postgresql_where=sa.text(RETURNED), sqlite_where=sa.text(RETURNED),
    )  # fmt: skip
