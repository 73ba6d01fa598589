"""A municipality asks to join, suspend, resume or leave a service; operators approve or refuse; it may take back."""

from datetime import date, datetime

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, say
from services.tenants.db import registry as registry_db
from services.tenants.db import requests as db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.db.requests import RequestRow
from services.tenants.domain import catalogue, requests, subscriptions, texts
from services.tenants.domain.municipality import existing_on
from services.tenants.domain.subscriptions import Interval
from services.tenants.use_cases import saga, telling, terms


def request(
    session: Session,
    actor: Actor,
    tenant: str,
    service: str,
    action: requests.Action,
    *,
    effective_from: date | None = None,
    now: datetime,
) -> RequestRow:
    """Ask for `action`. Sent twice it is one request: an open one of the same action is given back.

    Joining and moving its first day wait for an operator unless a rule approves it; the other actions are the
    municipality's own right. A service that runs elsewhere and needs nobody's approval is done at once. Leaving with
    `effective_from`, the first day without the service, waits for that day; the end is agreed from now on.
    """
    offered = catalogue.open_service(service) if action == "join" else catalogue.service(service)
    already = db.open_request(session, tenant, service)
    if already is not None:
        return _same(already, action)
    today = local_date(now)
    status = subscriptions.status_on(subscriptions_db.intervals(session, tenant, service), tenant, service, today)
    requests.check_action(action, status.status, status.start)
    if effective_from is not None and action == "leave":
        subscriptions.check_end(effective_from, today, status.end)
    elif effective_from is not None:
        subscriptions.check_start(effective_from, today)
    row = RequestRow(
        tenant=tenant,
        service=offered.key,
        action=action,
        state="requested",
        effective_from=effective_from,
        requested_by=actor.subject,
        requested_at=now,
    )
    first = db.add_request_once(session, row)
    if first is not row:
        return _same(first, action)
    db.add_step(session, row.id, "requested", now)
    audit.record(session, actor, f"subscription.{action}.requested", service, detail=_dates(row), now=now)
    waits = action in requests.APPROVED and service not in db.auto_approved(session)
    telling.tell_operators(session, tenant, row.id, "/operator/", now, service=offered.key, action=action, waits=waits)
    if action == "leave" and effective_from is not None:
        terms.agree_end(session, row, now)
        saga.changed(session)
    elif not waits:
        saga.begin(session, row, now)
    return row


def _same(present: RequestRow, action: str) -> RequestRow:
    """The open request, if it asks for the same."""
    if present.action != action:
        raise Conflict(
            say("このサービスには、まだ終わっていない申込みがあります。その申込みが終わってからお試しください。")
        )
    return present


def want_room(session: Session, actor: Actor, tenant: str, service: str, now: datetime) -> RequestRow | None:
    """Note, with the participation that is imported, that it has no room yet. None if the service runs elsewhere or is not open yet."""
    offered = catalogue.service(service)
    if offered.delivery != "room" or not offered.opened or db.open_request(session, tenant, service):
        return None
    row = RequestRow(
        tenant=tenant,
        service=service,
        action="join",
        state="requested",
        requested_by=actor.subject,
        requested_at=now,
        decided_by=actor.subject,
        decided_at=now,
    )
    db.add_request(session, row)
    db.add_step(session, row.id, "imported", now)
    return row


def provide_room(session: Session, actor: Actor, tenant: str, service: str, now: datetime) -> RequestRow | None:
    """Prepare the room of a participation that was imported. None if there is nothing to prepare, or something else goes on."""
    row = db.open_request(session, tenant, service) or want_room(session, actor, tenant, service, now)
    if row is None or row.state != "requested" or not requests.is_imported(row.requested_by, row.decided_by):
        return None
    audit.record(session, actor, "subscription.join.imported", service, detail=_dates(row), now=now)
    saga.begin(session, row, now)
    return row


def approve(session: Session, actor: Actor, request_id: str, now: datetime) -> RequestRow:
    """An operator agrees: the room is prepared. Whoever is second gets a Conflict that says what happened."""
    row = db.find_request(session, request_id, lock=True)
    requests.check_step(row.state, "running", row.decided_at)
    requests.check_decided_by_operators(row.action)
    _check_still_there(session, row, local_date(now))
    row.decided_by, row.decided_at = actor.subject, now
    db.add_step(session, row.id, "approved", now)
    audit.record(session, actor, f"subscription.{row.action}.approved", row.service, detail=_dates(row), now=now)
    telling.tell_of_request(session, row, "decided", now)
    saga.begin(session, row, now)
    return row


