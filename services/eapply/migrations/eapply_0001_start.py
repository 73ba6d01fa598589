"""procedures, drafts, applications and what belongs to them"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "eapply_0001"
down_revision = None
branch_labels = ("eapply",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attachments",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("draft_id", sa.String(36)),
        sa.Column("application_id", sa.String(36)),
        sa.Column("path", sa.String(120), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("added_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_attachments"),
    )
    op.create_index("ix_attachments_tenant_id_application_id", "attachments", ["tenant_id", "application_id"])
    op.create_index("ix_attachments_tenant_id_draft_id", "attachments", ["tenant_id", "draft_id"])
    op.create_table(
        "counters",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("last", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "fiscal_year", name="pk_counters"),
    )
    op.create_table(
        "enquiry_failures",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("receipt_number", sa.String(40), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "receipt_number", name="pk_enquiry_failures"),
    )
    op.create_table(
        "procedures",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(60), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("category", sa.String(60), nullable=False),
        sa.Column("search", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_procedures"),
        sa.UniqueConstraint("tenant_id", "key", name="uq_procedures_tenant_id_key"),
    )
    op.create_table(
        "procedure_versions",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("procedure_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("definition", Json, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("published_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "procedure_id"], ["procedures.tenant_id", "procedures.id"], name="to_procedures"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "procedure_id", "version", name="pk_procedure_versions"),
    )
    op.create_table(
        "applications",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("procedure_id", sa.String(36), nullable=False),
        sa.Column("procedure_version", sa.Integer, nullable=False),
        sa.Column("draft_id", sa.String(36)),
        sa.Column("receipt_number", sa.String(40), nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("serial", sa.Integer, nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("state", sa.String(30), nullable=False),
        sa.Column("outcome", sa.String(20)),
        sa.Column("applicant_person", sa.String(200)),
        sa.Column("applicant_name", sa.String(1000), nullable=False),
        sa.Column("search", sa.Text, nullable=False),
        sa.Column("answers", Json, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("arrived_at", UtcDateTime, nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
        sa.Column("enquiry_hash", sa.String(200), nullable=False),
        sa.Column("assignee", sa.String(200)),
        sa.Column("assignee_name", sa.String(200)),
        sa.Column("unread", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("decided_at", UtcDateTime),
        sa.Column("decision", Json),
        sa.Column("opened_at", UtcDateTime),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "procedure_id", "procedure_version"],
            ["procedure_versions.tenant_id", "procedure_versions.procedure_id", "procedure_versions.version"],
            name="to_procedure_versions",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_applications"),
        sa.UniqueConstraint("tenant_id", "draft_id", name="uq_applications_tenant_id_draft_id"),
        sa.UniqueConstraint("tenant_id", "fiscal_year", "serial", name="uq_applications_tenant_id_fiscal_year_serial"),
        sa.UniqueConstraint("tenant_id", "receipt_number", name="uq_applications_tenant_id_receipt_number"),
    )
    op.create_index("ix_applications_tenant_id_applicant_person", "applications", ["tenant_id", "applicant_person"])
    op.create_index("ix_applications_tenant_id_arrived_at_id", "applications", ["tenant_id", "arrived_at", "id"])
    op.create_index("ix_applications_tenant_id_state_due_on_id", "applications", ["tenant_id", "state", "due_on", "id"])
    op.create_table(
        "drafts",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("procedure_id", sa.String(36), nullable=False),
        sa.Column("procedure_version", sa.Integer, nullable=False),
        sa.Column("owner_person", sa.String(200)),
        sa.Column("owner_session", sa.String(64)),
        sa.Column("raw", Json, nullable=False),
        sa.Column("files", Json, nullable=False),
        sa.Column("step", sa.String(40), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("saved_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("resume_hash", sa.String(64)),
        sa.Column("resume_until", UtcDateTime),
        sa.Column("application_id", sa.String(36)),
        sa.ForeignKeyConstraint(
            ["tenant_id", "procedure_id", "procedure_version"],
            ["procedure_versions.tenant_id", "procedure_versions.procedure_id", "procedure_versions.version"],
            name="to_procedure_versions",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_drafts"),
        sa.UniqueConstraint("tenant_id", "resume_hash", name="uq_drafts_tenant_id_resume_hash"),
    )
    op.create_index("ix_drafts_tenant_id_expires_at", "drafts", ["tenant_id", "expires_at"])
    op.create_index("ix_drafts_tenant_id_owner_person", "drafts", ["tenant_id", "owner_person"])
    op.create_table(
        "application_history",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("by_kind", sa.String(20), nullable=False),
        sa.Column("by", sa.String(200)),
        sa.Column("by_name", sa.String(200), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"], ["applications.tenant_id", "applications.id"], name="to_applications"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "application_id", "position", name="pk_application_history"),
    )
    op.create_table(
        "application_rounds",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("answers", Json, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"], ["applications.tenant_id", "applications.id"], name="to_applications"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "application_id", "number", name="pk_application_rounds"),
    )
    op.create_table(
        "corrections",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("fields", Json, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("raw", Json, nullable=False),
        sa.Column("files", Json, nullable=False),
        sa.Column("answered_at", UtcDateTime),
        sa.Column("cancelled_at", UtcDateTime),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"], ["applications.tenant_id", "applications.id"], name="to_applications"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_corrections"),
    )
    op.create_index(
        "ix_corrections_tenant_id_application_id_asked_at", "corrections", ["tenant_id", "application_id", "asked_at"]
    )
    op.create_table(
        "grants",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("session_hash", sa.String(64), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"], ["applications.tenant_id", "applications.id"], name="to_applications"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "session_hash", "application_id", name="pk_grants"),
    )
