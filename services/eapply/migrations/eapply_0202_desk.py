"""the desk: members, notes, 照会 and 合議, 起案, saved searches, visits; likeness of applications"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "eapply_0202"
down_revision = "eapply_0103"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applications", sa.Column("likeness", sa.String(64)))
    op.create_index("ix_applications_tenant_id_likeness", "applications", ["tenant_id", "likeness"])
    op.create_table(
        "desk_members",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("section", sa.String(100), nullable=False),
        sa.Column("approves", sa.Boolean, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "subject", name="pk_desk_members"),
    )
    op.create_index("ix_desk_members_tenant_id_section", "desk_members", ["tenant_id", "section"])
    op.create_table(
        "case_notes",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("by_name", sa.String(200), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"], ["applications.tenant_id", "applications.id"], name="to_applications"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_case_notes"),
    )
    op.create_index("ix_case_notes_tenant_id_application_id", "case_notes", ["tenant_id", "application_id"])
    op.create_table(
        "consultations",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("ask_kind", sa.String(20), nullable=False),
        sa.Column("section", sa.String(100), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("asked_by", sa.String(200), nullable=False),
        sa.Column("asked_by_name", sa.String(200), nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("opinion", sa.String(20)),
        sa.Column("answer", sa.Text),
        sa.Column("answered_by", sa.String(200)),
        sa.Column("answered_by_name", sa.String(200)),
        sa.Column("answered_at", UtcDateTime),
        sa.Column("cancelled_at", UtcDateTime),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"], ["applications.tenant_id", "applications.id"], name="to_applications"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_consultations"),
    )
    op.create_index("ix_consultations_tenant_id_application_id", "consultations", ["tenant_id", "application_id"])
    op.create_index(
        "ix_consultations_tenant_id_section_answered_at", "consultations", ["tenant_id", "section", "answered_at"]
    )
    op.create_table(
        "proposals",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("remark", sa.Text, nullable=False),
        sa.Column("proposed_by", sa.String(200), nullable=False),
        sa.Column("proposed_by_name", sa.String(200), nullable=False),
        sa.Column("proposed_at", UtcDateTime, nullable=False),
        sa.Column("result", sa.String(20)),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("judged_by", sa.String(200)),
        sa.Column("judged_by_name", sa.String(200)),
        sa.Column("judged_at", UtcDateTime),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"], ["applications.tenant_id", "applications.id"], name="to_applications"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_proposals"),
    )
    op.create_index("ix_proposals_tenant_id_application_id", "proposals", ["tenant_id", "application_id"])
    op.create_table(
        "saved_searches",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("query", Json, nullable=False),
        sa.Column("shared", sa.Boolean, nullable=False),
        sa.Column("saved_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_saved_searches"),
    )
    op.create_index("ix_saved_searches_tenant_id_owner", "saved_searches", ["tenant_id", "owner"])
    op.create_table(
        "visit_slots",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("starts_at", UtcDateTime, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("place", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_visit_slots"),
    )
    op.create_index("ix_visit_slots_tenant_id_starts_at", "visit_slots", ["tenant_id", "starts_at"])
    op.create_table(
        "visits",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("slot_id", sa.String(36), nullable=False),
        sa.Column("booked_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "slot_id"], ["visit_slots.tenant_id", "visit_slots.id"], name="to_visit_slots"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"], ["applications.tenant_id", "applications.id"], name="to_applications"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "application_id", name="pk_visits"),
    )
    op.create_index("ix_visits_tenant_id_slot_id", "visits", ["tenant_id", "slot_id"])
