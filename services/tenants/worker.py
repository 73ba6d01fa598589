"""Which event leads to which use case, and what the registry does by itself."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from libs.common import audit, notices, retention, room
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Unavailable
from libs.common.events import Envelope
from libs.common.inbox import Subscriptions
from libs.common.jobs import Job, Jobs, Later
from libs.common.service import Service
from services.tenants import carryin, cluster, compare, deletions, reference, takeaway
from services.tenants.db import own_pages as own_pages_db
from services.tenants.db import registry as registry_db
from services.tenants.db import requests as requests_db
from services.tenants.db import takeins as takeins_db
from services.tenants.db import takeouts as takeouts_db
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.requests import ANSWERS
from services.tenants.neighbours import Neighbours
from services.tenants.settings import files_of
from services.tenants.use_cases import (
    backups,
    datasets,
    import_history,
    merging,
    plans,
    registry,
    saga,
    service_level,
    subscribe,
    takeins,
    takeouts,
    telling,
    tenders,
    usage,
)

subscriptions = Subscriptions("tenants")
jobs = Jobs()
audit.register(jobs)


def address_of(service: Service, person: str) -> str | None:
    """The gateway knows. While it is away the mail waits."""
    return service.extras.setdefault("neighbours", Neighbours(service)).address_of(person)


notices.register(jobs, address_of=address_of)


@jobs.on(telling.JOB)
def tell_administrators(service: Service, job: Job) -> None:
    """What happened to a municipality, to each of its administrators; kept together with the end of the job."""
    site = service.settings.public_url.rstrip("/")
    with service.database.transaction(tenant=job.tenant) as session:
        telling.deliver(session, job.tenant or "", job.payload, site, service.clock.now())
        job.done(session)


@jobs.on(telling.OPERATORS_JOB)
def tell_operators(service: Service, job: Job) -> None:
    """A municipality asked for something: to each operator; kept together with the end of the job."""
    site = service.settings.public_url.rstrip("/")
    prefecture = reference.prefecture(service.settings.prefecture).code
    with service.database.transaction(tenant=job.tenant) as session:
        telling.deliver_to_operators(session, job.tenant or "", prefecture, job.payload, site, service.clock.now())
        job.done(session)


def everybody(service: Service) -> list[str]:
    """Every tenant the register has ever known: each has a record here."""
    with service.database.reading() as session:
        return sorted({state.tenant_id for state in registry_db.states(session)})


retention.register(jobs, everybody)

ROOM_SERVICES = [service.key for service in SERVICES if service.delivery == "room" and service.opened]
"""Services that answer about their rooms."""
LOOSE = timedelta(days=1)
"""How long a stored file may be there without a row that knows it: longer than any request takes."""
APPLICATION_SERVICES = ["eapply"]
"""Those of them that receive applications, which are counted here."""

Handler = Callable[[Session, Envelope, datetime], None]


# ---- rooms ----------------------------------------------------------------------------------------------------------


def _progressed(service: str) -> Handler:
    def progressed(session: Session, envelope: Envelope, now: datetime) -> None:
        data = envelope["data"]
        saga.progressed(session, service, data["request_id"], data["done"], data["total"], data["label"], now)
        takeouts.progressed(session, service, data, now)
        takeins.progressed(session, service, data, now)

    return progressed


def _answered(service: str, answer: str) -> Handler:
    def answered(session: Session, envelope: Envelope, now: datetime) -> None:
        data = envelope["data"]
        saga.answered(session, service, data["request_id"], answer, now, archive=data.get("file"))
        if answer == "exported":
            takeouts.exported(session, service, data, now)
        elif answer in ("imported", "deleted"):
            takeins.answered(session, service, data, now)

    return answered


def _failed(service: str) -> Handler:
    def failed(session: Session, envelope: Envelope, now: datetime) -> None:
        data = envelope["data"]
        saga.failed(session, service, data["request_id"], data["reason"], now)
        takeouts.failed(session, service, data, now)
        takeins.failed(session, service, data, now)

    return failed


def _listen_to_rooms(service: str) -> None:
    events: Any = room.events_for(service)
    subscriptions.on(source=service, type=events.progressed.type)(_progressed(service))
    subscriptions.on(source=service, type=events.failed.type)(_failed(service))
    for answer in ANSWERS:
        subscriptions.on(source=service, type=getattr(events, answer).type)(_answered(service, answer))


for _service in ROOM_SERVICES:
    _listen_to_rooms(_service)


@jobs.every(seconds=5, name="tenants.chase-silent-rooms")
def chase_silent_rooms(service: Service, _job: Job) -> None:
    """Ask again where nothing came for a minute; after some times undo."""
    now = service.clock.now()
    with service.database.reading() as session:
        late = saga.late_requests(session, now)
    for tenant, request_id in late:
        with service.database.transaction(tenant=tenant) as session:
            saga.chase(session, request_id, now)
    with service.database.reading() as session:
        silent = takeouts.silent(session, now)
    for tenant, key, room_request in silent:
        with service.database.transaction(tenant=tenant) as session:
            takeouts.chase(session, tenant, key, room_request, now)
    with service.database.reading() as session:
        waiting = takeouts.ungathered(session, now)
    for tenant, takeout_id in waiting:
        with service.database.transaction(tenant=tenant) as session:
            takeouts.gather(session, takeouts_db.find(session, takeout_id, tenant), now)
    with service.database.reading() as session:
        silent = takeins.silent(session, now)
    for tenant, key, room_request in silent:
        with service.database.transaction(tenant=tenant) as session:
            takeins.chase(session, tenant, key, room_request, now)


@jobs.on(import_history.PROVIDE)
def provide_room(service: Service, job: Job) -> None:
    """A participation that was imported goes on: its room is prepared, as if it had been asked for."""
    with service.database.transaction(tenant=job.tenant) as session:
        actor = Actor(kind="operator", subject=job.payload["by"])
        subscribe.provide_room(session, actor, job.tenant or "", job.payload["service"], service.clock.now())
        job.done(session)


@jobs.on(saga.SIGN)
def sign_deletion(service: Service, job: Job) -> None:
    """A municipality left a service and its data are gone: the record of it is signed now, and kept."""
    deletions.of_request(service, job.tenant or "", job.payload["request"])


@jobs.every(seconds=60, name="tenants.begin-agreed-leavings")
def begin_agreed_leavings(service: Service, _job: Job) -> None:
    """On the first day a municipality agreed to be without a service, its leaving begins by itself."""
    now = service.clock.now()
    with service.database.reading() as session:
        due = [(row.tenant, row.id) for row in requests_db.leavings_due(session, local_date(now))]
    for tenant, request_id in due:
        with service.database.transaction(tenant=tenant) as session:
            subscribe.begin_leaving(session, request_id, now)


@jobs.on(takeouts.GATHER, lease=120)
def gather_takeout(service: Service, job: Job) -> None:
    """All services have exported: one archive of everything."""
    takeaway.gather(service, job, service.extras.setdefault("neighbours", Neighbours(service)))


@jobs.on(takeins.KIND, lease=120)
def take_in(service: Service, job: Job) -> None:
    """An archive of everything, from another installation."""
    carryin.carry_on(service, job, service.extras.setdefault("neighbours", Neighbours(service)))


@jobs.every(seconds=3600, name="tenants.tell-new-names")
def tell_new_names(service: Service, _job: Job) -> None:
    """On the day a municipality's new name or code begins, its services learn it. Told again, they change nothing."""
    now = service.clock.now()
    with service.database.reading() as session:
        tenants = registry.begins_on(session, local_date(now))
    for tenant in tenants:
        with service.database.transaction(tenant=tenant) as session:
            registry.tell_new_names(session, tenant, local_date(now), now)


