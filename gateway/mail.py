"""The gateway's mails: rendered when they are sent, because only then does the secret of their link exist."""

from datetime import datetime, timedelta
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway import db, domain, trail
from gateway.fairness import quotas
from gateway.identity import GUEST_DAYS
from gateway.use_cases import tickets, told
from libs.common import audit, retention
from libs.common.clock import JST, local_date
from libs.common.jobs import GiveUp, Job, Jobs
from libs.common.service import Service
from libs.common.web import Brand

TEXTS = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates" / "mail"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 (plain text, no markup)
)

jobs = Jobs()
audit.register(jobs)


def home(service: Service) -> list[str]:
    """In whose record persons' changes stand; nobody's before the registry was heard of."""
    tenant = service.extras["parts"].home
    return [tenant] if tenant else []


retention.register(jobs, home)


@jobs.every(seconds=30, name="gateway.settle-record")
def settle_record(service: Service, _job: Job) -> None:
    """Entries from before the registry was heard of go into the record they belong to."""
    for tenant in home(service):
        with service.database.transaction(tenant) as session:
            trail.settle(session)


@jobs.every(seconds=3600, name="gateway.forget-old")
def forget(service: Service, _job: Job) -> None:
    """Sessions that ended, links that are closed, counted failures and guests' cookies that no longer mean anything."""
    now = service.clock.now()
    with service.database.transaction() as session:
        db.forget_ended(session, now - timedelta(days=service.settings.sessions_kept_days))
        db.forget_failures(session, now - domain.FORGET_AFTER)
        db.forget_counts(session, local_date(now) - timedelta(days=quotas.KEPT_DAYS))
        db.forget_guests_taken(session, now - timedelta(days=GUEST_DAYS))


@jobs.on(tickets.MAIL)
def send(service: Service, job: Job) -> None:
    """Send one mail. The first line of a template is its subject."""
    with service.database.reading() as session:
        ticket = db.ticket(session, job.payload["ticket"])
    if ticket is None:
        raise GiveUp("the ticket of this mail is gone")
    _send(service, job, ticket.email, render(service, job.payload["mail"], ticket, job.payload["facts"]))


@jobs.on(told.TOLD)
def tell_of_change(service: Service, job: Job) -> None:
    """Send the mail that says what has changed in somebody's ways to sign in."""
    address = job.payload.get("address", "")
    if not address:
        with service.database.reading() as session:
            person = db.person(session, job.payload["person"])
        if person is None:
            raise GiveUp("the person of this mail is gone")
        address = person.email
    _send(service, job, address, change(service, job.payload))


def _send(service: Service, job: Job, address: str, text: str) -> None:
    subject, _, body = text.partition("\n")
    service.extras["send_mail"](address, subject.strip(), body.lstrip("\n"), job.id, service.clock.now())


_DOORS = {"address": "/account/address"}
"""Where a link leads that is not one to begin by."""


def render(service: Service, name: str, ticket: db.TicketRow, facts: dict[str, str]) -> str:
    key: bytes = service.extras["parts"].ticket_key
    base = service.settings.public_url.rstrip("/")
    return TEXTS.get_template(f"{name}.txt").render(
        link=f"{base}{_DOORS.get(ticket.purpose, '/welcome/')}?t={tickets.secret_of(key, ticket.id)}",
        base=base,
        cloud=cloud_name(service),
        until=_moment(ticket.expires_at),
        **{"tenant_name": cloud_name(service), **facts},
    )


def change(service: Service, payload: dict[str, str]) -> str:
    """The text of that mail; `payload` as `told.tell` made it."""
    label = service.extras["parts"].providers.label(payload["provider"]) if payload["provider"] else ""
    return TEXTS.get_template("changed.txt").render(
        kind=payload["what"],
        what=told.WORDS[payload["what"]].format(label=label),
        at=_moment(datetime.fromisoformat(payload["at"])),
        base=service.settings.public_url.rstrip("/"),
        cloud=cloud_name(service),
    )


def _moment(at: datetime) -> str:
    return at.astimezone(JST).strftime("%Y年%-m月%-d日 %-H時%M分")


def cloud_name(service: Service) -> str:
    return Brand.named(service.settings.cloud_name).name
