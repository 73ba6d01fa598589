"""The absence of success must alarm: nobody reports a backup that was never tried, nor a watch that has ended."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from services.backup.db import AccessKeyRow, AllowanceRow, RepositoryRow, TrustedTimeRow
from services.backup.db import objects as objects_db
from services.backup.db import repositories as db
from services.backup.domain.points import Health, health
from services.backup.domain.quota import is_nearly_full
from services.backup.use_cases.alerts import clear_alert, raise_alert

SILENT = timedelta(minutes=15)
"""The worker looks every minute; after so long without a look nobody is watching."""
LONGEST_LAG = timedelta(hours=24)
"""What is at one site for so long is told of: then that site is all there is."""

KEY_ENDS = timedelta(days=14)
"""So long before its end a key is told of, unless it was made for a moment only or its machine has another already."""
FOR_A_MOMENT = timedelta(days=31)


def health_of(repository: RepositoryRow, now: datetime) -> Health:
    return health(repository.last_point_at, repository.created_at, repository.promised_hours, now)


def watch(session: Session, now: datetime) -> int:
    """Raise an alert for each repository whose recovery point, or whose copy at the second site, is late, a key of which ends soon, or
    which is nearly full, by itself or with all of its municipality. Returns how many are new.

    Only a point that arrives ends the first (`store.keep`), only copying ends the second: a clock that is set back and forth does
    not make them flap.
    """
    new, municipality = 0, db.allowance(session)
    for repository in db.repositories(session):
        if repository.closing_at is not None:
            continue
        if health_of(repository, now) == "overdue":
            new += raise_alert(session, repository, "overdue", now)
        _, _, oldest = objects_db.lag(session, repository.id)
        if oldest is not None and now - oldest > LONGEST_LAG:
            new += raise_alert(session, repository, "lag", now)
        elif (raised := db.open_alert(session, repository.id, "lag")) and (oldest is None or oldest > raised.raised_at):
            clear_alert(session, repository, "lag", now)
        new += _watch_keys(session, repository, now)
        new += _watch_space(session, repository, municipality, now)
    return new


def _watch_space(session: Session, repository: RepositoryRow, municipality: AllowanceRow, now: datetime) -> bool:
    told = db.open_alert(session, repository.id, "nearly-full") is not None
    if any(is_nearly_full(db.allowance_of(row), told=told) for row in (repository, municipality)):
        return raise_alert(session, repository, "nearly-full", now)
    clear_alert(session, repository, "nearly-full", now)
    return False


def _watch_keys(session: Session, repository: RepositoryRow, now: datetime) -> bool:
    """Nobody thinks of a key for a year, and then every backup of its machine fails."""
    if any(_ends_unnoticed(key, others, now) for key, others in _live_keys(session, repository, now)):
        return raise_alert(session, repository, "key-ending", now)
    clear_alert(session, repository, "key-ending", now)
    return False


def _live_keys(
    session: Session, repository: RepositoryRow, now: datetime
) -> Iterator[tuple[AccessKeyRow, list[AccessKeyRow]]]:
    """Each key that opens something, and all of them that its machine has."""
    live = [key for key in db.keys(session, repository.id) if key.revoked_at is None and key.expires_at > now]
    for key in live:
        yield key, [other for other in live if (other.name, other.mode) == (key.name, key.mode)]


def _ends_unnoticed(key: AccessKeyRow, of_machine: list[AccessKeyRow], now: datetime) -> bool:
    soon = now + KEY_ENDS
    made_to_stay = key.expires_at - key.created_at > FOR_A_MOMENT
    return made_to_stay and all(other.expires_at <= soon for other in of_machine)


def last_look(session: Session) -> datetime | None:
    """When the worker last looked at the clock and at the recovery points; None before the first time."""
    row = session.get(TrustedTimeRow, 1)
    return row.seen if row else None


def is_silent(session: Session, now: datetime) -> bool:
    """Whether the watch itself has stopped: then no alert of it can be waited for."""
    seen = last_look(session)
    return seen is not None and now - seen > SILENT
