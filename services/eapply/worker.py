"""Which event leads to what, timers and long jobs."""

import random
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, notices, room, webhooks
from libs.common.actor import Actor
from libs.common.events import Envelope
from libs.common.inbox import Subscriptions
from libs.common.jobs import GiveUp, Job, Jobs
from libs.common.service import Service
from services.eapply import notice_pdf, paying, payments, signing, simulator
from services.eapply.db import AttachmentRow, NoticeDocumentRow
from services.eapply.events import room_events
from services.eapply.forms.scan import Scanner
from services.eapply.payments import Trouble
from services.eapply.rooms import EapplyRoom
from services.eapply.use_cases import (
    calendar,
    cases,
    clock,
    cosign,
    delegates,
    delivery,
    drafts,
    fees,
    pairs,
    retention,
    scanning,
    visits_closed,
)
from services.eapply.use_cases.telling import TOLD

subscriptions = Subscriptions("eapply")
jobs = Jobs()
audit.register(jobs)
notices.register(jobs, address_of=notices.gateway.address_of)
room.listen(subscriptions, jobs, room_events, EapplyRoom)
webhooks.listen(subscriptions, jobs, TOLD)


@subscriptions.on(source="tenants", type="tenants.municipality.changed.v1")
def municipality_changed(session: Session, envelope: Envelope, now: datetime) -> None:
    """The head of our pages shows the municipality's present name and logo."""
    room.take_name(session, envelope["tenantid"], envelope["data"], now)


@jobs.every(seconds=3600, name="eapply.forget-drafts", lease=300)
def forget_drafts(service: Service, job: Job) -> None:
    """Drafts that nobody touched for 90 days, municipality by municipality, and files that no row knows."""
    now = service.clock.now()
    with service.database.reading() as session:
        tenants = room.rooms(session)
    for done, tenant in enumerate(tenants):
        with service.database.transaction(tenant=tenant) as session:
            files = drafts.forget_expired(session, now)
            delegates.forget_over(session, now)
        for file_id in files:
            service.extras["files"].delete(tenant, file_id)
        forget_loose_files(service, tenant, now)
        job.progress(done, len(tenants))


def forget_loose_files(service: Service, tenant: str, now: datetime) -> None:
    """Bytes whose transaction was rolled back, after a day. Exports and archives to import are files, too, and go
    after 30 days."""
    with service.database.reading(tenant=tenant) as session:
        known = set(session.scalars(select(AttachmentRow.id)))
        known |= set(session.scalars(select(NoticeDocumentRow.file_id)))
        kept = room.files_named(session, tenant, now)
    service.extras["files"].forget_unknown(tenant, known | kept, now, timedelta(days=1))


@jobs.every(seconds=60, name="eapply.scan-files", lease=300)
def scan_files(service: Service, job: Job) -> None:
    """Files that no scanner has seen: sent while it did not answer, or before there was one."""
    scanner = service.extras.get("scanner")
    if scanner is None:
        return
    with service.database.reading() as session:
        tenants = room.rooms(session)
    for done, tenant in enumerate(tenants):
        if not scan_files_of(service, tenant, scanner):
            return  # it does not answer: the next turn asks again
        job.progress(done, len(tenants))


def scan_files_of(service: Service, tenant: str, scanner: Scanner) -> bool:
    """The files of one municipality; False where the scanner does not answer."""
    with service.database.reading(tenant=tenant) as session:
        unseen = scanning.waiting(session)
    for file_id in unseen:
        malware = scanning.judged(service.extras["files"], tenant, file_id, scanner)
        if malware is None:
            return False
        with service.database.transaction(tenant=tenant) as session:
            scanning.note(session, file_id, malware, service.clock.now())
    return True


# ---- the clock


@jobs.on(calendar.FORECAST_AGAIN, lease=300)
def forecast_again(service: Service, job: Job) -> None:
    """The calendar changed: every open application's due day is counted anew."""
    _forecast_again(service, job.tenant or "", job)


