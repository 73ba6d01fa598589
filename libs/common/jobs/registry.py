"""Which function does which kind of job, and how one is run."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy.orm import Session

from libs.common import log, telemetry
from libs.common.db import Database
from libs.common.jobs import table

if TYPE_CHECKING:
    from libs.common.service import Service

TIMER = "timer:"
PROGRESS_EVERY = 0.2
"""Seconds between two writes of progress, at least."""

_log = log.get(__name__)


class LeaseLost(RuntimeError):
    """Another process has taken this job over: stop, and change nothing more."""


class GiveUp(Exception):
    """Trying again would not help: the job is dead at once. The message is for operators."""


class Later(Exception):
    """Not now: the job waits `seconds` and this attempt does not count."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


Handler = Callable[["Service", "Job"], None]


@dataclass(frozen=True, slots=True)
class _Kind:
    handler: Handler
    attempts: int
    lease: timedelta
    every: timedelta | None = None
    stall: float | None = None
    long: bool = False


class Job:
    """What a handler gets: `id`, `tenant`, `payload`, `attempt` (1 is the first), and its means to report."""

    def __init__(self, service: "Service", claimed: table.Claimed, lease: timedelta) -> None:
        self.id, self.kind, self.tenant = claimed.id, claimed.kind, claimed.tenant
        self.payload, self.attempt = claimed.payload, claimed.attempt
        self.lost = threading.Event()
        self.heard_at = time.monotonic()
        self._service, self._holder, self._lease = service, claimed.holder, lease
        self._last_progress = 0.0

    def progress(self, done: int, total: int, label: str = "") -> None:
        """Say how far it is, in a transaction of its own; also renews the lease. Raises LeaseLost when taken over."""
        self.alive()
        if done < total and time.monotonic() - self._last_progress < PROGRESS_EVERY:
            return
        self._last_progress = time.monotonic()
        self._change(progress_done=done, progress_total=total, progress_label=label[:200] or None)

    def alive(self) -> None:
        """Say that it goes on, where the kind has a `stall`. Raises LeaseLost when taken over."""
        if self.lost.is_set():
            raise LeaseLost(self.id)
        self.heard_at = time.monotonic()

    def renew(self) -> None:
        """Keep the job for another lease."""
        self._change()

    def done(self, session: Session) -> None:
        """End the job in the handler's own transaction: its effects and its end are kept together or not at all."""
        if not table.change_held(session, self.id, self._holder, table.finished(self._service.clock.now())):
            raise LeaseLost(self.id)

    def _change(self, **values: Any) -> None:
        until = self._service.clock.now() + self._lease
        with self._service.database.transaction() as session:
            held = table.change_held(session, self.id, self._holder, {"lease_until": until, **values})
        if not held:
            self.lost.set()
            raise LeaseLost(self.id)


