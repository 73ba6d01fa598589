"""From an event to the receiver: one delivery for each webhook that asked for it, tried until it is taken."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from libs.common import fetch, notices, retention
from libs.common import jobs as job_table
from libs.common.errors import NotFound, say
from libs.common.events import Envelope, source_of
from libs.common.ids import new_id
from libs.common.inbox import Subscriptions
from libs.common.jobs import Job, Jobs, Later
from libs.common.room.table import OPEN, state_of
from libs.common.webhooks import manage, signing
from libs.common.webhooks.posting import Outcome, post
from libs.common.webhooks.table import (
    ACTIVE,
    FAILED,
    FAILED_OFF,
    PAUSED,
    SENT,
    WAITING,
    AttemptRow,
    DeliveryRow,
    WebhookRow,
    get,
)

if TYPE_CHECKING:
    from libs.common.service import Service

KIND = "webhooks.deliver"
SCHEDULE = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
"""How long to wait after each failure (Standard Webhooks' example). After the last, three days on, it is given up."""
SWITCHED_OFF_AFTER = timedelta(days=5)
"""How long an address may fail without one success before nothing is sent there any more."""
STOPPED = notices.template(Path(__file__).with_name("stopped.txt"))


def listen(subscriptions: Subscriptions, jobs: Jobs, types: Collection[str]) -> None:
    """Tell the webhooks of each municipality of these events, and forget old deliveries. The events are the service's own:
    they come back to it over the bus, so that what was not committed is never told."""
    for type_ in types:
        subscriptions.on(source=source_of(type_), type=type_)(enqueue)
    jobs.on(KIND, lease=60.0)(deliver)

    @jobs.every(seconds=3600, name="webhooks.forget-old")
    def forget(service: "Service", job: Job) -> None:
        for tenant in retention.with_rooms(service):
            with service.database.transaction(tenant=tenant) as session:
                manage.forget_old(session, service.clock.now())
            job.renew()


def enqueue(session: Session, envelope: Envelope, now: datetime) -> None:
    """A delivery for each webhook of the session's municipality that asked for this event."""
    if state_of(session, session.info["tenant"]) != OPEN:
        return
    for webhook in session.scalars(select(WebhookRow).where(WebhookRow.state == ACTIVE).order_by(WebhookRow.id)):
        if envelope["type"] in webhook.types:
            add(session, webhook, envelope["type"], body_of(envelope), envelope["id"], now)


def body_of(envelope: Envelope) -> dict[str, Any]:
    """`type`, `timestamp`, `data` as Standard Webhooks has them, and which event about what this is."""
    named = {"event": envelope["id"], "subject": envelope["subject"], "sequence": envelope["sequence"]}
    return {"type": envelope["type"], "timestamp": envelope["time"], **named, "data": envelope["data"]}


def add(
    session: Session, webhook: WebhookRow, type_: str, body: dict[str, Any], event_id: str, now: datetime
) -> DeliveryRow:
    row = DeliveryRow(id=new_id(), webhook_id=webhook.id, event_id=event_id, type=type_, body=body, made_at=now)
    session.add(row)
    start(session, row, now)
    return row


def start(session: Session, row: DeliveryRow, now: datetime) -> None:
    """A new round of attempts, beginning now."""
    row.state, row.round_attempts, row.next_at, row.ended_at = WAITING, 0, now, None
    session.flush()
    job_table.add(session, KIND, {"delivery": row.id}, key=f"{row.id}:{now.isoformat()}", now=now)


# ---- one attempt


@dataclass(frozen=True, slots=True)
class _Sending:
    delivery_id: str
    url: str
    body: bytes
    secrets: tuple[str, ...]


def deliver(service: "Service", job: Job) -> None:
    """No transaction is open while the receiver is asked. A process that dies before it could note the answer sends again:
    the receiver knows it by its `webhook-id`."""
    with service.database.reading(tenant=job.tenant) as session:
        sending = _to_send(session, job.payload["delivery"], service.clock.now())
    if sending is None:
        return
    at = service.clock.now()
    headers = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "kyodo-cloud-webhooks/1",
        **signing.headers(sending.delivery_id, at, sending.body, sending.secrets),
    }
    outcome = post(sending.url, sending.body, headers, allowed=fetch.allow_list(service.settings.fetch_allowed))
    with service.database.transaction(tenant=job.tenant) as session:
        wait = note(session, sending.delivery_id, outcome, at)
    if wait is not None:
        raise Later(wait.total_seconds())


