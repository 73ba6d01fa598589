"""Questions about disposals of repositories."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.backup.db.tables import DisposalRow

_OPEN = (DisposalRow.stopped_at.is_(None), DisposalRow.done_at.is_(None))


def pending(session: Session, repository_id: str) -> DisposalRow | None:
    """Asked for, and neither stopped nor done."""
    return session.scalar(select(DisposalRow).where(DisposalRow.repository_id == repository_id, *_OPEN))


def next_due(session: Session, trusted_now: datetime) -> DisposalRow | None:
    """One that two people wanted and whose time has come."""
    statement = select(DisposalRow).where(DisposalRow.due_at <= trusted_now, *_OPEN)
    return session.scalar(statement.order_by(DisposalRow.due_at).limit(1))
