"""Which event leads to what, timers and long jobs."""

from datetime import date, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from libs.common import audit, notices, room, webhooks
from libs.common.events import Envelope
from libs.common.inbox import Subscriptions
from libs.common.jobs import Job, Jobs
from libs.common.service import Service
from services.opendata.db import DraftRow
from services.opendata.events import room_events
from services.opendata.rooms import OpendataRoom
from services.opendata.rooms.room import files_of
from services.opendata.settings import files_of as store_of
from services.opendata.settings import tables_of
from services.opendata.use_cases import drafts, followers, harvest, live, schedules, voices, whereabouts
from services.opendata.use_cases.telling import TOLD

subscriptions = Subscriptions("opendata")
jobs = Jobs()
audit.register(jobs)
notices.register(jobs, address_of=notices.gateway.address_of)
room.listen(subscriptions, jobs, room_events, OpendataRoom)
webhooks.listen(subscriptions, jobs, TOLD)

FORGET_DRAFTS = timedelta(days=30)
FORGET_PUBLISHED_DRAFTS = timedelta(days=1)
LOOSE = timedelta(days=1)


@subscriptions.on(source="tenants", type="tenants.municipality.changed.v1")
def municipality_changed(session: Session, envelope: Envelope, now: datetime) -> None:
    """Our pages show the municipality's present name and logo."""
    room.take_name(session, envelope["tenantid"], envelope["data"], now)


@subscriptions.on(source="ebid", type="ebid.tender.published.v1")
def tender_published(session: Session, envelope: Envelope, now: datetime) -> None:
    live.note_tender(session, "published", envelope["data"], now)


@subscriptions.on(source="ebid", type="ebid.result.published.v1")
def result_published(session: Session, envelope: Envelope, now: datetime) -> None:
    live.note_tender(session, "result", envelope["data"], now)


@subscriptions.on(source="eapply", type="eapply.procedure.published.v1")
def procedure_published(session: Session, envelope: Envelope, now: datetime) -> None:
    live.note_procedure(session, envelope["data"], now)


@subscriptions.on(source="eapply", type="eapply.application.submitted.v1")
def application_submitted(session: Session, envelope: Envelope, now: datetime) -> None:
    live.note_application(session, envelope["data"], now)


@subscriptions.on(source="eapply", type="eapply.application.decided.v1")
def application_decided(session: Session, envelope: Envelope, now: datetime) -> None:
    live.note_outcome(session, envelope["data"]["application_id"], envelope["data"]["outcome"], now)


@subscriptions.on(source="eapply", type="eapply.application.withdrawn.v1")
def application_withdrawn(session: Session, envelope: Envelope, now: datetime) -> None:
    live.note_outcome(session, envelope["data"]["application_id"], "withdrawn", now)


@subscriptions.on(source="tenants", type="tenants.subscription.started.v1")
def subscription_started(session: Session, envelope: Envelope, now: datetime) -> None:
    told = envelope["data"]
    first = date.fromisoformat(told["from_date"])
    live.note_participation(session, str(envelope["tenantid"]), told["service"], first, None, now)


@subscriptions.on(source="tenants", type="tenants.subscription.ended.v1")
def subscription_ended(session: Session, envelope: Envelope, now: datetime) -> None:
    told = envelope["data"]
    end = date.fromisoformat(told["until_date"])
    live.note_participation(session, str(envelope["tenantid"]), told["service"], None, end, now)


@jobs.on(live.MAKE, attempts=5, lease=300)
def make_live(service: Service, job: Job) -> None:
    """A table of what was heard. Twice is once: it always tells all of it."""
    live.make(service, str(job.tenant), job.payload["source"], service.clock.now())


@jobs.on(drafts.READ, attempts=3, lease=900)
def read_draft(service: Service, job: Job) -> None:
    """Read a large file. Killed in the middle, it is read again from its start; what is published is not touched."""
    drafts.read_now(service, str(job.tenant), job.payload["draft"], job.progress)


@jobs.on(schedules.FETCH, attempts=3, lease=900)
def fetch_file(service: Service, job: Job) -> None:
    """A file that renews itself. What goes wrong is noted with it, and tried again at its time."""
    schedules.renew(service, str(job.tenant), job.payload["resource"], service.clock.now())


@jobs.on(harvest.HARVEST, attempts=3, lease=900)
def read_catalogue(service: Service, job: Job) -> None:
    """A catalogue from elsewhere. Killed in the middle, it is read again; what is done is found done."""
    harvest.run(service, str(job.tenant), job.payload["harvest"], service.clock.now(), job)


@jobs.on(followers.NOTIFY, attempts=5, lease=300)
def tell_followers(service: Service, job: Job) -> None:
    """In one transaction: told once, however often it is tried."""
    with service.database.transaction(tenant=job.tenant) as session:
        site = service.settings.public_url.rstrip("/") + "/opendata"
        voices.tell_followers(session, job.payload["dataset"], site, service.signer, service.clock.now())


@jobs.every(seconds=60, name="opendata.gather", lease=120)
def gather(service: Service, job: Job) -> None:
    """Puts what is due on the list."""
    with service.database.reading() as session:
        tenants = room.rooms(session)
    for tenant in tenants:
        with service.database.transaction(tenant=tenant) as session:
            schedules.order_due(session, service.clock.now())
            harvest.order_due(session, service.clock.now())


@jobs.every(seconds=60, name="opendata.find-places", lease=300)
def find_places(service: Service, job: Job) -> None:
    """Squares of the map and years of what was published without: the filters of the catalogue find it, too."""
    whereabouts.fill_in(service, job.progress)


@jobs.every(seconds=3600, name="opendata.tidy", lease=600)
def tidy(service: Service, job: Job) -> None:
    """Drafts nobody came back to, files no row knows, copies of tables nobody asked for."""
    now = service.clock.now()
    with service.database.reading() as session:
        tenants = room.rooms(session)
    for done, tenant in enumerate(tenants):
        with service.database.transaction(tenant=tenant) as session:
            session.execute(delete(DraftRow).where(DraftRow.created_at < now - FORGET_DRAFTS))
            session.execute(
                delete(DraftRow).where(
                    DraftRow.state == "published", DraftRow.created_at < now - FORGET_PUBLISHED_DRAFTS
                )
            )
        with service.database.reading(tenant=tenant) as session:
            known = files_of(session) | room.files_named(session, tenant, now)
        store_of(service).forget_unknown(tenant, known, now, LOOSE)
        job.progress(done, len(tenants))
    tables_of(service).sweep((now - LOOSE).timestamp())
