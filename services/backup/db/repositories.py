"""Questions about repositories, keys, recovery points, alerts and drills."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from libs.common import room
from libs.common.errors import NotFound, say
from services.backup.db.tables import (
    AccessKeyRow,
    AlertRow,
    AllowanceRow,
    DrillRow,
    ObjectRow,
    RecoveryPointRow,
    RepositoryRow,
    TrustedTimeRow,
)
from services.backup.domain.quota import Allowance

_HELD = "backup.held"
"""In `Session.info`: the two rows that `hold` holds."""
# Asked for every object that comes or goes; to put such a statement together costs as much as to ask it.
_ALLOWANCE = select(AllowanceRow)
_ALLOWANCE_HELD = _ALLOWANCE.with_for_update()
_KEY_AND_REPOSITORY = (
    select(AccessKeyRow, RepositoryRow, room.RoomRow.state)
    .join(RepositoryRow, RepositoryRow.id == AccessKeyRow.repository_id)
    .outerjoin(room.RoomRow, room.RoomRow.tenant == AccessKeyRow.tenant_id)
    .where(AccessKeyRow.token_id == bindparam("token"))
)
_KEY_AND_HELD_REPOSITORY = _KEY_AND_REPOSITORY.with_for_update(of=RepositoryRow)

UNKNOWN = say("この保管庫は見つかりません。一覧から選び直してください。")


def allowance(session: Session) -> AllowanceRow:
    """The municipality's allowance as it is now."""
    return session.execute(_ALLOWANCE).scalar_one()


def lock_allowance(session: Session) -> AllowanceRow:
    """The municipality's allowance, held until the transaction ends: changes of its objects happen one after another."""
    return session.execute(_ALLOWANCE_HELD).scalar_one()


def hold(session: Session, repository_id: str) -> tuple[AllowanceRow, RepositoryRow]:
    """The municipality's allowance and the repository, both held until the transaction ends. Twice in it is once."""
    known = session.info.get(_HELD)
    if known is None or known[1].id != repository_id:
        known = session.info[_HELD] = lock_allowance(session), by_id(session, repository_id, lock=True)
    return known


def allowance_of(row: AllowanceRow | RepositoryRow) -> Allowance:
    return Allowance(row.quota, row.live, row.held)


def by_name(session: Session, name: str) -> RepositoryRow | None:
    return session.scalar(select(RepositoryRow).where(RepositoryRow.name == name))


def by_id(session: Session, repository_id: str, *, lock: bool = False) -> RepositoryRow:
    """The repository; NotFound if the session's municipality has none of this id."""
    statement = select(RepositoryRow).where(RepositoryRow.id == repository_id)
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound(UNKNOWN)
    return row


def municipality_name(session: Session) -> str | None:
    """Of the session's municipality, as the registry last said."""
    row = session.get(room.RoomRow, session.info["tenant"])
    return row.name if row else None


def repositories(session: Session) -> list[RepositoryRow]:
    """Those in use or closing; `everything` has those that were disposed of too."""
    statement = select(RepositoryRow).where(RepositoryRow.disposed_at.is_(None))
    return list(session.scalars(statement.order_by(RepositoryRow.name)))


def everything(session: Session) -> list[RepositoryRow]:
    return list(session.scalars(select(RepositoryRow).order_by(RepositoryRow.name)))


Opened = tuple[AccessKeyRow, RepositoryRow, str | None]


def key_and_repository(session: Session, token_id: str) -> Opened | None:
    """What a key opens, and the state of the municipality's room, in one question."""
    found = session.execute(_KEY_AND_REPOSITORY, {"token": token_id}).first()
    return (found[0], found[1], found[2]) if found else None


def hold_by_key(session: Session, token_id: str) -> Opened | None:
    """As `key_and_repository`, with the allowance and the repository held as by `hold`: what an upload needs, in two questions."""
    allowance_row = lock_allowance(session)
    found = session.execute(_KEY_AND_HELD_REPOSITORY, {"token": token_id}).first()
    if found is None:
        return None
    session.info[_HELD] = allowance_row, found[1]
    return found[0], found[1], found[2]


