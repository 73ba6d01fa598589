"""A repository is disposed of: one person asks, another agrees, everybody is told, and after the time of keeping it goes."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from libs.common import audit, outbox
from libs.common.actor import Actor
from libs.common.errors import Conflict, NotFound, say
from libs.common.ids import new_id
from libs.common.service import Service
from services.backup.db import DisposalRow, RepositoryRow
from services.backup.db import disposals as disposals_db
from services.backup.db import objects as objects_db
from services.backup.db import repositories as db
from services.backup.domain import disposal
from services.backup.events import RepositoryDisposed
from services.backup.settings import held
from services.backup.use_cases.alerts import clear_alert, raise_alert
from services.backup.use_cases.sites import PAGE, key_of

ALERT = "disposal"


def ask(session: Session, actor: Actor, repository_id: str, typed_name: str, reason: str, now: datetime) -> DisposalRow:
    """The first person. Invalid without the name and a reason; Conflict while somebody has asked already."""
    row = db.by_id(session, repository_id, lock=True)
    disposal.check_wish(typed_name, row.name, reason)
    if row.disposed_at is not None or disposals_db.pending(session, row.id) is not None:
        raise Conflict(say("この保管庫の廃棄は、もう申し出られています。"), code="disposal-pending")
    wish = DisposalRow(id=new_id(), repository_id=row.id, reason=reason.strip(), asked_by=actor.subject, asked_at=now)
    session.add(wish)
    raise_alert(session, row, ALERT, now)
    audit.record(session, actor, "backup.disposal.asked", row.id, reason=wish.reason, now=now)
    return wish


def agree(session: Session, actor: Actor, repository_id: str, now: datetime) -> DisposalRow:
    """The second person. From here on nothing is written any more; Conflict for the one who asked."""
    row = db.by_id(session, repository_id, lock=True)
    wish = _pending(session, row)
    if wish.agreed_at is not None:
        return wish
    disposal.check_second(wish.asked_by, actor.subject)
    due = disposal.due(now, db.trusted_now(session, now), row.retention_days)
    wish.agreed_by, wish.agreed_at, wish.due_at = actor.subject, now, due
    row.closing_at = now
    clear_alert(session, row, ALERT, now)
    raise_alert(session, row, ALERT, now)  # told once more: now it has a date
    audit.record(session, actor, "backup.disposal.agreed", row.id, detail={"due": due.isoformat()}, now=now)
    return wish


def stop(session: Session, actor: Actor, repository_id: str, now: datetime) -> None:
    """Anybody entitled may stop it alone, until the first byte goes: the repository is used as before. Conflict from then on."""
    row = db.by_id(session, repository_id, lock=True)
    wish = _pending(session, row)
    if wish.begun_at is not None:
        raise Conflict(
            say("期日がすぎ、もう消し始めています。一部が消えているため、やめられません。"), code="disposal-begun"
        )
    wish.stopped_by, wish.stopped_at = actor.subject, now
    row.closing_at = None
    clear_alert(session, row, ALERT, now)
    audit.record(session, actor, "backup.disposal.stopped", row.id, now=now)


def _pending(session: Session, row: RepositoryRow) -> DisposalRow:
    wish = disposals_db.pending(session, row.id)
    if wish is None:
        raise NotFound(say("この保管庫の廃棄は、申し出られていません。"))
    return wish


def carry_out_some(service: Service, tenant: str) -> int:
    """Remove a page of what is due, on both sites; the last page ends it. Returns 0 when there is nothing to do."""
    places = held(service)
    if not all(site.up for site in places.sites):
        return 0
    now = service.clock.now()
    with service.database.transaction(tenant=tenant) as session:
        allowance = db.lock_allowance(session)
        trusted_now = db.trusted_now(session, now)
        wish = disposals_db.next_due(session, trusted_now)
        if wish is None:
            return 0
        row = db.by_id(session, wish.repository_id, lock=True)
        wish.due_at = due_at = _still_due(wish, row)
        if due_at > trusted_now:
            return 1
        if (
            wish.begun_at is None
        ):  # written before the first byte goes, so that nobody goes on with half of a repository
            wish.begun_at = now
            clear_alert(session, row, ALERT, now)  # it says how to stop it
            return 1
        objects = objects_db.some_of(session, row.id, PAGE)
        for found in objects:
            for site in places.sites:
                site.remove(key_of(found))
            for counted in (row, allowance):
                counted.live -= found.size if found.deleted_at is None else 0
                counted.held -= found.size
            session.delete(found)
        if len(objects) < PAGE:
            _end(session, row, wish, now)
        return len(objects)


def _still_due(wish: DisposalRow, row: RepositoryRow) -> datetime:
    """As was said when the second person agreed, or later if the time of keeping has grown since."""
    assert wish.due_at is not None and wish.agreed_at is not None
    return max(wish.due_at, wish.agreed_at + timedelta(days=row.retention_days))


def _end(session: Session, row: RepositoryRow, wish: DisposalRow, now: datetime) -> None:
    wish.done_at = row.disposed_at = now
    row.sealed_password = None
    for key in db.keys(session, row.id):
        key.revoked_at = key.revoked_at or now
    for alert in db.open_alerts(session, row.id):
        alert.cleared_at = now
    outbox.add(session, RepositoryDisposed(repository_id=row.id, disposed_at=now), subject=row.id, now=now)
    actor = Actor(kind="service", subject="backup", tenant=row.tenant_id)
    audit.record(session, actor, "backup.disposal.done", row.id, now=now)
