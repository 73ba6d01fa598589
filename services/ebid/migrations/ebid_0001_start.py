"""tenders, bidders, the log"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "ebid_0001"
down_revision = None
branch_labels = ("ebid",)
depends_on = None

BigNumber = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "companies",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("corporate_number", sa.String(13)),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("representative", sa.String(200), nullable=False),
        sa.Column("address", sa.String(300), nullable=False),
        sa.Column("categories", Json, nullable=False),
        sa.Column("valid_until", sa.Date, nullable=False),
        sa.Column("registered_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_companies"),
        sa.UniqueConstraint("corporate_number", name="uq_companies_corporate_number"),
    )
    op.create_table(
        "company_persons",
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("person", name="pk_company_persons"),
    )
    op.create_index("ix_company_persons_company_id", "company_persons", ["company_id"])
    op.create_table(
        "counters",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("last", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "fiscal_year", name="pk_counters"),
    )
    op.create_table(
        "entries",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("position", BigNumber, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("receipt", Json, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_entries"),
    )
    op.create_index("ix_entries_tenant_id_tender_id_kind", "entries", ["tenant_id", "tender_id", "kind"])
    op.create_table(
        "feeds",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("last", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_feeds"),
    )
    op.create_table(
        "log_checkpoints",
        sa.Column("size", BigNumber, autoincrement=False, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_log_checkpoints"),
    )
    op.create_table(
        "log_head",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("size", BigNumber, nullable=False),
        sa.Column("reserved", BigNumber, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_head"),
    )
    op.create_table(
        "log_nodes",
        sa.Column("level", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("position", BigNumber, autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name="pk_log_nodes"),
    )
    op.create_table(
        "log_slots",
        sa.Column("position", BigNumber, autoincrement=False, nullable=False),
        sa.Column("leaf", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_log_slots"),
    )
    op.create_table(
        "releases",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("position", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(80), nullable=False),
        sa.Column("ocid", sa.String(60), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "position", name="pk_releases"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_releases_tenant_id_id"),
    )
    op.create_index("ix_releases_tenant_id_ocid_position", "releases", ["tenant_id", "ocid", "position"])
    op.create_table(
        "suspensions",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("by_tenant", sa.String(6), nullable=False),
        sa.Column("first", sa.Date, nullable=False),
        sa.Column("last", sa.Date, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("imposed_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_suspensions"),
    )
    op.create_index("ix_suspensions_by_tenant", "suspensions", ["by_tenant"])
    op.create_index("ix_suspensions_company_id", "suspensions", ["company_id"])
    op.create_table(
        "tenders",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("number", sa.String(40), nullable=False),
        sa.Column("ocid", sa.String(60), nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("place", sa.String(200), nullable=False),
        sa.Column("category", sa.String(20), nullable=False),
        sa.Column("method", sa.String(20), nullable=False),
        sa.Column("requirements", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("questions_until", UtcDateTime, nullable=False),
        sa.Column("apply_until", UtcDateTime),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("terms", Json, nullable=False),
        sa.Column("reserve", Json),
        sa.Column("threshold", sa.Integer, nullable=False),
        sa.Column("trustees", Json, nullable=False),
        sa.Column("announcement", Json),
        sa.Column("announcement_digest", sa.String(64)),
        sa.Column("drafted_by", sa.String(200), nullable=False),
        sa.Column("drafted_by_name", sa.String(200), nullable=False),
        sa.Column("approved_by", sa.String(200)),
        sa.Column("approved_by_name", sa.String(200)),
        sa.Column("published_at", UtcDateTime),
        sa.Column("concluded_at", UtcDateTime),
        sa.Column("outcome", Json),
        sa.Column("cancel_reason", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_tenders"),
        sa.UniqueConstraint("tenant_id", "number", name="uq_tenders_tenant_id_number"),
        sa.UniqueConstraint("tenant_id", "ocid", name="uq_tenders_tenant_id_ocid"),
    )
    op.create_index("ix_tenders_tenant_id_state_id", "tenders", ["tenant_id", "state", "id"])
    op.create_table(
        "trustees",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("institution", sa.String(200), nullable=False),
        sa.Column("public_key", sa.String(200), nullable=False),
        sa.Column("registered_at", UtcDateTime, nullable=False),
        sa.Column("retired_at", UtcDateTime),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_trustees"),
    )
    op.create_index("ix_trustees_tenant_id_person", "trustees", ["tenant_id", "person"])
    op.create_table(
        "bundles",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "tender_id"], ["tenders.tenant_id", "tenders.id"], name="to_tenders"),
        sa.PrimaryKeyConstraint("tenant_id", "tender_id", name="pk_bundles"),
    )
    op.create_table(
        "documents",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("stored_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "tender_id"], ["tenders.tenant_id", "tenders.id"], name="to_tenders"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_documents"),
    )
    op.create_index("ix_documents_tenant_id_tender_id", "documents", ["tenant_id", "tender_id"])
    op.create_table(
        "letters",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "tender_id"], ["tenders.tenant_id", "tenders.id"], name="to_tenders"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_letters"),
    )
    op.create_index("ix_letters_tenant_id_company_id_id", "letters", ["tenant_id", "company_id", "id"])
    op.create_index("ix_letters_tenant_id_tender_id", "letters", ["tenant_id", "tender_id"])
    op.create_table(
        "participations",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("person", sa.String(200)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("applied_at", UtcDateTime, nullable=False),
        sa.Column("decided_at", UtcDateTime),
        sa.ForeignKeyConstraint(["tenant_id", "tender_id"], ["tenders.tenant_id", "tenders.id"], name="to_tenders"),
        sa.PrimaryKeyConstraint("tenant_id", "tender_id", "company_id", name="pk_participations"),
    )
    op.create_table(
        "questions",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("answered_at", UtcDateTime),
        sa.ForeignKeyConstraint(["tenant_id", "tender_id"], ["tenders.tenant_id", "tenders.id"], name="to_tenders"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_questions"),
    )
    op.create_index("ix_questions_tenant_id_tender_id", "questions", ["tenant_id", "tender_id"])
    op.create_table(
        "rounds",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("bid_until", UtcDateTime, nullable=False),
        sa.Column("opens_at", UtcDateTime, nullable=False),
        sa.Column("closed_at", UtcDateTime),
        sa.Column("checkpoint_size", sa.Integer),
        sa.Column("closing", Json),
        sa.Column("opened_at", UtcDateTime),
        sa.Column("result", Json),
        sa.ForeignKeyConstraint(["tenant_id", "tender_id"], ["tenders.tenant_id", "tenders.id"], name="to_tenders"),
        sa.PrimaryKeyConstraint("tenant_id", "tender_id", "number", name="pk_rounds"),
    )
    op.create_table(
        "shares",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("trustee_id", sa.String(36), nullable=False),
        sa.Column("shares", Json, nullable=False),
        sa.Column("given_at", UtcDateTime, nullable=False),
        sa.Column("given_by", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "tender_id", "round"],
            ["rounds.tenant_id", "rounds.tender_id", "rounds.number"],
            name="to_rounds",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "tender_id", "round", "trustee_id", name="pk_shares"),
    )
    op.create_table(
        "submissions",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("tender_id", sa.String(36), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("envelope", Json),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("entry_id", sa.String(36), nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "tender_id", "round"],
            ["rounds.tenant_id", "rounds.tender_id", "rounds.number"],
            name="to_rounds",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "tender_id", "round", "company_id", name="pk_submissions"),
    )