def _check_still_there(session: Session, row: RequestRow, today: date) -> None:
    """A municipality that a merger has ended, or ends before the first day it asked for, begins nothing any more."""
    first = subscriptions.first_day(row.effective_from, today)
    if row.tenant not in existing_on(registry_db.states(session, row.tenant), first):
        sentence = say(
            "この市町村は、利用を始める日には、もう台帳にありません。申込みを見送り、新しい市町村から申し込むよう伝えてください。"
        )
        raise Conflict(sentence, code="municipality-ended")


def refuse(session: Session, actor: Actor, request_id: str, reason: str, now: datetime) -> RequestRow:
    """An operator declines, with the reason the municipality reads."""
    need = say("見送る理由を入力してください。申し込んだ市町村に、そのまま伝わります。")
    said = texts.kept(reason, "reason", need=need)
    row = db.find_request(session, request_id, lock=True)
    requests.check_step(row.state, "refused", row.decided_at)
    requests.check_decided_by_operators(row.action)
    row.decided_by, row.decided_at, row.reason = actor.subject, now, said
    db.add_step(session, row.id, "refused", now, label=row.reason)
    db.become(session, row, "refused", now)
    audit.record(session, actor, f"subscription.{row.action}.refused", row.service, row.reason, now=now)
    telling.tell_of_request(session, row, "decided", now, good=False)
    return row


def withdraw(session: Session, actor: Actor, tenant: str, request_id: str, now: datetime) -> RequestRow:
    """The municipality takes its request back, as long as nothing was begun; or stops leaving after the export."""
    row = db.find_request(session, request_id, tenant=tenant, lock=True)
    if row.state == "withdrawn":
        return row
    requests.check_step(row.state, "withdrawn")
    if row.state == "exported":
        saga.reopen(session, row, now)
    elif row.action == "leave":
        terms.end_no_longer(session, row, now)
        saga.changed(session)
    db.add_step(session, row.id, "withdrawn", now)
    db.become(session, row, "withdrawn", now)
    audit.record(session, actor, f"subscription.{row.action}.withdrawn", row.service, now=now)
    return row


def begin_leaving(session: Session, request_id: str, now: datetime) -> None:
    """The day agreed for leaving has come: use stops, everything is written out. Begun or taken back already: nothing."""
    row = db.find_request(session, request_id, tenant=session.info["tenant"], lock=True)
    if row.state == "requested" and row.action == "leave":
        saga.begin(session, row, now)


def confirm_leaving(
    session: Session, actor: Actor, tenant: str, request_id: str, typed: str, now: datetime
) -> RequestRow:
    """The municipality has its data and says so by typing the service's name: now the room is deleted."""
    row = db.find_request(session, request_id, tenant=tenant, lock=True)
    if row.state in ("running", "done") and row.room_action == "delete":
        return row
    requests.check_step(row.state, "running")
    name = catalogue.service(row.service).name
    if typed.strip() != name:
        sentence = say("消すことを確かめるため、サービスの名前「%(name)s」を入力してください。", name=name)
        raise Invalid(sentence, fields={"name": sentence})
    db.add_step(session, row.id, "confirmed", now)
    audit.record(session, actor, "subscription.leave.confirmed", row.service, now=now)
    saga.ask(session, row, "delete", now)
    return row


def set_rule(session: Session, actor: Actor, service: str, auto_approve: bool, now: datetime) -> None:
    """Whether joining `service` is approved at once. The session is the prefecture's."""
    catalogue.service(service)
    db.set_rule(session, service, auto_approve, actor.subject, now)
    audit.record(session, actor, "service.rule.changed", service, detail={"auto_approve": int(auto_approve)}, now=now)


def correct_history(
    session: Session, actor: Actor, tenant: str, service: str, found: list[Interval], reason: str, now: datetime
) -> None:
    """What is believed about past use becomes `found`; what was believed before stays readable as known on its date."""
    if not reason.strip():
        raise Invalid(say("訂正の理由を入力してください。"), fields={"reason": say("訂正の理由を入力してください。")})
    if any((i.tenant_id, i.service, i.recorded_at) != (tenant, service, now) for i in found):
        raise ValueError("a correction speaks of one tenant and service, and is recorded now")
    subscriptions.check_disjoint(found)
    subscriptions_db.supersede(session, tenant, service, now)
    subscriptions_db.add_intervals(session, found, "correction")
    saga.changed(session)
    audit.record(session, actor, "subscription.corrected", service, reason, now=now)


def _dates(row: RequestRow) -> dict[str, str | None]:
    return {"request": row.id, "effective_from": row.effective_from.isoformat() if row.effective_from else None}