def _to_send(session: Session, delivery_id: str, now: datetime) -> _Sending | None:
    """What to send; None where there is nothing (more) to do: it was taken, removed, or its webhook sends nothing now."""
    row = get(session, DeliveryRow, delivery_id)
    if row is None or row.state != WAITING:
        return None
    webhook = manage.find(session, row.webhook_id)
    if webhook.state != ACTIVE:
        return None
    body = json.dumps(row.body, ensure_ascii=False, separators=(",", ":")).encode()
    return _Sending(row.id, webhook.url, body, manage.secrets_of(webhook, now))


def note(session: Session, delivery_id: str, outcome: Outcome, at: datetime) -> timedelta | None:
    """Write down an attempt and what follows from it. How long to wait for the next; None when there is none."""
    row = get(session, DeliveryRow, delivery_id, lock=True)
    if row is None:
        return None
    webhook = manage.find(session, row.webhook_id, lock=True)
    _keep(session, row, outcome, at)
    if outcome.taken:
        row.state, row.next_at, row.ended_at, webhook.failing_since = SENT, None, at, None
        return None
    since = webhook.failing_since = webhook.failing_since or at
    wait = _next_wait(row, outcome)
    if outcome.gone or at - since >= SWITCHED_OFF_AFTER:
        _switch_off(session, webhook, at)
        wait = None
    row.state, row.next_at, row.ended_at = (WAITING, at + wait, None) if wait else (FAILED, None, at)
    return wait


def _keep(session: Session, row: DeliveryRow, outcome: Outcome, at: datetime) -> None:
    numbers = select(func.max(AttemptRow.number)).where(AttemptRow.delivery_id == row.id)
    attempt = AttemptRow(
        delivery_id=row.id, number=(session.scalar(numbers) or 0) + 1, at=at, milliseconds=outcome.milliseconds,
        status=outcome.status, answer=outcome.answer, problem=outcome.problem,
    )  # fmt: skip
    session.add(attempt)
    row.round_attempts += 1


def _next_wait(row: DeliveryRow, outcome: Outcome) -> timedelta | None:
    """By the schedule, or later where the receiver says so (Retry-After, up to a day)."""
    if row.round_attempts > len(SCHEDULE):
        return None
    asked = timedelta(seconds=min(outcome.retry_after, 86400))
    return max(SCHEDULE[row.round_attempts - 1], asked)


def _switch_off(session: Session, webhook: WebhookRow, at: datetime) -> None:
    """Nothing is sent there any more until a person says so; who made it is told."""
    webhook.state = FAILED_OFF
    manage.give_up_waiting(session, webhook, at)
    context = {"purpose": webhook.purpose, "host": manage.host_of(webhook.url)}
    notices.send(session, to_person=webhook.made_by, template=STOPPED, context=context, now=at)


# ---- what a person may ask for


def test_message(session: Session, webhook: WebhookRow, now: datetime) -> DeliveryRow:
    """A message that says nothing, to see whether it arrives."""
    event_id = new_id()
    named = {"event": event_id, "subject": webhook.id, "sequence": 0}
    body = {"type": "webhooks.test", "timestamp": now.isoformat(), **named, "data": {}}
    return add(session, webhook, "webhooks.test", body, event_id, now)


def resend(session: Session, webhook: WebhookRow, delivery_id: str, now: datetime) -> DeliveryRow:
    """Send once more what was sent, was given up, or waits for its next attempt."""
    row = get(session, DeliveryRow, delivery_id, lock=True)
    if row is None or row.webhook_id != webhook.id:
        raise NotFound(say("この送信は見つかりません。"))
    start(session, row, now)
    return row


def resend_failed(session: Session, webhook: WebhookRow, now: datetime) -> int:
    """Send once more all that was given up, oldest first; how many."""
    failed = select(DeliveryRow).where(DeliveryRow.webhook_id == webhook.id, DeliveryRow.state == FAILED)
    rows = list(session.scalars(failed.order_by(DeliveryRow.id)))
    for row in rows:
        start(session, row, now)
    return len(rows)


def resume(session: Session, webhook: WebhookRow, now: datetime) -> None:
    """Send again. What waited while it was paused goes out now."""
    webhook.state, webhook.failing_since = ACTIVE, None
    waiting = select(DeliveryRow).where(DeliveryRow.webhook_id == webhook.id, DeliveryRow.state == WAITING)
    for row in session.scalars(waiting.order_by(DeliveryRow.id)):
        start(session, row, now)


def pause(session: Session, webhook: WebhookRow) -> None:
    """Send nothing for now. What was about to go waits; what happens meanwhile is not told."""
    webhook.state = PAUSED