@jobs.on(calendar.VISITS_CLOSED, lease=120)
def tell_visitors(service: Service, job: Job) -> None:
    """The calendar changed: who has booked a time on a day that is closed now is told."""
    _tell_visitors(service, job.tenant or "")


def _tell_visitors(service: Service, tenant: str) -> None:
    with service.database.transaction(tenant=tenant) as session:
        code = session.get_one(room.RoomRow, tenant).code or tenant
        site = f"{service.settings.public_url.rstrip('/')}/t/{code}/eapply"
        visits_closed.tell(session, site, service.clock.now())


@jobs.every(seconds=3600, name="eapply.watch-periods", lease=300)
def watch_periods(service: Service, job: Job) -> None:
    """Due days that move by themselves (waiting for a correction, on the way) follow; near ends are told."""
    for tenant, code in _open_rooms(service):
        _forecast_again(service, tenant, job)
        _tell_visitors(service, tenant)  # who booked while the day was being closed
        site = f"{service.settings.public_url.rstrip('/')}/t/{code}/eapply"
        with service.database.transaction(tenant=tenant) as session:
            while clock.warn(session, site, service.clock.now()):
                job.alive()


def _open_rooms(service: Service) -> list[tuple[str, str]]:
    """(tenant, present code) of every municipality that uses the service now."""
    with service.database.reading() as session:
        return [(tenant, session.get_one(room.RoomRow, tenant).code or tenant) for tenant in room.rooms(session)]


def _forecast_again(service: Service, tenant: str, job: Job) -> None:
    after: str | None = ""
    while after is not None:
        with service.database.transaction(tenant=tenant) as session:
            after = clock.forecast_again(session, after, service.clock.now())
        job.alive()


# ---- search


@jobs.every(seconds=300, name="eapply.pair-words", lease=300)
def pair_words(service: Service, job: Job) -> None:
    """The desk's search becomes quick for applications that came before it had pairs, or by an import."""
    for tenant, _code in _open_rooms(service):
        more = True
        while more:
            with service.database.transaction(tenant=tenant) as session:
                more = pairs.keep_missing(session)
            job.alive()


# ---- notices


@jobs.on(delivery.MAKE, lease=120)
def make_notice(service: Service, job: Job) -> None:
    """Make and sign the notice of a decision. Made again after a fall, it is another file of the same content, and the
    first one is forgotten."""
    tenant, application_id = job.tenant or "", job.payload["application"]
    with service.database.reading(tenant=tenant) as session:
        row = cases.load(session, application_id)
        notice, procedure = delivery.notice_of(session, application_id), cases.definition_of(session, row)
        place = session.get_one(room.RoomRow, tenant)
    if notice is None or notice.file_id is not None:
        return
    seal = seal_of(service)
    verify = f"{service.settings.public_url.rstrip('/')}/t/{place.code or tenant}/eapply/verify"
    issuer = notice_pdf.Issuer(place.name or "", verify, seal.name if seal.test else "")
    signed = seal.sign(notice_pdf.document(row, procedure, notice, issuer))
    stored = service.extras["files"].put(tenant, [signed], limit=len(signed))
    with service.database.transaction(tenant=tenant) as session:
        kept = delivery.notice_of(session, application_id, lock=True)
        if kept is not None and kept.file_id is None:
            kept.file_id, kept.sha256, kept.size = stored.id, stored.sha256, stored.size
            kept.signer, kept.made_at = seal.name, service.clock.now()
        job.done(session)


def seal_of(service: Service) -> signing.Seal:
    """The office's seal, read once in a process."""
    if "seal" not in service.extras:
        settings = service.settings
        service.extras["seal"] = signing.load(
            settings.notice_certificate, settings.notice_certificate_password.get_secret_value(),
            settings.notice_timestamps_url, settings.keys_dir,
        )  # fmt: skip
    return service.extras["seal"]


@jobs.every(seconds=3600, name="eapply.post-unopened", lease=300)
def post_unopened(service: Service, job: Job) -> None:
    """Notices that nobody opened go on the list for the post."""
    for tenant, _code in _open_rooms(service):
        with service.database.transaction(tenant=tenant) as session:
            delivery.post_unopened(session, service.clock.now())
        job.alive()


