"""indexes for a desk with a million applications: of the open ones, of what is held, of a procedure's, of notices not opened"""

import sqlalchemy as sa
from alembic import op

revision = "eapply_0401"
down_revision = "eapply_0304"
branch_labels = None
depends_on = None

OPEN = "state IN ('awaiting_approval', 'correction_requested', 'in_review', 'submitted')"
PARTIAL = {
    "open_due": (OPEN, ["due_on", "id"]),
    "open_arrived": (OPEN, ["arrived_at", "id"]),
    "open_assignee": (OPEN, ["assignee", "due_on", "id"]),
    "open_procedure": (OPEN, ["procedure_id", "due_on", "id"]),
    "open_unread": (f"{OPEN} AND unread", ["due_on", "id"]),
    "open_id": (OPEN, ["id"]),
    "ended_due": (OPEN.replace(" IN ", " NOT IN "), ["due_on", "id"]),
    "held": ("hold IS NOT NULL", ["kept_until", "id"]),
    "delegated": ("delegation_id IS NOT NULL", ["delegation_id"]),
}


def upgrade() -> None:
    for name, (condition, columns) in PARTIAL.items():
        op.create_index(
            f"ix_applications_{name}", "applications", ["tenant_id", *columns],
            postgresql_where=sa.text(condition), sqlite_where=sa.text(condition),
        )  # fmt: skip
    for columns in (["procedure_id", "arrived_at", "id"], ["fiscal_year", "procedure_id", "channel"]):
        op.create_index(f"ix_applications_tenant_id_{'_'.join(columns)}", "applications", ["tenant_id", *columns])
    op.create_index(
        "ix_notice_documents_tenant_id_delivery_decided_at", "notice_documents", ["tenant_id", "delivery", "decided_at"]
    )
