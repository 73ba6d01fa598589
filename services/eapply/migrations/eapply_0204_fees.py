"""fees: charges, the provider's reports, the simulator's books"""

import sqlalchemy as sa
from alembic import op

from libs.common.db import Json, UtcDateTime

revision = "eapply_0204"
down_revision = "eapply_0203"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "charges",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("application_id", sa.String(36), nullable=False),
        sa.Column("fee_when", sa.String(10), nullable=False),
        sa.Column("amount", sa.Integer),
        sa.Column("reduction", sa.Integer, nullable=False),
        sa.Column("reduction_reason", sa.Text, nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("charge_state", sa.String(20), nullable=False),
        sa.Column("numbers", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("settled_at", UtcDateTime),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"], ["applications.tenant_id", "applications.id"], name="to_applications"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_charges"),
        sa.UniqueConstraint("tenant_id", "application_id", name="uq_charges_tenant_id_application_id"),
    )
    op.create_index(
        "ix_charges_tenant_id_charge_state_created_at", "charges", ["tenant_id", "charge_state", "created_at"]
    )
    op.create_table(
        "payment_reports",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("report_id", sa.String(100), nullable=False),
        sa.Column("charge_id", sa.String(36), nullable=False),
        sa.Column("report_kind", sa.String(10), nullable=False),
        sa.Column("amount", sa.Integer, nullable=False),
        sa.Column("happened_at", UtcDateTime, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "charge_id"], ["charges.tenant_id", "charges.id"], name="to_charges"),
        sa.PrimaryKeyConstraint("tenant_id", "report_id", name="pk_payment_reports"),
    )
    op.create_index("ix_payment_reports_tenant_id_charge_id", "payment_reports", ["tenant_id", "charge_id"])
    op.create_table(
        "simulated_payments",
        sa.Column("tenant_id", sa.String(6), nullable=False),
        sa.Column("report_id", sa.String(100), nullable=False),
        sa.Column("charge_id", sa.String(36), nullable=False),
        sa.Column("report_kind", sa.String(10), nullable=False),
        sa.Column("amount", sa.Integer, nullable=False),
        sa.Column("happened_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "report_id", name="pk_simulated_payments"),
    )
    op.create_index("ix_simulated_payments_tenant_id_happened_at", "simulated_payments", ["tenant_id", "happened_at"])
