"""who has been told that the office closes on the day of their visit, and the language in which an applicant is written to"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "eapply_0510"
down_revision = "eapply_0509"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("visits", sa.Column("closed_told_at", UtcDateTime))
    op.add_column("visits", sa.Column("reached", sa.Boolean))
    op.add_column("applications", sa.Column("language", sa.String(10)))
