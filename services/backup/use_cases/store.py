"""A client's object arrives: may it, does it fit, and the row that makes it count."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy.orm import Session

from libs.common import outbox
from libs.common.errors import Forbidden, Refusal, say
from services.backup.db import AllowanceRow, ObjectRow, RecoveryPointRow, RepositoryRow
from services.backup.db import objects as objects_db
from services.backup.db import repositories as db
from services.backup.domain import points
from services.backup.domain.modes import may_write
from services.backup.domain.protocol import CONFIG
from services.backup.domain.quota import left
from services.backup.events import RecoveryPointArrived
from services.backup.sites import Upload
from services.backup.use_cases.admit import Door
from services.backup.use_cases.alerts import clear_alert, raise_alert


class Full(Refusal):
    """The quota or the disk is full (507; RFC 4918, 11.5). restic 0.18.1 and later stop at once and say so."""

    status: ClassVar[int] = 507
    default_code = "full"


def full() -> Full:
    return Full(
        say(
            "保管できる量の上限に達しました。古い世代を整理するか、上限を増やしてください。これまでの分は保管されています。"
        )
    )


def check_may_write(door: Door, type_: str) -> None:
    if not may_write(door.mode):
        raise Forbidden(say("このキーでは読むことだけができます。"), code="read-only")
    check_not_closing(door, type_)


def check_not_closing(door: Door, type_: str) -> None:
    """Locks come and go as long as something can be read."""
    if door.closing and type_ != objects_db.LOCKS:
        raise Forbidden(say("この保管庫は廃棄の手続き中のため、読むことだけができます。"), code="closing")


def bytes_left(session: Session, door: Door, type_: str) -> int:
    """How large an object of `type_` may be now. Checked again when it is committed: many may arrive at once."""
    repository = db.by_id(session, door.repository_id)
    counted = (repository, db.allowance(session))
    return min(left(db.allowance_of(row), type_, door.mode) for row in counted)


def keep(session: Session, door: Door, type_: str, upload: Upload, now: datetime, *, at_second: bool = False) -> None:
    """Give the sealed bytes their name and their row. Sent again after a lost reply it is kept once and accepted.

    The file is named inside the transaction, under the municipality's lock, and before the commit: a row never speaks of
    a file that could be missing, and nobody removes a file that is about to get its row. Raises Full, Forbidden.
    """
    allowance, repository = db.hold(session, door.repository_id)
    name = upload.name
    row = objects_db.find(session, door.repository_id, type_, name)
    if row is None or row.deleted_at is not None:
        if type_ == CONFIG and objects_db.find_there(session, door.repository_id, CONFIG, "", None) is not None:
            raise Forbidden(say("この保管庫には、もう別の設定があります。"), code="config-exists")
        if upload.size > min(left(db.allowance_of(a), type_, door.mode) for a in (repository, allowance)):
            raise full()
    upload.keep()
    if row is not None and row.deleted_at is None:
        row.first_state = "ok"
        return
    if row is None:
        row = ObjectRow(repository_id=door.repository_id, type=type_, name=name, size=upload.size, arrived_at=now)
        session.add(row)
        for counted in (repository, allowance):
            counted.held += upload.size
    if at_second:
        row.copied_at, row.second_state = now, "ok"
    else:
        row.first_state = "ok"
    bring_to_life(session, repository, allowance, row, now)


def bring_to_life(
    session: Session, repository: RepositoryRow, allowance: AllowanceRow, row: ObjectRow, now: datetime
) -> None:
    """From now on `row` is there for everybody who reads, and counts as one that arrived now."""
    row.deleted_at = row.keep_until = None
    for counted in (repository, allowance):
        counted.live += row.size
    if row.type == "data":
        repository.added_since_point += row.size
    if row.type in objects_db.TO_OPEN:
        session.flush()
        _note_openable(session, repository, now)
    if row.type == "snapshots":
        _note_point(session, repository, allowance.live, row.name, now)


def _note_openable(session: Session, repository: RepositoryRow, now: datetime) -> None:
    """Another `config`, or another key, is not what was there: with it nobody opens what was kept before."""
    alert = db.open_alert(session, repository.id, "unopenable")
    if alert is not None and objects_db.can_be_opened(session, repository.id, since=alert.raised_at):
        alert.cleared_at = now


def _note_point(session: Session, repository: RepositoryRow, stored_by_tenant: int, name: str, now: datetime) -> None:
    """A snapshot is a recovery point; its age counts from its arrival, whatever time is written in it."""
    added = repository.added_since_point
    earlier = [(point.added, point.stored) for point in reversed(db.points(session, repository.id, points.HISTORY))]
    point = session.get(RecoveryPointRow, (repository.tenant_id, repository.id, name))
    if point is None:
        session.add(
            RecoveryPointRow(
                repository_id=repository.id, snapshot=name, arrived_at=now, added=added, stored=repository.live
            )
        )
    else:
        point.deleted_at = None
    repository.last_point_at, repository.added_since_point = now, 0
    event = RecoveryPointArrived(
        repository_id=repository.id,
        arrived_at=now,
        added=added,
        stored=repository.live,
        stored_by_municipality=stored_by_tenant,
    )
    outbox.add(session, event, subject=repository.id, now=now)
    clear_alert(session, repository, "overdue", now)
    if points.is_flood(added, [before for before, _ in earlier]):
        raise_alert(session, repository, "flood", now)
    if points.is_drop(added, repository.live, earlier):
        raise_alert(session, repository, "drop", now)
    else:
        clear_alert(session, repository, "drop", now)
