"""How long the oldest thing of each queue of a service has waited, and how many wait or are dead: for the operator's page and
for `/metrics`."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from libs.common import inbox, jobs, outbox
from libs.common.telemetry import metrics

if TYPE_CHECKING:
    from libs.common.service import Service

QUEUES = {
    "outbox": outbox.oldest_unpublished,
    "inbox": inbox.oldest_pending,
    "jobs": jobs.oldest_waiting,
}

COUNTS: dict[str, Callable[[Session], dict[str, int]]] = {
    "inbox": inbox.unhandled,
    "jobs": jobs.unfinished,
}
STATES = ("pending", "running", "dead")


def age(session: Session, queue: str, now: datetime) -> float | None:
    """Seconds; None when nothing waits. A job or event that is not due yet has age 0."""
    since = QUEUES[queue](session)
    return None if since is None else max((now - since).total_seconds(), 0.0)


def watch(service: "Service") -> None:
    """Let `/metrics` of this process tell the ages, looked up when it is asked."""
    for queue in QUEUES:
        metrics.watch_age(service.name, queue, lambda queue=queue: _now(service, queue))
    for queue, counts in COUNTS.items():
        for state in STATES:
            rows = lambda counts=counts, state=state: _rows(service, counts, state)  # noqa: E731
            metrics.watch_rows(service.name, queue, state, rows)


def _now(service: "Service", queue: str) -> float:
    with service.database.reading() as session:
        return age(session, queue, service.clock.now()) or 0.0


def _rows(service: "Service", counts: Callable[[Session], dict[str, int]], state: str) -> float:
    with service.database.reading() as session:
        return counts(session).get(state, 0)
