"""How a request goes on once it may: the room is asked over the bus, its answers move the request, silence is noticed.

An answer may come twice, late, or after the request has ended: it then changes nothing. A failure is undone: what was
opened is closed again, and a room that was being prepared is deleted.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import audit, jobs, outbox
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.ids import new_id
from services.tenants.db import registry as registry_db
from services.tenants.db import requests as db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.db import usage as usage_db
from services.tenants.db.requests import RequestRow
from services.tenants.domain import catalogue, requests
from services.tenants.domain.history import believed
from services.tenants.domain.municipality import existing_on
from services.tenants.domain.subscriptions import Interval, first_day, status_on
from services.tenants.events import RoomRequested, SubscriptionEnded, SubscriptionStarted
from services.tenants.use_cases import capacity, carrying, own_pages, switches, telling, terms

SIGN = "tenants.sign-deletion"
"""The job: `request` in its payload."""
SYSTEM = Actor(kind="service", subject="tenants")
_NO_ANSWER = "サービスから返事がありませんでした。"


def begin(session: Session, row: RequestRow, now: datetime) -> None:
    """Start what was asked for: over the bus where the service keeps a room, at once where it runs elsewhere."""
    if row.action in ("suspend", "leave"):
        _suspend(session, row, now)
    elif row.action == "cancel":
        terms.call_off(session, row, now)
        changed(session)
    if row.action == "move" or catalogue.service(row.service).delivery == "elsewhere":
        _finish(session, row, now)
    else:
        ask(session, row, requests.FIRST_ROOM_ACTION[row.action], now)


def ask(session: Session, row: RequestRow, room_action: requests.RoomAction, now: datetime) -> None:
    """Ask the room, for the first time or again."""
    again = row.state == "running" and row.room_action == room_action
    row.room_action, row.asked_at = room_action, now
    row.asks = row.asks + 1 if again else 1
    row.heard_at = row.heard_at if again else None
    row.room_request = row.room_request if again else new_id()
    db.become(session, row, "running", now)
    if row.asks <= requests.MAX_ASKS:
        db.add_step(session, row.id, "asked_again" if again else f"asked_{room_action}", now)
    ask_room(session, row.tenant, row.service, room_action, row.room_request or row.id, now)


def ask_room(
    session: Session,
    tenant: str,
    service: str,
    room_action: requests.RoomAction,
    room_request: str,
    now: datetime,
    *,
    archive: str | None = None,
) -> None:
    """Tell the service, with the code and name the municipality has on that day (`archive`: the file to take in)."""
    present = existing_on(registry_db.states(session, tenant), local_date(now)).get(tenant)
    event = RoomRequested.model_validate(
        {
            "request_id": room_request,
            "service": service,
            "action": room_action,
            "code": present.code if present else None,
            "name": present.name if present else None,
            "archive": archive,
        }
    )
    outbox.add(session, event, subject=f"{tenant}/{service}", now=now)


# ---- answers --------------------------------------------------------------------------------------------------------


def progressed(
    session: Session, service: str, room_request: str, done: int, total: int, label: str, now: datetime
) -> None:
    """The room says how far it is. Steps with the same words are one line whose numbers move."""
    row = _expected(session, service, room_request)
    if row is None or row.state != "running":
        return
    row.heard_at = now
    step = db.last_step(session, row.id)
    if step is not None and step.kind == "progressed" and step.label == label:
        step.done, step.total, step.at = done, total, now
        session.flush()
    else:
        db.add_step(session, row.id, "progressed", now, label=label, done=done, total=total)


def answered(
    session: Session, service: str, room_request: str, answer: str, now: datetime, *, archive: str | None = None
) -> None:
    """The room has done what it was asked: `answer` is provisioned, suspended, resumed, exported or deleted."""
    row = _expected(session, service, room_request)
    if row is None or row.state != "running" or row.room_action != requests.ANSWERS[answer]:
        return
    row.heard_at = now
    if answer == "provisioned":
        switches.tell(session, service, now)  # what was set before there was this room
    if answer == "exported":
        row.archive = archive
        db.add_step(session, row.id, "exported", now)
        db.become(session, row, "exported", now)
        audit.record(session, SYSTEM, "subscription.leave.exported", row.service, detail={"request": row.id}, now=now)
        telling.tell_of_request(session, row, "exported", now)
        return
    _finish(session, row, now)


def failed(session: Session, service: str, room_request: str, reason: str, now: datetime) -> None:
    """The room could not; what was begun is undone, and the municipality reads why. A deletion cannot be undone: it is asked for anew."""
    row = _expected(session, service, room_request)
    if row is None or row.state != "running":
        return
    if row.room_action == "delete":
        row.reason, row.room_request, row.heard_at = reason[:2000], new_id(), now  # `chase` asks in a minute
    else:
        _fail(session, row, reason, now)


def _expected(session: Session, service: str, room_request: str) -> RequestRow | None:
    """The request an answer speaks of: of this tenant and service. Anything else is an answer to nobody."""
    return db.by_room_request(session, session.info["tenant"], service, room_request)


# ---- silence --------------------------------------------------------------------------------------------------------


def late_requests(session: Session, now: datetime) -> list[tuple[str, str]]:
    """(tenant, request id) of rooms that have been silent for too long."""
    return [(row.tenant, row.id) for row in db.running(session, now - requests.PATIENCE)]


def chase(session: Session, request_id: str, now: datetime) -> None:
    """Ask a silent room again; after the last time give up and undo. The session is the tenant's.

    A deletion is never given up: it cannot be undone, and a room that was killed over it may have nothing left already.
    """
    row = db.find_request(session, request_id, tenant=session.info["tenant"], lock=True)
    if row.state != "running" or row.asked_at is None or not requests.is_late(row.asked_at, row.heard_at, now):
        return
    if row.asks >= requests.MAX_ASKS and row.room_action != "delete":
        _fail(session, row, _NO_ANSWER, now, silent=True)
    else:
        ask(session, row, row.room_action, now)  # type: ignore[arg-type]


def retry(session: Session, actor: Actor, request_id: str, now: datetime) -> RequestRow:
    """An operator tries what failed again, under a new request with the same wish. Conflict where nothing failed, and where
    the use has changed since: an imported use goes on whether its room could be prepared or not, so it may be tried as
    long as there is no room.
    """
    old = db.find_request(session, request_id)
    requests_open = db.open_request(session, old.tenant, old.service)
    if requests_open is not None:
        return requests_open
    requests.check_failed(old.state)
    status = _status(session, old, now)
    if old.action != "join" or status == "none" or db.has_room(session, old.tenant, old.service):
        requests.check_action(old.action, status)
    row = RequestRow(
        tenant=old.tenant,
        service=old.service,
        action=old.action,
        state="requested",
        effective_from=old.effective_from if old.action == "join" else None,
        requested_by=old.requested_by,
        requested_at=now,
        decided_by=actor.subject,
        decided_at=now,
    )
    db.add_request(session, row)
    db.add_step(session, row.id, "retried", now)
    audit.record(session, actor, f"subscription.{row.action}.retried", row.service, detail={"request": row.id}, now=now)
    begin(session, row, now)
    return row


def _status(session: Session, row: RequestRow, now: datetime) -> str:
    found = subscriptions_db.intervals(session, row.tenant, row.service)
    return status_on(found, row.tenant, row.service, local_date(now)).status


# ---- what the end of a request changes ------------------------------------------------------------------------------


def _finish(session: Session, row: RequestRow, now: datetime) -> None:
    today = local_date(now)
    if row.action == "join":
        _join(session, row, now)
    elif row.action == "move":
        terms.move(session, row, now)
    elif row.action == "resume":
        subscriptions_db.close(session, row.tenant, row.service, "suspended", today, now, row.id)
    elif row.action == "leave":
        subscriptions_db.close(session, row.tenant, row.service, "suspended", today, now, row.id)
        end = row.effective_from or today
        subscriptions_db.close(session, row.tenant, row.service, "joined", end, now, row.id)
        carrying.tell_anew(session, row.tenant, row.service, now)
        usage_db.forget(session, row.service)
        if row.service == capacity.SERVICE:
            capacity.give_back(session, row.tenant, end, "自治体クラウドの利用が終わるため", now)
        jobs.add(session, SIGN, {"request": row.id}, tenant=row.tenant, key=row.id, now=now)
        event = SubscriptionEnded(service=row.service, until_date=end)
        outbox.add(session, event, subject=f"{row.tenant}/{row.service}", now=now)
    db.add_step(session, row.id, "done", now)
    db.become(session, row, "done", now)
    changed(session)
    audit.record(session, SYSTEM, f"subscription.{row.action}.done", row.service, detail={"request": row.id}, now=now)
    telling.tell_of_request(session, row, "ready", now)


def _join(session: Session, row: RequestRow, now: datetime) -> None:
    """Record the use from its first day; a history that was imported with it is already there and is left alone."""
    present = subscriptions_db.intervals(session, row.tenant, row.service)
    today = local_date(now)
    if any(i.kind == "joined" and (i.valid_until is None or i.valid_until > today) for i in believed(present)):
        return
    start = first_day(row.effective_from, today)
    subscriptions_db.add_intervals(session, [Interval(row.tenant, row.service, "joined", start, None, now)], row.id)
    carrying.tell_anew(session, row.tenant, row.service, now)
    event = SubscriptionStarted(service=row.service, from_date=start)
    outbox.add(session, event, subject=f"{row.tenant}/{row.service}", now=now)
    if catalogue.service(row.service).delivery == "room" and own_pages.about(session).logo:
        own_pages.tell_logo(session, now)


def _suspend(session: Session, row: RequestRow, now: datetime) -> None:
    """Use stops when it is asked for, not when the room has answered: the gateway closes the door within seconds."""
    interval = Interval(row.tenant, row.service, "suspended", local_date(now), None, now)
    present = believed(subscriptions_db.intervals(session, row.tenant, row.service))
    if not any(i.kind == "suspended" and i.valid_until is None for i in present):
        subscriptions_db.add_intervals(session, [interval], row.id)
    changed(session)


def reopen(session: Session, row: RequestRow, now: datetime) -> None:
    """Leaving was stopped: the service is open again."""
    subscriptions_db.close(session, row.tenant, row.service, "suspended", local_date(now), now, row.id)
    terms.end_no_longer(session, row, now)
    changed(session)


def _fail(session: Session, row: RequestRow, reason: str, now: datetime, *, silent: bool = False) -> None:
    row.reason = reason[:2000]
    if row.action in ("suspend", "leave"):
        reopen(session, row, now)
    if silent and row.action == "join" and _status(session, row, now) == "none":
        # A room that says it failed has cleared up by itself; a silent one is told to, under an id of its own: the
        # answer to it belongs to no request. A room that is in use is never deleted for a failed preparation.
        ask_room(session, row.tenant, row.service, "delete", new_id(), now)
    db.add_step(session, row.id, "failed", now, label=row.reason)
    db.become(session, row, "failed", now)
    changed(session)
    audit.record(session, SYSTEM, f"subscription.{row.action}.failed", row.service, row.reason, now=now)
    telling.tell_of_request(session, row, "failed", now)
    telling.tell_operators(
        session, row.tenant, f"{row.id}:failed", "/operator/", now, service=row.service, action=row.action, failed=True
    )


def changed(session: Session) -> None:
    """The gateway must learn of it."""
    session.flush()
    registry_db.bump_version(session)
