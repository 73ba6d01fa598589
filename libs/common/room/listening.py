"""The worker's part: a request arrives, a job carries it out step by step, the answer goes into the outbox."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from libs.common import audit, idempotency, log, notices, outbox
from libs.common.actor import Actor
from libs.common.errors import Refusal
from libs.common.events import Envelope, Event, parse
from libs.common.inbox import Subscriptions
from libs.common.jobs import Job, Jobs, Later, LeaseLost, add
from libs.common.jobs.table import earlier_unfinished, redrive_if_dead
from libs.common.room import switches, table
from libs.common.room.contract import Facts, Room, RoomRequest, Step, drain, method_of
from libs.common.room.events import RoomEvents, requests, switches_set
from libs.common.service import Service

KIND = "room"
ATTEMPTS = 4
LEASE = 15.0
"""Seconds after which another worker takes over from one that was killed."""
STALL = 300.0
"""Seconds without a step after which a room's method must be hanging, and another worker begins it again."""
PROGRESS_EVERY = 0.3
"""Seconds between two progress events of one request, at least; the first and the last always go out."""

MakeRoom = Callable[[Service], Room]
_MAKING = ("provision", "import")
_AFTER = {
    "provision": table.OPEN,
    "import": table.OPEN,
    "suspend": "suspended",
    "resume": table.OPEN,
    "delete": "deleted",
}
_MEANWHILE = {"provision": "preparing", "import": "preparing", "delete": "deleting"}
_UNEXPECTED = "こちらの不具合で、最後まで進められませんでした。運用担当者が原因を調べます。"

_log = log.get(__name__)


def listen(
    subscriptions: Subscriptions, jobs: Jobs, events: RoomEvents, make_room: MakeRoom, *, source: str = "tenants"
) -> None:
    """Let a service's worker answer the requests of `source` about its rooms."""
    request_type = requests(source).type

    @subscriptions.on(source=source, type=request_type)
    def room_requested(session: Session, envelope: Envelope, now: datetime) -> None:
        request: Any = parse(envelope)
        if request.service == events.service:
            _asked(session, events, envelope["tenantid"], request, now)

    @subscriptions.on(source=source, type=switches_set(source).type)
    def functions_switched(session: Session, envelope: Envelope, now: datetime) -> None:
        if envelope["data"]["service"] == events.service:
            switches.take(session, envelope["tenantid"], envelope["data"]["on"])

    @jobs.on(KIND, attempts=ATTEMPTS, lease=LEASE, stall=STALL)
    def carry_out(service: Service, job: Job) -> None:
        _Carrying(service, job, events, make_room(service)).run()


def _asked(session: Session, events: RoomEvents, tenant: str, request: Any, now: datetime) -> None:
    """A new request becomes a job; one that was answered already is answered again; one that runs goes on."""
    known = session.get(table.RoomRequestRow, request.request_id)
    if known is None:
        session.add(
            table.RoomRequestRow(
                request_id=request.request_id,
                tenant=tenant,
                action=request.action,
                code=request.code,
                name=request.name,
                archive=request.archive,
                state="running",
                asked_at=now,
            )
        )
        add(session, KIND, {"request_id": request.request_id}, key=request.request_id, now=now)
    elif known.tenant == tenant and known.answer is not None:
        action = known.as_request().action
        answer = events.failed if known.state == "failed" else events.answer(action)
        _send(session, answer.model_validate(known.answer), tenant, now)
    elif known.tenant == tenant:
        job_id = add(session, KIND, {"request_id": request.request_id}, key=request.request_id, now=now)
        redrive_if_dead(session, job_id, now)


def _send(session: Session, event: Event, tenant: str, now: datetime) -> None:
    outbox.add(session, event, subject=f"room:{tenant}", now=now)