@jobs.every(seconds=3600, name="eapply.remind-cosigners", lease=300)
def remind_cosigners(service: Service, job: Job) -> None:
    """Those who were asked to confirm and have not answered for some days."""
    for tenant, code in _open_rooms(service):
        site = f"{service.settings.public_url.rstrip('/')}/t/{code}/eapply"
        with service.database.transaction(tenant=tenant) as session:
            cosign.remind(session, site, service.clock.now())
        job.alive()


# ---- fees

PROVIDER = Actor("service", "payment-provider", "収納代行")
LOOKED_BACK = timedelta(days=7)


@jobs.every(seconds=3600, name="eapply.remind-fees", lease=300)
def remind_fees(service: Service, job: Job) -> None:
    """Applicants whose 納付期限 is near."""
    for tenant, code in _open_rooms(service):
        site = f"{service.settings.public_url.rstrip('/')}/t/{code}/eapply"
        more = True
        while more:
            with service.database.transaction(tenant=tenant) as session:
                more = fees.remind(session, site, service.clock.now()) == fees.BATCH
            job.alive()


@jobs.on(fees.REFUND)
def ask_refund(service: Service, job: Job) -> None:
    """Ask the provider to pay back; the job's key pays back once."""
    with service.database.transaction(tenant=job.tenant) as session:
        provider = paying.provider(service, session)
        if provider is None:
            raise GiveUp("no payment provider is set: pay back by hand")
        charge = fees.find(session, job.payload["charge"], lock=True)
        if fees.back(session, charge).asked:  # it may have been paid back by hand meanwhile
            provider.ask_refund(job.payload["charge"], job.payload["amount"], job.payload["key"])
        job.done(session)


@jobs.on(simulator.CALLBACKS)
def simulate_callbacks(service: Service, job: Job) -> None:
    """The simulator's callbacks, through the same door as a real provider's."""
    tenant, charge, secret = job.tenant or "", job.payload["charge"], paying.secret(service)
    trouble, chance = Trouble(), random.Random(job.id)  # noqa: S311 (how often a callback is lost is no secret)
    if "late" not in job.payload and chance.random() < trouble.late:
        with service.database.transaction(tenant=tenant) as session:
            simulator.Simulator(session, service.clock.now()).hold_back(charge)
            job.done(session)
        return
    sent: list[tuple[bytes, str]] = []
    with service.database.reading(tenant=tenant) as session:
        provider = simulator.Simulator(session, service.clock.now())
        provider.deliver(charge, trouble, chance, secret, lambda *each: sent.append(each))
    for body, signature in sent:
        with service.database.transaction(tenant=tenant) as session:
            fees.report(session, PROVIDER, payments.read(secret, body, signature), "callback", service.clock.now())


@jobs.on(simulator.RECONCILE)
def reconcile_soon(service: Service, job: Job) -> None:
    paying.reconcile(service, job.tenant or "", PROVIDER, LOOKED_BACK)


@jobs.every(seconds=3600, name="eapply.reconcile", lease=300)
def reconcile(service: Service, job: Job) -> None:
    """Our books beside the provider's: what a lost callback would have told comes in this way."""
    for tenant, _code in _open_rooms(service):
        paying.reconcile(service, tenant, PROVIDER, LOOKED_BACK)
        job.alive()


# ---- retention

KEEPER = Actor("service", "eapply", "保存期間の管理")


@jobs.every(seconds=3600, name="eapply.retention", lease=300)
def delete_over(service: Service, job: Job) -> None:
    """Applications whose 保存期間 was over before this month, municipality by municipality; their bytes after COMMIT."""
    for tenant, _code in _open_rooms(service):
        more = True
        while more:
            with service.database.transaction(tenant=tenant) as session:
                done = retention.delete_over(session, KEEPER, service.clock.now())
            for file_id in done.files:
                service.extras["files"].delete(tenant, file_id)
            more = done.more
            job.alive()
