"""the day by which a fee is to be paid, and when the applicant was reminded of it"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import UtcDateTime

revision = "eapply_0504"
down_revision = "eapply_0503"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("charges", sa.Column("due_on", sa.Date))
    op.add_column("charges", sa.Column("reminded_for", sa.Date))
    op.add_column("charges", sa.Column("overdue_told_at", UtcDateTime))
