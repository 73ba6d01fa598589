"""A client deletes: a lock goes at once, everything else becomes a tombstone whose bytes stay for the time of retention."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Forbidden, say
from services.backup.db import ObjectRow, RecoveryPointRow, RepositoryRow
from services.backup.db import objects as objects_db
from services.backup.db import repositories as db
from services.backup.domain import points
from services.backup.domain.modes import may_delete
from services.backup.domain.retention import keep_until
from services.backup.settings import Held
from services.backup.sites import Key
from services.backup.use_cases.admit import Door
from services.backup.use_cases.alerts import raise_alert
from services.backup.use_cases.store import check_not_closing

_RECORDED = ("snapshots", "keys", "config")
"""Deletions a person would ask about later. Packs and indexes follow from them by the thousand."""


def remove(session: Session, held: Held, actor: Actor, door: Door, type_: str, name: str, now: datetime) -> None:
    """Delete an object; one that is not there is deleted already. Forbidden for append-only keys, locks excepted."""
    if not may_delete(door.mode, type_):
        raise Forbidden(say("このキーでは消せません。"), code="append-only")
    check_not_closing(door, type_)
    allowance, repository = db.hold(session, door.repository_id)
    row = objects_db.find_there(session, door.repository_id, type_, name, None)
    if row is None:
        return
    for counted in (repository, allowance):
        counted.live -= row.size
        counted.held -= row.size if type_ == objects_db.LOCKS else 0
    if type_ == objects_db.LOCKS:
        site = held.first if row.copied_at is None else held.second
        site.remove(Key(door.tenant, door.repository_id, type_, row.name))
        session.delete(row)
        return
    row.deleted_at = now
    row.keep_until = keep_until(now, db.trusted_now(session, now), repository.retention_days)
    if type_ in _RECORDED:
        audit.record(
            session, actor, "backup.object.deleted", repository.id, detail={"type": type_, "name": row.name}, now=now
        )
    if type_ == "snapshots":
        _note_point_gone(session, repository, row, now)
    elif type_ in objects_db.TO_OPEN:
        session.flush()
        if not objects_db.can_be_opened(session, repository.id):
            raise_alert(session, repository, "unopenable", now)


def _note_point_gone(session: Session, repository: RepositoryRow, row: ObjectRow, now: datetime) -> None:
    point = session.get(RecoveryPointRow, (repository.tenant_id, repository.id, row.name))
    if point is not None:
        point.deleted_at = now
    session.flush()
    day_before = now - timedelta(days=1)
    deleted = db.points_deleted_since(session, repository.id, day_before)
    before = db.points_at(session, repository.id, now) + deleted
    if points.is_mass_deletion(deleted, before):
        raise_alert(session, repository, "mass-deletion", now)
