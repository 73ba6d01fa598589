"""Which event leads to what, timers and long jobs."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from libs.common import audit, notices, room
from libs.common.events import Envelope
from libs.common.inbox import Subscriptions
from libs.common.jobs import Job, Jobs, Later
from libs.common.room.table import OPEN
from libs.common.service import Service
from services.ebid.events import room_events
from services.ebid.rooms import EbidRoom, rows
from services.ebid.sealing import timestamp
from services.ebid.settings import office_of
from services.ebid.use_cases import (
    deadlines,
    endings,
    log,
    opening,
    outages,
    proposals,
    stamps,
)

SKEW = timedelta(minutes=5)
"""By how much a machine's clock may be ahead."""
subscriptions = Subscriptions("ebid")
jobs = Jobs()
audit.register(jobs)
notices.register(jobs, address_of=notices.gateway.address_of)
room.listen(subscriptions, jobs, room_events, EbidRoom)


@subscriptions.on(source="tenants", type="tenants.municipality.changed.v1")
def municipality_changed(session: Session, envelope: Envelope, now: datetime) -> None:
    """The head of our pages shows the municipality's present name and logo."""
    room.take_name(session, envelope["tenantid"], envelope["data"], now)


def tenants(service: Service) -> list[str]:
    """A suspended municipality's tenders are closed at their deadline, too."""
    with service.database.reading() as session:
        return room.rooms(session, OPEN, "suspended")


@jobs.on(deadlines.CLOSE, attempts=1000, lease=60)
def close(service: Service, job: Job) -> None:
    """The deadline has settled: no bid comes any more, what came is fixed in the log. Where this machine's clock is ahead of the one that
    decides it comes again; after 日時変更 the new deadline has its own job."""
    tender, number = job.payload["tender"], job.payload["round"]
    with service.database.transaction(tenant=job.tenant) as session:
        now = log.moment(session, service.clock)
        early = opening.time_left(session, tender, number, now)
        if timedelta(0) < early < SKEW:
            raise Later(min(early.total_seconds(), 1.0))
        opening.close(session, tender, number, office_of(service), now)
        job.done(session)


@jobs.on(opening.OPEN, attempts=20, lease=60)
def open_round(service: Service, job: Job) -> None:
    """Enough trustees have given their shares. One transaction: killed in between, it begins again and finds the same."""
    with service.database.transaction(tenant=job.tenant) as session:
        opening.open_round(
            session, job.payload["tender"], job.payload["round"], office_of(service), service.clock.now()
        )
        job.done(session)


@jobs.on(stamps.STAMP, attempts=1000, lease=60)
def stamp(service: Service, job: Job) -> None:
    """The authority is asked outside any transaction; while it does not answer the job comes again."""
    office, payload = office_of(service), job.payload
    with service.database.reading(tenant=job.tenant) as session:
        note = stamps.note_of(session, payload["size"])
    reply = timestamp.stamp(office.tsa.url, note, office.tsa.roots) if note and office.tsa else None
    with service.database.transaction(tenant=job.tenant) as session:
        if reply is not None:
            log.lock(session)
            stamps.keep(
                session, payload["tender"], payload["round"], payload["size"], reply, office, service.clock.now()
            )
        job.done(session)


@jobs.every(seconds=30, name="ebid.log")
def tick(service: Service, job: Job) -> None:
    """A checkpoint every EBID_LOG_SECONDS, whether anything happened or not: silence must not tell either."""
    every = timedelta(seconds=getattr(service.settings, "ebid_log_seconds", 300.0))
    now = service.clock.now()
    with service.database.transaction() as session:
        if log.is_due(session, every, now):
            log.tick(session, office_of(service).signers, now)


@jobs.every(seconds=outages.EVERY, name="ebid.probe", lease=30)
def probe(service: Service, job: Job) -> None:
    """Whether bidders reach us, by the way they come. The time of what was found is read after it was found."""
    if not getattr(service.settings, "ebid_probe", True):
        return
    office = office_of(service)
    came_through = outages.reached(f"{office.public_url}/ebid/log/key")
    with service.database.transaction() as session:
        outages.note(session, came_through, office.signers, service.clock.now())


@jobs.every(seconds=3600, name="ebid.endings", lease=300)
def tell_of_endings(service: Service, job: Job) -> None:
    """Companies whose registration ends are told. Looked at every hour, so that a worker that stood still over midnight tells
    them on the same day; what was told is remembered. All of them end on one day: in portions, each kept by itself."""
    while True:
        with service.database.transaction() as session:
            told = endings.tell(session, office_of(service).public_url, service.clock.now())
        if told < endings.PORTION:
            return
        job.renew()


@jobs.every(seconds=3600, name="ebid.forget-proposals", lease=300)
def forget_proposals(service: Service, job: Job) -> None:
    """Papers of applications whose 保存期間 is over."""
    for tenant in tenants(service):
        with service.database.transaction(tenant=tenant) as session:
            proposals.forget(session, service.clock.now())
        job.renew()


@jobs.every(seconds=3600, name="ebid.forget-loose-files", lease=300)
def forget_loose_files(service: Service, job: Job) -> None:
    """Bytes whose row was never written or was taken off a draft, after a day."""
    now = service.clock.now()
    for tenant in tenants(service):
        with service.database.reading(tenant=tenant) as session:
            known = rows.file_ids(session)
            kept = room.files_named(session, tenant, now)
        service.extras["files"].forget_unknown(tenant, known | kept, now, timedelta(days=1))
        job.renew()
