"""The absence of success must alarm: nobody reports a backup that was never tried, nor a watch that has ended."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from services.backup.db import RepositoryRow, TrustedTimeRow
from services.backup.db import objects as objects_db
from services.backup.db import repositories as db
from services.backup.domain.points import Health, health
from services.backup.use_cases.alerts import clear_alert, raise_alert

SILENT = timedelta(minutes=15)
"""The worker looks every minute; after so long without a look nobody is watching."""
LONGEST_LAG = timedelta(hours=24)
"""What is at one site for so long is told of: then that site is all there is."""


def health_of(repository: RepositoryRow, now: datetime) -> Health:
    return health(repository.last_point_at, repository.created_at, repository.promised_hours, now)


def watch(session: Session, now: datetime) -> int:
    """Raise an alert for each repository whose recovery point, or whose copy at the second site, is late. Returns how many are new.

    Only a point that arrives ends the first (`store.keep`), only copying ends the second: a clock that is set back and forth does
    not make them flap.
    """
    new = 0
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
    return new


def last_look(session: Session) -> datetime | None:
    """When the worker last looked at the clock and at the recovery points; None before the first time."""
    row = session.get(TrustedTimeRow, 1)
    return row.seen if row else None


def is_silent(session: Session, now: datetime) -> bool:
    """Whether the watch itself has stopped: then no alert of it can be waited for."""
    seen = last_look(session)
    return seen is not None and now - seen > SILENT