@jobs.on(merging.TOLD)
def tell_of_merger(service: Service, job: Job) -> None:
    """Each municipality's own record and event of a merger; kept together with the end of the job."""
    with service.database.transaction(tenant=job.tenant) as session:
        merging.tell(session, job.tenant or "", **job.payload, now=service.clock.now())
        job.done(session)


# ---- applications ---------------------------------------------------------------------------------------------------


@subscriptions.on(source="eapply", type="eapply.application.submitted.v1")
def application_submitted(session: Session, envelope: Envelope, now: datetime) -> None:
    data = envelope["data"]
    told = usage.Told(
        id=data["application_id"],
        tenant=envelope["tenantid"],
        procedure=data["procedure_id"],
        fiscal_year=data["fiscal_year"],
        channel=data["channel"],
        submitted_at=datetime.fromisoformat(data["submitted_at"]),
        outcome=None,
        sequence=envelope["sequence"],
    )
    usage.count_application(session, "eapply", told)


@subscriptions.on(source="eapply", type="eapply.application.decided.v1")
def application_decided(session: Session, envelope: Envelope, now: datetime) -> None:
    data = envelope["data"]
    usage.note_outcome(session, "eapply", data["application_id"], data["outcome"], envelope["sequence"])


@subscriptions.on(source="eapply", type="eapply.application.withdrawn.v1")
def application_withdrawn(session: Session, envelope: Envelope, now: datetime) -> None:
    usage.note_outcome(session, "eapply", envelope["data"]["application_id"], "withdrawn", envelope["sequence"])


@subscriptions.on(source="eapply", type="eapply.paper_applications.counted.v1")
def paper_counted(session: Session, envelope: Envelope, now: datetime) -> None:
    data = envelope["data"]
    usage.count_paper(session, "eapply", data["procedure_id"], data["fiscal_year"], data["added"])


