"""The office's calendar: weekends, holidays and the year end for everybody, and each municipality's own closures."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from libs.common import audit, heads, jobs
from libs.common.actor import Actor
from libs.common.closures import closures
from libs.common.errors import Invalid, say
from services.eapply.db import ClosureRow
from services.eapply.domain.period import Closures, open_days
from services.eapply.forms.text import cleaned

FORECAST_AGAIN = "eapply.forecast-again"
"""The job that counts all open applications anew."""
VISITS_CLOSED = "eapply.visits-closed"
"""The job that tells who booked a time on a day that was closed."""
LONGEST = timedelta(days=60)
_KEPT = "eapply.closures"


def closures_here(session: Session) -> Closures:
    """The closed days of the session's municipality. Read once in a session."""
    own = session.info.get(_KEPT)
    if own is None:
        own = session.info[_KEPT] = frozenset(session.scalars(select(ClosureRow.day)))
    return lambda first, last: {*closures(first, last), *(day for day in own if first <= day <= last)}


def is_open(session: Session, day: date) -> bool:
    """Whether the office is open on the day."""
    return bool(open_days(day, day, closures_here(session)))


def open_from(session: Session, day: date) -> date:
    """The day, or the first after it on which the office is open."""
    while not is_open(session, day):
        day += timedelta(days=1)
    return day


def own_closures(session: Session, first: date, last: date) -> list[ClosureRow]:
    """Own closures from `first` to `last`, by day."""
    found = select(ClosureRow).where(ClosureRow.day.between(first, last))
    return list(session.scalars(found.order_by(ClosureRow.day)))


def close(session: Session, actor: Actor, first: date, last: date, name: str, now: datetime) -> None:
    """The office is closed from `first` to `last`, both included, at most 60 days. Forecasts are counted anew."""
    name = cleaned(name)[:100]
    _check(first, last, name)
    for day in _days(first, last):  # a day that is closed already keeps its reason
        heads.added(session, ClosureRow, {"day": day, "name": name, "added_by": actor.subject, "added_at": now})
    _changed(session, actor, "eapply.closure.add", f"{first}/{last}", name, now)


def reopen(session: Session, actor: Actor, day: date, now: datetime) -> None:
    """The office is open on `day` after all."""
    session.execute(delete(ClosureRow).where(ClosureRow.day == day))
    _changed(session, actor, "eapply.closure.remove", f"{day}/{day}", None, now)


def _check(first: date, last: date, name: str) -> None:
    errors = {}
    if last < first or last - first > LONGEST:
        errors["last"] = say("最後の日は、最初の日から60日以内の日にしてください。")
    if not name:
        errors["name"] = say("閉庁の理由を入力してください。例：市制施行記念日")
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=offset) for offset in range((last - first).days + 1))


def _changed(session: Session, actor: Actor, action: str, subject: str, reason: str | None, now: datetime) -> None:
    session.flush()
    session.info.pop(_KEPT, None)
    audit.record(session, actor, action, subject, reason=reason, now=now)
    jobs.add(session, FORECAST_AGAIN, {}, now=now)
    jobs.add(session, VISITS_CLOSED, {}, now=now)
