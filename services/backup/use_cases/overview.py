"""What staff see of their repositories: the last success, what is expected, copies and lag, the last proof."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from services.backup.db import AccessKeyRow, AlertRow, DisposalRow, DrillRow, RecoveryPointRow, RepositoryRow
from services.backup.db import disposals as disposals_db
from services.backup.db import objects as objects_db
from services.backup.db import repositories as db
from services.backup.domain.points import Day, Health, days
from services.backup.use_cases import watch
from services.backup.use_cases.watch import health_of


@dataclass(frozen=True)
class Seen:
    """One repository in the list. `waiting`: objects, bytes and oldest arrival that the second site lacks."""

    row: RepositoryRow
    health: Health
    waiting: tuple[int, int, datetime | None]
    broken: int
    alerts: list[AlertRow]


SHOWN_DAYS = 14


def _days(session: Session, row: RepositoryRow, now: datetime) -> list[Day]:
    """The last two weeks; the point before them tells how long their first day could wait."""
    since = now - timedelta(days=SHOWN_DAYS + 1)
    before = db.last_arrival_before(session, row.id, since)
    arrivals = db.arrivals_since(session, row.id, since)
    return days(arrivals, before or max(row.created_at, since), row.promised_hours, now, SHOWN_DAYS)


@dataclass(frozen=True)
class Detail:
    """One repository with everything about it. `checked`: since when all objects of a site have been read again."""

    seen: Seen
    keys: list[AccessKeyRow]
    points: list[RecoveryPointRow]
    drills: list[DrillRow]
    checked: dict[str, datetime | None]
    disposal: DisposalRow | None
    days: list[Day]


@dataclass(frozen=True)
class Standing:
    """What every page says. `proven`: since when each repository that has data was restored at least once, the oldest."""

    silent: bool
    last_look: datetime | None
    proven: datetime | None
    unproven: int


def standing(session: Session, now: datetime) -> Standing:
    with_data = [row for row in db.repositories(session) if row.last_point_at is not None]
    proven = [row.last_proven_at for row in with_data if row.last_proven_at is not None]
    return Standing(
        silent=watch.is_silent(session, now),
        last_look=watch.last_look(session),
        proven=min(proven, default=None),
        unproven=len(with_data) - len(proven),
    )


def seen(session: Session, row: RepositoryRow, now: datetime) -> Seen:
    waiting, broken = objects_db.lag(session, row.id), objects_db.count_broken(session, row.id)
    return Seen(row, health_of(row, now), waiting, broken, db.open_alerts(session, row.id))


def listed(session: Session, now: datetime) -> list[Seen]:
    return [seen(session, row, now) for row in db.repositories(session)]


def detail(session: Session, repository_id: str, now: datetime) -> Detail:
    row = db.by_id(session, repository_id)
    return Detail(
        seen=seen(session, row, now),
        keys=db.keys(session, row.id),
        points=db.points(session, row.id, 20),
        drills=db.drills(session, row.id, 12),
        days=_days(session, row, now),
        disposal=disposals_db.pending(session, row.id),
        checked={site: objects_db.oldest_check(session, row.id, site) for site in ("first", "second")},
    )
