"""Who is told (`webhooks`), of what (`webhook_deliveries`), and every attempt (`webhook_attempts`)."""

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ForeignKeyConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import CommonBase, Json
from libs.common.tenancy import TenantTable

ACTIVE, PAUSED, FAILED_OFF = "active", "paused", "failing"
WAITING, SENT, FAILED = "waiting", "sent", "failed"


class WebhookRow(TenantTable, CommonBase):
    """One address that is told. `types` are the events it asked for. `failing_since`: when the first of an unbroken row of
    failures was; `state` failing means that we stopped by ourselves. The old secret signs too until `previous_until`."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    url: Mapped[str] = mapped_column(String(2000))
    purpose: Mapped[str] = mapped_column(String(200))
    types: Mapped[list[str]] = mapped_column(Json)
    secret: Mapped[str] = mapped_column(String(100))
    previous_secret: Mapped[str | None] = mapped_column(String(100))
    previous_until: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(10), default=ACTIVE)
    failing_since: Mapped[datetime | None]
    made_by: Mapped[str] = mapped_column(String(100))
    made_at: Mapped[datetime]


class DeliveryRow(TenantTable, CommonBase):
    """One event for one address. `id` is the `webhook-id` that the receiver sees: the same in every attempt."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "webhook_id"], ["webhooks.tenant_id", "webhooks.id"]),
        UniqueConstraint("tenant_id", "webhook_id", "event_id"),
        Index(None, "tenant_id", "webhook_id", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(String(36))
    event_id: Mapped[str] = mapped_column(String(36))
    type: Mapped[str] = mapped_column(String(200))
    body: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(10), default=WAITING)
    round_attempts: Mapped[int] = mapped_column(default=0)
    made_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class AttemptRow(TenantTable, CommonBase):
    """One attempt: the status the receiver answered and the beginning of what it said, or why nothing could be sent."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "delivery_id"], ["webhook_deliveries.tenant_id", "webhook_deliveries.id"], ondelete="CASCADE"
        ),
    )

    delivery_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    milliseconds: Mapped[int]
    status: Mapped[int | None]
    answer: Mapped[str] = mapped_column(Text, default="")
    problem: Mapped[str] = mapped_column(String(500), default="")


RowT = TypeVar("RowT", WebhookRow, DeliveryRow)


def get(session: Session, model: type[RowT], row_id: str, *, lock: bool = False) -> RowT | None:
    """The session's municipality's row of that id."""
    return session.get(model, (session.info["tenant"], row_id), with_for_update=lock)
