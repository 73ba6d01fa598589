"""Recovery points as the server saw them arrive. What a client says about its own time is never believed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from statistics import median
from typing import Literal

from libs.common.clock import JST, local_date

Health = Literal["waiting", "well", "overdue"]

FLOOD_LEAST = 256 * 1024 * 1024
FLOOD_TIMES = 10
FLOOD_HISTORY = 5
MASS_SHARE = 0.5
DROP_LEAST = 1024 * 1024
DROP_TIMES = 20
DROP_HISTORY = 7
DROP_SHARE = 0.5
HISTORY = max(FLOOD_HISTORY, DROP_HISTORY)
"""Recovery points looked back at."""


def health(last_point_at: datetime | None, created_at: datetime, promised_hours: int, now: datetime) -> Health:
    """Whether a recovery point is as young as promised. A new repository has the same time for its first one."""
    if now - (last_point_at or created_at) > timedelta(hours=promised_hours):
        return "overdue"
    return "well" if last_point_at else "waiting"


@dataclass(frozen=True, slots=True)
class Day:
    """One day in Japan: how many points arrived, and whether at its every moment the youngest was as young as promised."""

    day: date
    arrived: int
    kept: bool


def days(
    arrivals: Sequence[datetime], created_at: datetime, promised_hours: int, now: datetime, count: int
) -> list[Day]:
    """The last `count` days, youngest first: what was expected beside what was seen. `arrivals` are oldest first.

    A promise of 26 hours is broken on the day on which 26 hours had passed without a point, up to the point that came.
    """
    promised = timedelta(hours=promised_hours)
    starts = [created_at, *(moment for moment in arrivals if moment > created_at)]
    broken: set[date] = set()
    for begun, ended in pairwise([*starts, now]):
        late = begun + promised
        while late < ended:
            broken.add(local_date(late))
            late = datetime.combine(local_date(late) + timedelta(days=1), time(), JST)
    counted = Counter(local_date(moment) for moment in arrivals)
    today = local_date(now)
    wanted = [today - timedelta(days=n) for n in range(count)]
    return [Day(day, counted[day], day not in broken) for day in wanted if day >= local_date(created_at)]


def is_flood(added: int, earlier: Sequence[int]) -> bool:
    """Whether this point brought far more new bytes than the ones before: files encrypted by an intruder look like that."""
    if len(earlier) < FLOOD_HISTORY:
        return False
    usual = median(earlier[-FLOOD_HISTORY:])
    return added >= FLOOD_LEAST and added >= FLOOD_TIMES * max(usual, 1)


def is_drop(added: int, stored: int, earlier: Sequence[tuple[int, int]]) -> bool:
    """Whether this point brought far less than each of the week before, or most of what was stored is gone.

    `earlier`: (added, stored) of the points before, oldest first. A weekend is part of every week, so a quiet day is no
    alarm; an empty folder where a disk is no longer mounted is one.
    """
    if earlier and stored < earlier[-1][1] * DROP_SHARE and earlier[-1][1] >= DROP_LEAST:
        return True
    if len(earlier) < DROP_HISTORY:
        return False
    least = min(before for before, _ in earlier[-DROP_HISTORY:])
    return least >= DROP_LEAST and added * DROP_TIMES < least


def is_mass_deletion(deleted_points: int, points_before: int) -> bool:
    """Whether so many recovery points were deleted within a day that somebody must look."""
    return points_before >= 2 and deleted_points >= 2 and deleted_points / points_before > MASS_SHARE