def keys(session: Session, repository_id: str) -> list[AccessKeyRow]:
    statement = select(AccessKeyRow).where(AccessKeyRow.repository_id == repository_id)
    return list(session.scalars(statement.order_by(AccessKeyRow.created_at.desc())))


def points(session: Session, repository_id: str, limit: int) -> list[RecoveryPointRow]:
    """The latest recovery points, youngest first."""
    statement = select(RecoveryPointRow).where(RecoveryPointRow.repository_id == repository_id)
    return list(session.scalars(statement.order_by(RecoveryPointRow.arrived_at.desc()).limit(limit)))


def arrivals_since(session: Session, repository_id: str, since: datetime) -> list[datetime]:
    """When points arrived, oldest first, also of those that were deleted later."""
    statement = select(RecoveryPointRow.arrived_at).where(
        RecoveryPointRow.repository_id == repository_id, RecoveryPointRow.arrived_at >= since
    )
    return list(session.scalars(statement.order_by(RecoveryPointRow.arrived_at)))


def last_arrival_before(session: Session, repository_id: str, moment: datetime) -> datetime | None:
    statement = select(func.max(RecoveryPointRow.arrived_at)).where(
        RecoveryPointRow.repository_id == repository_id, RecoveryPointRow.arrived_at < moment
    )
    return session.scalar(statement)


def points_at(session: Session, repository_id: str, at: datetime) -> int:
    """How many recovery points there were `at` that moment."""
    statement = select(func.count()).select_from(RecoveryPointRow)
    return (
        session.scalar(
            statement.where(
                RecoveryPointRow.repository_id == repository_id,
                RecoveryPointRow.arrived_at <= at,
                RecoveryPointRow.deleted_at.is_(None) | (RecoveryPointRow.deleted_at > at),
            )
        )
        or 0
    )


def points_deleted_since(session: Session, repository_id: str, since: datetime) -> int:
    statement = select(func.count()).select_from(RecoveryPointRow)
    return (
        session.scalar(
            statement.where(RecoveryPointRow.repository_id == repository_id, RecoveryPointRow.deleted_at > since)
        )
        or 0
    )


def open_alert(session: Session, repository_id: str, kind: str) -> AlertRow | None:
    return session.scalar(
        select(AlertRow).where(
            AlertRow.repository_id == repository_id, AlertRow.kind == kind, AlertRow.cleared_at.is_(None)
        )
    )


def open_alerts(session: Session, repository_id: str | None = None) -> list[AlertRow]:
    statement = select(AlertRow).where(AlertRow.cleared_at.is_(None))
    if repository_id is not None:
        statement = statement.where(AlertRow.repository_id == repository_id)
    return list(session.scalars(statement.order_by(AlertRow.raised_at)))


def drills(session: Session, repository_id: str, limit: int) -> list[DrillRow]:
    statement = select(DrillRow).where(DrillRow.repository_id == repository_id)
    return list(session.scalars(statement.order_by(DrillRow.asked_at.desc()).limit(limit)))


def latest_evidence(session: Session, repository_id: str) -> dict[str, Any] | None:
    """What the drill that finished last found."""
    statement = select(DrillRow.evidence).where(
        DrillRow.repository_id == repository_id, DrillRow.finished_at.is_not(None)
    )
    return session.scalar(statement.order_by(DrillRow.finished_at.desc(), DrillRow.id.desc()).limit(1))


def drill(session: Session, drill_id: str) -> DrillRow:
    row = session.scalar(select(DrillRow).where(DrillRow.id == drill_id))
    if row is None:
        raise NotFound(say("この復元訓練の記録は見つかりません。"))
    return row


def forget_locks(session: Session) -> None:
    """Locks are of the moment: those of a site that was lost hold nobody up."""
    allowance_row = lock_allowance(session)
    for lock in session.scalars(select(ObjectRow).where(ObjectRow.type == "locks")):
        for counted in (by_id(session, lock.repository_id, lock=True), allowance_row):
            counted.live -= lock.size
            counted.held -= lock.size
        session.delete(lock)


def trusted_now(session: Session, now: datetime) -> datetime:
    """Time that retention counts in; the clock's before anybody has looked."""
    row = session.get(TrustedTimeRow, 1)
    return row.at if row else now
