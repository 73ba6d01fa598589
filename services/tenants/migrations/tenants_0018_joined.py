"""what is counted of the history is read in the order in which it is counted, without the table"""

import sqlalchemy as sa
from alembic import op

revision = "tenants_0018"
down_revision = "tenants_0017"
branch_labels = None
depends_on = None
JOINED = sa.text("kind = 'joined' AND superseded_at IS NULL")


def upgrade() -> None:
    op.create_index(
        "ix_subscription_intervals_joined",
        "subscription_intervals",
        ["service", "tenant", "valid_from", "valid_until"],
        postgresql_where=JOINED,
        sqlite_where=JOINED,
    )