class Jobs:
    """The kinds of jobs one service knows: filled by the decorators in its `worker.py`."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}
        self._prepared: WeakSet[Database] = WeakSet()
        self._preparing = threading.Lock()

    def on(
        self, kind: str, *, attempts: int = 8, lease: float = 60.0, stall: float | None = None, long: bool = False
    ) -> Callable[[Handler], Handler]:
        """The decorated function does jobs of `kind`. Dead after `attempts`; taken over `lease` seconds after a death,
        or after it has said nothing (`job.progress`, `job.alive`) for `stall` seconds: then it hangs. `long`: it may take
        hours, and no other job and no timer of the worker waits for it."""

        def register(handler: Handler) -> Handler:
            self._register(kind, _Kind(handler, attempts, timedelta(seconds=lease), stall=stall, long=long))
            return handler

        return register

    def every(
        self, *, seconds: float, name: str, lease: float = 60.0, long: bool = False
    ) -> Callable[[Handler], Handler]:
        """The decorated function runs every `seconds`, in one process at a time. A failure is logged and waits for
        the next. `long` as in `on`."""

        def register(handler: Handler) -> Handler:
            every = timedelta(seconds=seconds)
            self._register(TIMER + name, _Kind(handler, 0, timedelta(seconds=lease), every, long=long))
            return handler

        return register

    def _register(self, name: str, kind: _Kind) -> None:
        if name in self._kinds:
            raise ValueError(f"two handlers for {name}")
        self._kinds[name] = kind

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self._kinds)

    @property
    def has_long(self) -> bool:
        return any(kind.long for kind in self._kinds.values())

    def prepare(self, service: "Service") -> None:
        """Make the rows of the timers, and the timer that forgets old jobs. Once for each worker; the loop does it."""
        if TIMER + "jobs.forget-done" not in self._kinds:
            self.every(seconds=3600, name="jobs.forget-done")(_forget_done)
        with service.database.transaction() as session:
            for name, kind in self._kinds.items():
                if kind.every is not None:
                    table.ensure_timer(session, name, service.clock.now())
        self._prepared.add(service.database)

    def run_next(self, service: "Service", *, long: bool | None = None) -> bool:
        """Run the next job that may run now. True if there was one, whether it went well or not. `long`: only those, or only the
        others."""
        with self._preparing:  # a worker has a loop for long ones beside the other
            if service.database not in self._prepared:
                self.prepare(service)
        claimed = self._claim(service, long)
        if claimed is None:
            return False
        kind = self._kinds[claimed.kind]
        job = Job(service, claimed, kind.lease)
        if kind.every is None and claimed.attempt > kind.attempts:
            self._end(service, claimed, table.died(service.clock.now(), "the process ended in every attempt"), "dead")
            return True
        facts = {"job_kind": job.kind, "job_id": job.id, "tenant": job.tenant}
        with log.bound(**facts), _renewed(job, kind):
            try:
                with telemetry.consumer_span(f"job {job.kind}", claimed.traceparent, **facts):
                    kind.handler(service, job)
            except LeaseLost:
                _log.warning("job_taken_over")
            except Later as later:
                at = service.clock.now() + timedelta(seconds=later.seconds)
                self._end(service, claimed, {**table.waiting(at, None), "attempts": claimed.attempt - 1}, "later")
            except Exception as error:
                self._failed(service, claimed, kind, error)
            else:
                self._end(service, claimed, _after_success(kind, service), "done")
        return True

    def _claim(self, service: "Service", long: bool | None) -> table.Claimed | None:
        leases = {name: kind.lease for name, kind in self._kinds.items() if long is None or kind.long == long}
        # An idle loop must not take the write lock each time it looks.
        if not table.any_due(service.database, leases, service.clock.now()):
            return None
        with service.database.transaction() as session:
            return table.claim(session, leases, service.clock.now())

    def _failed(self, service: "Service", claimed: table.Claimed, kind: _Kind, error: Exception) -> None:
        now = service.clock.now()
        said = log.told(error)[:2000]
        if kind.every is not None:
            values, result = table.waiting(now + kind.every, said), "failed"
        elif isinstance(error, GiveUp) or claimed.attempt >= kind.attempts:
            values, result = table.died(now, said), "dead"
        else:
            values, result = table.waiting(now + table.delay(claimed.attempt), said), "failed"
        _log.warning("job_failed", result=result, attempt=claimed.attempt, exc_info=error)
        self._end(service, claimed, values, result)

    def _end(self, service: "Service", claimed: table.Claimed, values: dict[str, Any], result: str) -> None:
        with service.database.transaction() as session:
            table.change_held(session, claimed.id, claimed.holder, values)
        telemetry.metrics.JOBS.labels(service.name, claimed.kind, result).inc()


def _after_success(kind: _Kind, service: "Service") -> dict[str, Any]:
    now = service.clock.now()
    return table.finished(now) if kind.every is None else {**table.waiting(now + kind.every, None), "attempts": 0}


def _forget_done(service: "Service", job: Job) -> None:
    with service.database.transaction() as session:
        table.forget_done(session, service.clock.now())


@contextmanager
def _renewed(job: Job, kind: _Kind) -> Iterator[None]:
    """Renew the lease from a second thread while the handler works, so that a long step needs no thought of it."""
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(kind.lease.total_seconds() / 3):
            if kind.stall is not None and time.monotonic() - job.heard_at > kind.stall:
                _log.warning("job_stalled", job_id=job.id)
                return
            try:
                job.renew()
            except LeaseLost:
                return
            except Exception:
                _log.warning("lease_not_renewed", job_id=job.id)  # the store is away: tried again before the lease ends

    thread = threading.Thread(target=renew, name=f"lease-{job.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()


def run_next(service: "Service", jobs: Jobs, holder: str | None = None, *, long: bool | None = None) -> bool:
    """The step of a worker's loop. `holder` is for the log only: each run has a holder's name of its own. `long` as in `Jobs.run_next`."""
    with log.bound(worker=holder):
        return jobs.run_next(service, long=long)