@subscriptions.on(source="eapply", type="eapply.procedure.published.v1")
def procedure_published(session: Session, envelope: Envelope, now: datetime) -> None:
    data = envelope["data"]
    usage.note_procedure(session, "eapply", data["procedure_id"], data["key"], data.get("title", ""))


# ---- backups --------------------------------------------------------------------------------------------------------


@subscriptions.on(source="backup", type="backup.recovery_point.arrived.v1")
def recovery_point_arrived(session: Session, envelope: Envelope, now: datetime) -> None:
    data = envelope["data"]
    arrived_at = datetime.fromisoformat(data["arrived_at"])
    backups.note_point(session, envelope["tenantid"], arrived_at, data["stored_by_municipality"])


@subscriptions.on(source="backup", type="backup.drill.finished.v1")
def drill_finished(session: Session, envelope: Envelope, now: datetime) -> None:
    backups.note_drill(session, str(envelope["tenantid"]), envelope["data"])


# ---- tenders --------------------------------------------------------------------------------------------------------


@subscriptions.on(source="ebid", type="ebid.tender.published.v1")
def tender_published(session: Session, envelope: Envelope, now: datetime) -> None:
    tenders.note_published(session, str(envelope["tenantid"]), envelope["data"])


@subscriptions.on(source="ebid", type="ebid.result.published.v1")
def result_published(session: Session, envelope: Envelope, now: datetime) -> None:
    tenders.note_result(session, str(envelope["tenantid"]), envelope["data"])


# ---- open data ------------------------------------------------------------------------------------------------------


@subscriptions.on(source="opendata", type="opendata.dataset.published.v1")
def dataset_published(session: Session, envelope: Envelope, now: datetime) -> None:
    data = envelope["data"]
    datasets.note_count(session, envelope["tenantid"], data["datasets"], datetime.fromisoformat(data["published_at"]))


@subscriptions.on(source="opendata", type="opendata.dataset.withdrawn.v1")
def dataset_withdrawn(session: Session, envelope: Envelope, now: datetime) -> None:
    data = envelope["data"]
    datasets.note_count(session, envelope["tenantid"], data["datasets"], datetime.fromisoformat(data["withdrawn_at"]))


# ---- indicators -----------------------------------------------------------------------------------------------------


@jobs.every(seconds=3600, name="tenants.take-automatic-values")
def take_automatic_values(service: Service, _job: Job) -> None:
    """Indicators that are counted here get the values of the running and the ended periods."""
    with service.database.transaction() as session:
        plans.take_automatic(session, service.clock.now())


# ---- capacity -------------------------------------------------------------------------------------------------------


@jobs.every(seconds=60, name="tenants.keep-up-the-cluster", lease=600)
def keep_up_the_cluster(service: Service, _job: Job) -> None:
    """Reservations that begin get their namespace and quota; those that are over lose them."""
    cluster.keep_up(service)


# ---- service level --------------------------------------------------------------------------------------------------


@jobs.every(seconds=60, name="tenants.look-at-services", lease=120)
def look_at_services(service: Service, _job: Job) -> None:
    """Whether the door and every service answer: what municipalities read as their service level."""
    neighbours = service.extras.setdefault("neighbours", Neighbours(service))
    ready = {key: neighbours.ready(key) for key in service_level.LOOKED_AT}
    with service.database.transaction() as session:
        service_level.look(session, ready, service.clock.now())


# ---- files ----------------------------------------------------------------------------------------------------------


@jobs.every(seconds=86400, name="tenants.forget-loose-files", lease=3600)
def forget_loose_files(service: Service, job: Job) -> None:
    """Bytes whose transaction was rolled back, what died half-written, and archives nobody may take any more go after a day."""
    now, store = service.clock.now(), files_of(service)
    tenants = everybody(service)
    for done, tenant in enumerate(tenants, 1):
        with service.database.reading(tenant=tenant) as session:
            known = own_pages_db.file_ids(session) | takeouts.files_kept(session, tenant, now)
        store.forget_unknown(tenant, known, now, LOOSE)
        job.progress(done, len(tenants))
    with service.database.reading() as session:
        needed = takeins_db.files(session)
    store.forget_unknown(carryin.NOBODY, needed, now, LOOSE)
    store.forget_half_written(now)


# ---- comparison -----------------------------------------------------------------------------------------------------


@jobs.every(seconds=600, name="tenants.compare-applications", lease=300)
def compare_applications(service: Service, _job: Job) -> None:
    """Once a day, and at the first start: take what we missed and note what differs. A source that is
    away is asked again soon."""
    for key in APPLICATION_SERVICES:
        if compare.is_due(service, key, timedelta(hours=23)):
            try:
                compare.compare_with_source(service, key)
            except Unavailable as away:
                raise Later(15) from away
