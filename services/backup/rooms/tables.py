"""What is carried out and in, table by table, in the order in which they depend on each other."""

from collections.abc import Iterator

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from libs.common.room import rows
from services.backup.db import (
    AccessKeyRow,
    AlertRow,
    AllowanceRow,
    Base,
    DisposalRow,
    DrillRow,
    ObjectRow,
    RecoveryPointRow,
    RepositoryRow,
)

CARRIED: dict[str, type[Base]] = {
    "allowance": AllowanceRow,
    "repositories": RepositoryRow,
    "objects": ObjectRow,
    "recovery_points": RecoveryPointRow,
    "alerts": AlertRow,
    "drills": DrillRow,
    "disposals": DisposalRow,
}
"""What the municipality owns. Keys stay behind: their secrets are the gateway's of this installation."""
REMOVED = (DisposalRow, DrillRow, AlertRow, RecoveryPointRow, AccessKeyRow, ObjectRow, RepositoryRow, AllowanceRow)
NOT_CARRIED: dict[type[Base], set[str]] = {
    # Sealed with the key of this installation's vault.
    RepositoryRow: {"sealed_password"},
    # What is known of copies holds for the sites here only.
    ObjectRow: {"copied_at", "first_checked_at", "first_state", "second_checked_at", "second_state"},
}


def dumped(session: Session, model: type[Base]) -> Iterator[bytes]:
    """Rows of the session's municipality. Locks are of the moment."""
    chosen = select(ObjectRow).where(ObjectRow.type != "locks") if model is ObjectRow else None
    return rows.dumped(session, model, without=NOT_CARRIED.get(model, ()), chosen=chosen)


def remove(session: Session, model: type[Base]) -> None:
    session.execute(delete(model))
