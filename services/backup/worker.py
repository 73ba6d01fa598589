"""What the backup service does by itself: copy, check, repair, watch, purge, drill. Municipality by municipality."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from libs.common import audit, log, notices, room
from libs.common.errors import Unavailable
from libs.common.events import Envelope
from libs.common.inbox import Subscriptions
from libs.common.jobs import Job, Jobs, Later
from libs.common.room.table import OPEN
from libs.common.service import Service
from services.backup.events import room_events
from services.backup.rooms import BackupRoom
from services.backup.settings import held, settings_of
from services.backup.sites import SiteDown
from services.backup.use_cases import disposal, drill, own, sites, watch

subscriptions = Subscriptions("backup")
jobs = Jobs()
audit.register(jobs)
notices.register(jobs, address_of=notices.gateway.address_of)
room.listen(subscriptions, jobs, room_events, BackupRoom)
_log = log.get(__name__)

COPY_EVERY, CHECK_EVERY = 2.0, 10.0
SOON, AGAIN = 60.0, 3600.0
"""Seconds until our own backup is tried again: where nothing was gathered yet, and where it was, which is work for every service."""
ABANDONED = 3600.0
"""Seconds after which an unlocked temporary file is nobody's any more."""


@subscriptions.on(source="tenants", type="tenants.municipality.changed.v1")
def municipality_changed(session: Session, envelope: Envelope, now: datetime) -> None:
    """The head of our pages shows the municipality's present name and logo."""
    room.take_name(session, envelope["tenantid"], envelope["data"], now)


def tenants(service: Service) -> list[str]:
    """Whose data is kept: a suspended municipality's too."""
    with service.database.reading() as session:
        return room.rooms(session, OPEN, "suspended")


def in_turn(service: Service, job: Job, step: Callable[[Service, str], int]) -> None:
    """Take a step for each municipality, again and again, until nobody has anything left or the turn is long enough."""
    waiting = tenants(service)
    end = service.clock.now() + timedelta(seconds=20)
    while waiting and service.clock.now() < end:
        waiting = [tenant for tenant in waiting if step(service, tenant)]
        job.renew()


@jobs.every(seconds=COPY_EVERY, name="backup.copy", lease=120)
def copy(service: Service, job: Job) -> None:
    """Bring to the second site what it lacks, a page of each municipality at a time, so that nobody waits for another."""
    in_turn(service, job, sites.copy_some)


@jobs.every(seconds=CHECK_EVERY, name="backup.check", lease=300)
def check(service: Service, job: Job) -> None:
    """Read stored bytes again, at the rate that is set, and mend what is broken."""
    waiting, end = tenants(service), service.clock.now() + timedelta(seconds=CHECK_EVERY)

    def go_on() -> bool:
        job.renew()
        return service.clock.now() < end

    for tenant in waiting:
        sites.repair_some(service, tenant)
        go_on()
    budget = int(settings_of(service).backup_scrub_rate * CHECK_EVERY)
    sites.check_in_turn(service, waiting, service.clock.now() - sites.CHECK_AGAIN, budget, go_on)


@jobs.every(seconds=60, name="backup.watch")
def watch_points(service: Service, job: Job) -> None:
    """Trusted time goes on; what is late is told of, what is mended no longer. That this runs is seen from outside."""
    sites.advance_trusted_time(service)
    now = service.clock.now()
    for tenant in tenants(service):
        with service.database.transaction(tenant=tenant) as session:
            watch.watch(session, now)
            sites.end_damage(session, now)


@jobs.every(seconds=600, name="backup.purge", lease=300)
def purge(service: Service, job: Job) -> None:
    """What was deleted long enough ago goes away; so do repositories two people disposed of, and what killed uploads left."""
    in_turn(service, job, sites.purge_some)
    in_turn(service, job, disposal.carry_out_some)
    for site in held(service).sites:
        site.sweep(ABANDONED)


@jobs.every(seconds=86_400, name="backup.forget-unknown", lease=3600)
def forget_unknown(service: Service, job: Job) -> None:
    for tenant in tenants(service):
        sites.set_aside_unknown(service, tenant)
        job.renew()


@jobs.every(seconds=3600, name="backup.plan-drills")
def plan_drills(service: Service, job: Job) -> None:
    """Every repository is drilled once a month without anybody asking."""
    now = service.clock.now()
    for tenant in tenants(service):
        drill.end_broken_off(service, tenant)
        with service.database.transaction(tenant=tenant) as session:
            drill.plan(session, now)


@jobs.every(seconds=600, name="backup.own", lease=600, long=True)
def keep_ourselves(service: Service, job: Job) -> None:
    """Our own medicine, where it is set up. What fails is tried again in an hour; told of is, like everybody's, that nothing arrives."""
    path, row = settings_of(service).backup_own_env, own.repository(service)
    if path is None or row is None or not own.is_due(row.last_point_at, row.created_at, service.clock.now()):
        return
    try:
        told = own.credentials(service, row, path)
    except Unavailable as starting:  # the gateway, which makes the key, may still be reading who there is
        raise Later(SOON) from starting
    command = ["nice", "-n", "10", sys.executable, "-m", "services", "own-backup"]
    done = subprocess.run(command, env={**os.environ, **told}, check=False)  # noqa: S603 (our own program)
    if done.returncode:
        _log.error("own_backup_failed", code=done.returncode)
        raise Later(AGAIN)


@jobs.on(drill.KIND, attempts=2, lease=120, long=True)
def carry_out_drill(service: Service, job: Job) -> None:
    try:
        drill.carry_out(service, str(job.tenant), job.payload["drill"], job)
    except SiteDown as away:
        raise Later(300) from away
