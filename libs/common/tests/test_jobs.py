"""Long work: it is done once, tried again, given up in the end, taken over from the dead, and says how far it is."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from libs.common import jobs, leases
from libs.common.bus.embedded import EmbeddedBus
from libs.common.clock import FixedClock, SystemClock
from libs.common.db import Database
from libs.common.errors import NotFound
from libs.common.inbox import Subscriptions
from libs.common.jobs import GiveUp, Job, JobRow, Jobs
from libs.common.service import Service
from libs.common.testing.service import NOW, make_service
from libs.common.worker import Worker

A, B = "402036", "401307"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def service(database: Database, tmp_path: Path, clock: FixedClock) -> Service:
    return make_service("shop", database, tmp_path, clock=clock)


def add(service: Service, kind: str, tenant: str | None = A, **options: object) -> str:
    with service.database.transaction(tenant=tenant) as session:
        return jobs.add(session, kind, {"n": 1}, now=service.clock.now(), **options)  # type: ignore[arg-type]


def row(service: Service, job_id: str) -> JobRow:
    with service.database.reading() as session:
        found = session.get(JobRow, job_id)
        assert found is not None
        return found


def test_a_job_runs_once_with_its_tenant_and_payload(service: Service) -> None:
    registry, seen = Jobs(), []

    @registry.on("shop.count")
    def count(_service: Service, job: Job) -> None:
        seen.append((job.tenant, job.payload, job.attempt))

    job_id = add(service, "shop.count")
    while registry.run_next(service):
        pass
    assert seen == [(A, {"n": 1}, 1)]
    assert row(service, job_id).status == "done"


def test_a_job_of_a_rolled_back_transaction_was_never_there(service: Service) -> None:
    with pytest.raises(ZeroDivisionError), service.database.transaction(tenant=A) as session:
        jobs.add(session, "shop.count", {}, now=NOW)
        raise ZeroDivisionError
    with service.database.reading() as session:
        assert session.scalars(select(JobRow)).all() == []


def test_the_same_key_is_the_same_job_but_not_for_another_tenant(service: Service) -> None:
    first = add(service, "shop.export", key="request-1")
    assert add(service, "shop.export", key="request-1") == first
    assert add(service, "shop.export", tenant=B, key="request-1") != first


def test_a_job_waits_for_its_moment(service: Service, clock: FixedClock) -> None:
    registry, seen = Jobs(), []
    registry.on("shop.later")(lambda _service, job: seen.append(job.id))
    add(service, "shop.later", at=NOW + timedelta(hours=1))
    registry.run_next(service)
    registry.run_next(service)
    assert seen == []
    clock.advance(hours=1)
    registry.run_next(service)
    assert len(seen) == 1


def test_a_failing_job_is_tried_again_later_and_given_up_in_the_end(service: Service, clock: FixedClock) -> None:
    registry, attempts = Jobs(), []

    @registry.on("shop.broken", attempts=3)
    def broken(_service: Service, job: Job) -> None:
        attempts.append((job.attempt, (clock.now() - NOW).total_seconds()))
        raise ValueError("tanaka@example.jp could not be read")

    job_id = add(service, "shop.broken")
    for _ in range(200):
        if not registry.run_next(service):
            clock.advance(seconds=1)
    assert attempts == [(1, 0.0), (2, 5.0), (3, 35.0)]
    given_up = row(service, job_id)
    assert given_up.status == "dead"
    assert given_up.error == "ValueError: [hidden] could not be read"
    with service.database.transaction() as session:
        assert [one.id for one in jobs.dead(session)] == [job_id]
        jobs.redrive(session, job_id, clock.now())
    registry.run_next(service)
    assert attempts[-1][0] == 1


def test_giving_up_at_once(service: Service) -> None:
    registry = Jobs()

    @registry.on("shop.hopeless")
    def hopeless(_service: Service, _job: Job) -> None:
        raise GiveUp("the file is not there")

    job_id = add(service, "shop.hopeless")
    while registry.run_next(service):
        pass
    assert row(service, job_id).status == "dead"


def test_progress_is_seen_while_the_job_runs_and_only_by_its_tenant(service: Service) -> None:
    registry, seen = Jobs(), []

    @registry.on("shop.long")
    def long(_service: Service, job: Job) -> None:
        job.progress(3, 10, "書き出しています")
        with service.database.reading(tenant=A) as session:
            state = jobs.find(session, job.id)
        seen.append((state.status, state.done, state.total, state.label))
        with service.database.reading(tenant=B) as session, pytest.raises(NotFound):
            jobs.find(session, job.id)

    add(service, "shop.long")
    while registry.run_next(service):
        pass
    assert seen == [("running", 3, 10, "書き出しています")]


def test_a_job_left_behind_is_taken_over_and_its_first_holder_can_no_longer_change_it(
    service: Service, clock: FixedClock
) -> None:
    first, second, log = Jobs(), Jobs(), []

    @first.on("shop.stuck", lease=60)
    def stuck(_service: Service, job: Job) -> None:
        clock.advance(seconds=61)  # the process sleeps through its lease
        assert second.run_next(service)
        log.append("first goes on")
        with service.database.transaction(tenant=A) as session:
            job.done(session)
        log.append("never reached")

    second.on("shop.stuck")(lambda _service, job: log.append(f"second, attempt {job.attempt}"))
    second.prepare(service)
    while second.run_next(service):
        pass
    job_id = add(service, "shop.stuck")
    first.prepare(service)
    first.run_next(service)
    assert log == ["second, attempt 2", "first goes on"]
    assert row(service, job_id).status == "done"


def test_a_job_that_ends_its_process_every_time_is_given_up(service: Service, clock: FixedClock) -> None:
    registry = Jobs()

    @registry.on("shop.deadly", attempts=2, lease=60)
    def deadly(_service: Service, _job: Job) -> None:
        raise KeyboardInterrupt  # stands for the end of the process: nothing is written after it

    job_id = add(service, "shop.deadly")
    ends = 0
    for _ in range(10):
        try:
            registry.run_next(service)
        except KeyboardInterrupt:
            ends += 1
        clock.advance(seconds=61)
    assert ends == 2
    assert row(service, job_id).status == "dead"


def test_effects_and_end_are_kept_together(service: Service) -> None:
    registry = Jobs()

    @registry.on("shop.once")
    def once(_service: Service, job: Job) -> None:
        with service.database.transaction(tenant=A) as session:
            jobs.add(session, "shop.effect", {}, now=NOW)
            job.done(session)

    job_id = add(service, "shop.once")
    while registry.run_next(service):
        pass
    assert row(service, job_id).status == "done"
    with service.database.reading() as session:
        assert len(session.scalars(select(JobRow).where(JobRow.job_kind == "shop.effect")).all()) == 1


def test_many_workers_share_the_jobs_and_none_runs_twice(service: Service) -> None:
    registry, seen, lock = Jobs(), [], threading.Lock()

    @registry.on("shop.small")
    def small(_service: Service, job: Job) -> None:
        with lock:
            seen.append(job.id)

    ids = {add(service, "shop.small") for _ in range(30)}
    registry.prepare(service)

    def work() -> None:
        while registry.run_next(service):
            pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(ids)


def test_a_timer_runs_at_its_pace_in_one_process_and_survives_its_failures(service: Service, clock: FixedClock) -> None:
    runs: list[tuple[str, float]] = []

    def replica(name: str) -> Jobs:
        registry = Jobs()

        @registry.every(seconds=60, name="sweep")
        def sweep(_service: Service, _job: Job) -> None:
            runs.append((name, (clock.now() - NOW).total_seconds()))
            if len(runs) == 2:
                raise RuntimeError("once")

        return registry

    replicas = [replica("one"), replica("two")]
    for _ in range(181):
        for registry in replicas:
            while registry.run_next(service):
                pass
        clock.advance(seconds=1)
    assert [at for _, at in runs] == [0.0, 60.0, 120.0, 180.0]
    with service.database.reading() as session:
        assert len(session.scalars(select(JobRow).where(JobRow.job_kind == "timer:sweep")).all()) == 1


def test_finished_jobs_are_forgotten_after_a_week_and_dead_ones_are_not(service: Service, clock: FixedClock) -> None:
    registry = Jobs()
    registry.on("shop.good")(lambda _service, _job: None)

    @registry.on("shop.bad")
    def bad(_service: Service, _job: Job) -> None:
        raise GiveUp("no")

    add(service, "shop.good")
    add(service, "shop.bad")
    while registry.run_next(service):
        pass
    clock.advance(days=8)
    while registry.run_next(service):
        pass
    with service.database.reading() as session:
        left = set(session.scalars(select(JobRow.job_kind)))
    assert left == {"shop.bad", "timer:jobs.forget-done"}


WORKER = """
import sys, time
from pathlib import Path
from datetime import UTC, datetime
from libs.common.db import Database
from libs.common.clock import SystemClock
from libs.common.jobs import Jobs
from libs.common.testing.service import make_service
registry = Jobs()
@registry.on("shop.slow", lease=2)
def slow(service, job):
    print("begun", flush=True)
    time.sleep(600)
