"""The role `work` of one service: relay, inbox, jobs. Plain threads, each a loop that survives whatever its step raises."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing

from libs.common import ages, inbox, jobs, leases, retention
from libs.common.bus import Bus
from libs.common.db import Changes
from libs.common.ids import new_id
from libs.common.inbox import Subscriptions
from libs.common.jobs import Jobs
from libs.common.relay import BATCH, relay_once
from libs.common.service import Service

_log = logging.getLogger(__name__)

IDLE = 0.1
"""Seconds between two looks when there was nothing, or not much, to do."""
JOBS_IDLE = 0.2
"""The same for jobs: nobody waits for the moment at which one begins."""
LOOK_ANYWAY = 1.0
"""Seconds until a store nobody has written to is looked at all the same: something may have become due."""
RELAY_LEASE = 10.0
"""Seconds a relay may be silent before another takes over."""


class Worker:
    """Runs the loops of `service` until `stop()`. `make_bus` is called again after the bus has failed."""

    def __init__(
        self, service: Service, subscriptions: Subscriptions, job_registry: Jobs, make_bus: Callable[[], Bus]
    ) -> None:
        self.service = service
        self.subscriptions = subscriptions
        self.jobs = job_registry
        retention.register(job_registry)
        self._make_bus = make_bus
        self._bus: Bus | None = None
        self._lease_fresh_until = 0.0
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._went_well: dict[str, bool] = {}
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{new_id()[-6:]}"

    def start(self, inbox_loops: int = 1, job_loops: int = 1) -> None:
        ages.watch(self.service)
        loops = [("relay", self._relay, IDLE)]
        if self.subscriptions.handlers:
            loops += [(f"inbox-{n}", self._inbox, IDLE) for n in range(inbox_loops)]
        loops += [(f"jobs-{n}", self._jobs, JOBS_IDLE) for n in range(job_loops)]
        if self.jobs.has_long:
            loops.append(("jobs-long", self._long_jobs, JOBS_IDLE))
        # Jobs may take hours: that one runs, or is waited for, says nothing of whether this process does its work.
        self._went_well = {name: False for name, *_ in loops if not name.startswith("jobs")}
        for name, step, idle in loops:
            thread = threading.Thread(target=self._run, args=(name, step, idle), name=f"{self.service.name}-{name}")
            thread.start()
            self._threads.append(thread)

    @property
    def ready(self) -> bool:
        """Whether its last look at what is to be sent and at what has arrived went well: broker and store answer."""
        return bool(self._went_well) and all(self._went_well.values())

    def stop(self, timeout: float = 20) -> None:
        """Let each loop finish its step, then end."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout)
        self._close_bus()

    def _run(self, name: str, step: Callable[[], bool], idle: float) -> None:
        pause = idle
        with closing(self.service.database.changes()) as changes:
            while not self._stopping.is_set():
                mark = changes.mark()  # before the look: what is written during it is noticed, too
                pause = self._step(name, step, idle, pause)
                if pause:
                    self._rest(pause, changes, mark)

    def _step(self, name: str, step: Callable[[], bool], idle: float, pause: float) -> float:
        """Seconds to pause after it."""
        try:
            more = step()
            self._note(name, well=True)
            return 0.0 if more else idle
        except Exception:
            self._note(name, well=False)
            # Broker or store away: say so, wait a little longer each time, and go on. Nothing is lost meanwhile.
            pause = min(max(pause, idle) * 2, 5.0)
            _log.exception("step failed", extra={"service": self.service.name, "loop": name, "retry_in": pause})
            if name == "relay":
                self._close_bus()
            return pause

    def _note(self, name: str, *, well: bool) -> None:
        if name in self._went_well:
            self._went_well[name] = well

    def _rest(self, pause: float, changes: Changes, mark: int | None) -> None:
        until = time.monotonic() + LOOK_ANYWAY
        while not self._stopping.wait(pause) and not changes.since(mark) and time.monotonic() < until:
            pass

    def _relay(self) -> bool:
        if not self._holds_relay():
            return False
        if self._bus is None:
            self._bus = self._make_bus()
        return relay_once(self.service.database, self._bus, self.service.clock) == BATCH

    def _holds_relay(self) -> bool:
        """Take or keep the lease; written only when a third of it has passed, not at every look into the outbox."""
        if time.monotonic() < self._lease_fresh_until:
            return True
        asked_at = time.monotonic()
        with self.service.database.transaction() as session:
            held = leases.take_lease(session, "relay", self.holder, RELAY_LEASE, self.service.clock.now())
        self._lease_fresh_until = asked_at + RELAY_LEASE / 3 if held else 0.0
        return held

    def _inbox(self) -> bool:
        # After a few events a pause lets more come: what a transaction costs is then shared by them.
        return inbox.handle_ready(self.service.database, self.subscriptions, self.service.clock) >= inbox.GROUP

    def _jobs(self) -> bool:
        return jobs.run_next(self.service, self.jobs, self.holder, long=False)

    def _long_jobs(self) -> bool:
        return jobs.run_next(self.service, self.jobs, self.holder, long=True)

    def _close_bus(self) -> None:
        bus, self._bus = self._bus, None
        if bus is not None:
            try:
                bus.close()
            except Exception:
                _log.debug("closing a broken bus", exc_info=True)