class _Carrying:
    """One attempt to carry out one request."""

    def __init__(self, service: Service, job: Job, events: RoomEvents, room: Room) -> None:
        self._service, self._job, self._events, self._room = service, job, events, room
        self._last_progress = 0.0

    def run(self) -> None:
        request = self._request()
        if request is None:
            return
        try:
            self._begin(request)
            facts = self._walk(request)
            answer = self._events.answer(request.action).model_validate({"request_id": request.request_id, **facts})
        except (LeaseLost, Later):
            raise
        except Refusal as refusal:
            self._fail(request, refusal.message)
        except Exception as error:
            if self._job.attempt < ATTEMPTS:
                raise
            _log.error("room_request_failed", request_id=request.request_id, exc_info=error)
            self._fail(request, _UNEXPECTED)
        else:
            self._finish(request, "done", answer, _AFTER.get(request.action))

    def _request(self) -> RoomRequest | None:
        with self._service.database.reading() as session:
            row = session.get(table.RoomRequestRow, self._job.payload["request_id"])
            return row.as_request() if row is not None and row.state == "running" else None

    def _begin(self, request: RoomRequest) -> None:
        with self._service.database.transaction(tenant=request.tenant) as session:
            if earlier_unfinished(session, self._job.id, KIND, request.tenant):
                raise Later(1.0)
            table.check_possible(session, request)
            if request.action in _MEANWHILE and not self._stays_open(session, request):
                table.set_state(session, request, _MEANWHILE[request.action], self._service.clock.now())

    def _stays_open(self, session: Session, request: RoomRequest) -> bool:
        """A room in use that is asked to be prepared once more is not closed for it."""
        return request.action in _MAKING and table.state_of(session, request.tenant) in (table.OPEN, "suspended")

    def _walk(self, request: RoomRequest) -> Facts:
        steps = method_of(self._room, request.action)(request)
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value or {}
            self._report(request, step)

    def _report(self, request: RoomRequest, step: Step) -> None:
        self._job.alive()
        if 0 < step.done < step.total and time.monotonic() - self._last_progress < PROGRESS_EVERY:
            return
        self._last_progress = time.monotonic()
        self._job.progress(step.done, step.total, step.label)
        event = self._events.progressed.model_validate(
            {
                "request_id": request.request_id,
                "action": request.action,
                "done": step.done,
                "total": step.total,
                "label": step.label,
            }
        )
        with self._service.database.transaction(tenant=request.tenant) as session:
            _send(session, event, request.tenant, self._service.clock.now())

    def _fail(self, request: RoomRequest, reason: str) -> None:
        state = None
        if request.action in _MAKING and self._is_new(request):
            drain(self._room.delete(request))
            state = "deleted"
        answer = self._events.failed.model_validate(
            {"request_id": request.request_id, "action": request.action, "reason": reason}
        )
        self._finish(request, "failed", answer, state)

    def _is_new(self, request: RoomRequest) -> bool:
        """Only what this preparation made is undone: a room that was in use before stays as it was."""
        with self._service.database.reading() as session:
            return table.state_of(session, request.tenant) == "preparing"

    def _finish(self, request: RoomRequest, outcome: str, answer: Event, state: str | None) -> None:
        """State, answer, record and the job's end: in one transaction."""
        now = self._service.clock.now()
        with self._service.database.transaction(tenant=request.tenant) as session:
            if state is not None and not (request.action in _MAKING and self._was_suspended(session, request)):
                table.set_state(session, request, state, now)
            if state == "deleted":
                idempotency.forget_all(session)
                notices.forget_tenant(session, request.tenant)
            row = session.get_one(table.RoomRequestRow, request.request_id)
            row.state, row.answer, row.answered_at = outcome, answer.model_dump(mode="json"), now
            _send(session, answer, request.tenant, now)
            actor = Actor(kind="service", subject=self._service.name, tenant=request.tenant)
            audit.record(session, actor, f"room.{request.action}.{outcome}", f"room:{request.request_id}", now=now)
            self._job.done(session)

    def _was_suspended(self, session: Session, request: RoomRequest) -> bool:
        return table.state_of(session, request.tenant) == "suspended"
