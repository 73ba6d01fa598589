"""What one municipality got: whether its services answered, how long it waited for operators, what its backups prove.

`look` keeps what is measured (a worker asks every service each minute); everything else is read from what the registry knows anyway.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from libs.common.clock import local_date
from services.tenants.db import backups as backups_db
from services.tenants.db import maintenance as maintenance_db
from services.tenants.db import requests as requests_db
from services.tenants.db import service_days as db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.db import support as support_db
from services.tenants.db.backups import BackupProofRow, BackupRow
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.service_level import Waits, availability, overlap, waits
from services.tenants.domain.subscriptions import status_on

DOOR = "gateway"
LOOKED_AT = (DOOR, *(s.key for s in SERVICES if s.delivery == "room" and s.opened))
"""What is asked whether it is ready: the door and every service that runs here."""


@dataclass(frozen=True, slots=True)
class Answering:
    """`per_cent` of `asked` looks that were answered, None without looks; `planned`: announced maintenance, not looked at then."""

    service: str
    asked: int
    per_cent: str | None
    planned: timedelta


@dataclass(frozen=True, slots=True)
class Level:
    """Of the days asked for. `backup` None: no backup was told of. `unanswered`: questions that wait for operators now."""

    answering: list[Answering]
    decided: Waits | None
    prepared: Waits | None
    support: Waits | None
    unanswered: int
    backup: BackupRow | None
    drills: list[BackupProofRow]


def look(session: Session, ready: Mapping[str, bool], now: datetime) -> None:
    """Keep what was seen of each service. What stands still by announcement is not counted: it was said before."""
    quiet = {row.service for row in maintenance_db.ending_after(session, now) if row.begins_at <= now}
    for service, answered in ready.items():
        if service not in quiet and "" not in quiet:
            db.note(session, service, local_date(now), answered)


def of_town(session: Session, tenant: str, days: int, now: datetime) -> Level:
    """Of the last `days` days, today included. The session is the municipality's."""
    since, today = now - timedelta(days=days), local_date(now)
    looks = db.since(session, today - timedelta(days=days - 1))
    own = subscriptions_db.intervals(session, tenant)
    in_use = {s.key for s in SERVICES if status_on(own, tenant, s.key, today).status in ("active", "suspended")}
    requests = [row for row in requests_db.requests_of(session, tenant, 1000) if row.requested_at >= since]
    threads = support_db.asked_since(session, tenant, since)
    answers = support_db.first_answers(session)
    return Level(
        [
            _answering(session, key, looks.get(key, (0, 0)), since, now)
            for key in LOOKED_AT
            if key == DOOR or key in in_use
        ],
        waits(
            (r.requested_at, r.decided_at)
            for r in requests
            if r.decided_at is not None and r.decided_at > r.requested_at
        ),
        waits(
            (r.decided_at or r.requested_at, r.finished_at)
            for r in requests
            if r.action == "join" and r.state == "done" and r.finished_at is not None
        ),
        waits((thread.asked_at, answers[thread.id]) for thread in threads if thread.id in answers),
        len(support_db.threads(session, tenant, ("open",))),
        backups_db.all_of(session).get(tenant),
        [proof for proof in backups_db.proofs(session, tenant, 1000) if proof.finished_at >= since],
    )


def _answering(session: Session, service: str, look: tuple[int, int], since: datetime, now: datetime) -> Answering:
    rows = maintenance_db.ending_after(session, since)
    spans = [(row.begins_at, row.ends_at) for row in rows if row.service in (service, "")]
    return Answering(service, look[0], availability(*look), overlap(spans, since, now))