service = make_service("shop", Database(sys.argv[1], "shop"), Path("."), clock=SystemClock())
while registry.run_next(service): pass
"""


@pytest.mark.fault
def test_a_job_of_a_killed_process_is_taken_over_after_its_lease(database: Database, tmp_path: Path) -> None:
    service = make_service("shop", database, tmp_path, clock=SystemClock())  # type: ignore[arg-type]
    job_id = add(service, "shop.slow")
    url = database.engine.url.render_as_string(hide_password=False)
    killed = subprocess.Popen([sys.executable, "-c", WORKER, url], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "begun\n"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    registry, seen = Jobs(), []
    registry.on("shop.slow")(lambda _service, job: seen.append(job.attempt))
    while not seen:
        registry.run_next(service)
        time.sleep(0.05)
    assert seen == [2]
    assert row(service, job_id).status == "done"


@pytest.mark.fault
def test_a_job_that_hangs_is_begun_again_by_another_worker(database: Database, tmp_path: Path) -> None:
    service = make_service("shop", database, tmp_path, clock=SystemClock())  # type: ignore[arg-type]
    registry, attempts, unhang = Jobs(), [], threading.Event()
    outcome: list[object] = []

    @registry.on("shop.hung", lease=0.6, stall=0.3)
    def hung(_service: Service, job: Job) -> None:
        attempts.append(job.attempt)
        if job.attempt == 1:
            unhang.wait(60)
            try:
                job.renew()
            except jobs.LeaseLost as lost:
                outcome.append(lost)
                raise

    job_id = add(service, "shop.hung")
    registry.prepare(service)
    hanging = threading.Thread(target=lambda: [registry.run_next(service) for _ in range(2)])
    hanging.start()
    while not attempts:
        time.sleep(0.01)  # the first attempt is the thread's
    while 2 not in attempts:
        registry.run_next(service)
        time.sleep(0.05)
    unhang.set()
    hanging.join()
    assert attempts == [1, 2]
    assert len(outcome) == 1, "the one that hung may change nothing more"
    assert row(service, job_id).status == "done"


def test_a_lease_has_one_holder_until_it_ends(database: Database) -> None:
    def take(holder: str, at: float) -> bool:
        with database.transaction() as session:
            return leases.take_lease(session, "relay", holder, 10, NOW + timedelta(seconds=at))

    assert take("one", 0)
    assert not take("two", 9)
    assert take("one", 9), "the holder renews it"
    assert not take("two", 18)
    assert take("two", 19)
    assert not take("one", 20)
    with database.transaction() as session:
        leases.give_back(session, "relay", "one")
    assert not take("one", 21), "only the holder gives it back"
    with database.transaction() as session:
        leases.give_back(session, "relay", "two")
    assert take("one", 22)


def test_a_lease_of_a_clock_that_ran_ahead_binds_nobody(database: Database) -> None:
    def take(holder: str, at: float) -> bool:
        with database.transaction() as session:
            return leases.take_lease(session, "relay", holder, 10, NOW + timedelta(seconds=at))

    assert take("whose clock was ten minutes ahead", 600)
    assert take("started after the clock was set", 1), "ten minutes of silence otherwise"
    assert not take("another", 2)


def test_a_job_of_hours_keeps_no_timer_of_its_worker_waiting(database: Database, tmp_path: Path) -> None:
    service = make_service("shop", database, tmp_path, clock=SystemClock())  # type: ignore[arg-type]
    registry, begun, looked, ended = Jobs(), threading.Event(), threading.Event(), threading.Event()
    seen: list[bool] = []

    @registry.on("shop.hours", long=True)
    def hours(_service: Service, job: Job) -> None:
        begun.set()
        seen.append(looked.wait(20))
        ended.set()

    @registry.every(seconds=0.1, name="shop.look")
    def look(_service: Service, job: Job) -> None:
        if begun.wait(60):
            looked.set()

    job_id = add(service, "shop.hours")
    worker = Worker(service, Subscriptions("shop"), registry, lambda: EmbeddedBus([]))
    worker.start()
    try:
        assert ended.wait(60)
    finally:
        worker.stop()
    assert seen == [True], "the timer ran beside it"
    assert row(service, job_id).status == "done"
