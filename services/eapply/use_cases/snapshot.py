"""What a reader that comes late needs: every application of one municipality as it stands, with the number of its
last event."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.outbox import OutboxHead
from services.eapply.db import ApplicationRow

PAGE = 500


def applications(session: Session, tenant: str, after: str, limit: int = PAGE) -> list[dict[str, Any]]:
    """Applications of the session's municipality whose id comes after `after`, in order. Nothing personal."""
    statement = (
        select(ApplicationRow, OutboxHead.sequence)
        .join(OutboxHead, OutboxHead.subject == ApplicationRow.id, isouter=True)
        .where(ApplicationRow.id > after)
        .order_by(ApplicationRow.id)
        .limit(limit)
    )
    return [_line(row, sequence or 0, tenant) for row, sequence in session.execute(statement)]


def _line(row: ApplicationRow, sequence: int, tenant: str) -> dict[str, Any]:
    return {
        "application_id": row.id,
        "tenant": tenant,
        "procedure_id": row.procedure_id,
        "fiscal_year": row.fiscal_year,
        "channel": row.channel,
        "submitted_at": _moment(row.arrived_at),
        "state": row.state,
        "outcome": row.outcome,
        "sequence": sequence,
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
