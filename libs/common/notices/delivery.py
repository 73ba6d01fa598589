"""The job that mails one notice, and keeps what became of it."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from libs.common import log, telemetry, two_doors
from libs.common.jobs import GiveUp, Job, Jobs
from libs.common.notices import smtp
from libs.common.notices.table import KIND, NoticeRow, forget_guests
from libs.common.service import Service

ATTEMPTS = 8
AddressOf = Callable[[Service, str], str | None]
"""A person's id → the address to write to, or None when there is none (any more)."""

_log = log.get(__name__)


def nowhere(_service: Service, _person: str) -> str | None:
    """For services that know no person's address."""
    return None


def register(jobs: Jobs, *, address_of: AddressOf = nowhere) -> None:
    """Let this service's worker mail its notices. SMTP_URL and MAIL_FROM come from the service's settings."""

    @jobs.on(KIND, attempts=ATTEMPTS)
    def mail_notice(service: Service, job: Job) -> None:
        _deliver(service, job, address_of)

    @jobs.every(seconds=86400, name="notices.forget-guests")
    def forget_old_notices(service: Service, _job: Job) -> None:
        with service.database.transaction() as session:
            forget_guests(session, service.clock.now())


def _deliver(service: Service, job: Job, address_of: AddressOf) -> None:
    notice = _load(service, job.payload["notice"])
    if notice is None or notice.mail in ("sent", "none", "failed"):
        return
    to = notice.address or (address_of(service, notice.person) if notice.person else None)
    if to is None or not service.settings.smtp_url:
        _keep(service, notice.id, "none", "no address" if to is None else "no mail server is set")
        return
    before = notice.mail
    _keep(service, notice.id, "sending" if before == "queued" else "unknown", None)
    # A mail that was being sent when its process ended may have arrived: it goes out once more, recognisable by its id.
    body = two_doors.with_staff_links(_with_whole_addresses(notice.body, service), service.settings)
    mail = smtp.compose(
        notice.id, to=to, sender=service.settings.mail_from, subject=notice.subject, body=body, at=notice.at,
        unsubscribe=job.payload.get("unsubscribe"),
    )  # fmt: skip
    try:
        said = smtp.hand_over(service.settings.smtp_url, mail, sender=service.settings.mail_from, to=to)
    except smtp.Refused as refused:
        _keep(service, notice.id, "failed", refused.words(to))
        raise GiveUp("the mail server refused the mail") from None
    except smtp.Uncertain:
        _keep(service, notice.id, "unknown", "the connection broke after the mail was handed over")
        raise _Again("the answer of the mail server was not heard") from None
    except smtp.NotNow as error:
        last = job.attempt >= ATTEMPTS
        state = "unknown" if before in ("sending", "unknown") else "failed" if last else "queued"
        _keep(service, notice.id, state, error.words(to))
        raise _Again("the mail server did not take the mail now") from None
    _keep(service, notice.id, "sent", said)


class _Again(Exception):
    """Ends this attempt; the message is for operators and holds no address."""


def _with_whole_addresses(body: str, service: Service) -> str:
    """A use case that does not know where the cloud is writes a path on a line of its own: in a mail nobody could follow it."""
    return re.sub(r"^(?=/[a-z]\S*$)", service.settings.public_url.rstrip("/"), body, flags=re.MULTILINE)


def _load(service: Service, notice_id: str) -> NoticeRow | None:
    with service.database.reading() as session:
        return session.get(NoticeRow, notice_id)


def _keep(service: Service, notice_id: str, state: str, said: str | None) -> None:
    now: datetime = service.clock.now()
    with service.database.transaction() as session:
        row: Any = session.get(NoticeRow, notice_id)
        if row is None:
            return
        row.mail, row.mail_at, row.server_said = state, now, said[:500] if said else None
    if state != "sending":
        telemetry.metrics.MAILS.labels(service.name, state).inc()
        _log.info("mail", notice=notice_id, state=state)
