"""who said which section a member of the desk belongs to: a manager, or (null) only they themselves"""

import sqlalchemy as sa
from alembic import op

revision = "eapply_0507"
down_revision = "eapply_0506"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("desk_members", sa.Column("section_by", sa.String(200)))
