"""What the clock does by itself and what it tells: forecasts counted anew, warnings before the end, the monthly rate."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from libs.common import audit, heads
from libs.common.actor import Actor
from libs.common.clock import JST, local_date
from libs.common.errors import Conflict, Invalid, say
from services.eapply.db import ApplicationRow, DeletedRateRow, ProcedureRow
from services.eapply.db.tables import in_states
from services.eapply.domain.history import What
from services.eapply.domain.states import COUNTING, OPEN
from services.eapply.use_cases import cases, mails

BATCH = 200
WARNED_BEFORE = 3
"""Working days left from which the section is warned."""
FARTHEST = timedelta(days=14)
"""Calendar days within which three working days surely lie, year end and own closures included, or nearly so."""


def reached(session: Session, actor: Actor, application_id: str, seen_version: int, day: date, now: datetime) -> None:
    """The application came on from the 経由機関 on `day`: from the next day on the deciding office's own time runs."""
    row = cases.load_for_step(session, application_id, seen_version)
    procedure = cases.definition_of(session, row)
    if procedure.standard.transit_days is None or row.reached_on is not None or row.state not in OPEN:
        raise Conflict(say("この申請は、経由機関から届くのを待っていません。"), code="wrong-state", state=row.state)
    if not local_date(row.arrived_at) <= day <= local_date(now):
        sentence = say("届いた日は、受け付けた日から今日までの日にしてください。")
        raise Invalid(sentence, fields={"reached": sentence})
    row.reached_on = day
    cases.forecast_again(session, row, now)
    cases.touch(row, now)
    cases.note(session, row, What.REACHED, actor, now)
    audit.record(session, actor, "eapply.application.reached", row.id, detail={"day": day.isoformat()}, now=now)


def forecast_again(session: Session, after: str, now: datetime) -> str | None:
    """Count the due days of one batch of open applications anew; where to go on, None at the end."""
    statement = select(ApplicationRow).where(in_states(OPEN), ApplicationRow.id > after)
    rows = list(session.scalars(statement.order_by(ApplicationRow.id).limit(BATCH).with_for_update()))
    for each in cases.seen_many(session, rows, now):
        if each.period and each.period.due != each.row.due_on:
            each.row.due_on = each.period.due
    return rows[-1].id if len(rows) == BATCH else None


def warn(session: Session, site: str, now: datetime) -> int:
    """Tell those who work on them of applications whose time is nearly over, once for each due day; how many."""
    today = local_date(now)
    statement = select(ApplicationRow).where(
        in_states(COUNTING),
        ApplicationRow.due_on <= today + FARTHEST,
        or_(ApplicationRow.alerted_for.is_(None), ApplicationRow.alerted_for != ApplicationRow.due_on),
    )
    rows = list(session.scalars(statement.order_by(ApplicationRow.due_on).limit(BATCH).with_for_update()))
    warned = [each for each in cases.seen_many(session, rows, now) if _is_near(each)]
    for each in warned:
        each.row.alerted_for = each.row.due_on
        mails.lapsing(session, each, site, now)
    return len(warned)


def _is_near(each: cases.Seen) -> bool:
    period = each.period
    return period is not None and not period.on_the_way and not period.paused and period.left <= WARNED_BEFORE


@dataclass(frozen=True, slots=True)
class Rate:
    """Decisions of one procedure in one month. `within` of `counted` kept their 標準処理期間; `decided` also counts
    those without one. `average` and `longest`: working days used."""

    title: str
    decided: int
    counted: int
    within: int
    average: float | None
    longest: int | None


@dataclass(frozen=True, slots=True)
class _Sum:
    """What a rate is made of: as in `DeletedRateRow`."""

    decided: int = 0
    counted: int = 0
    within: int = 0
    days_used: int = 0
    longest: int | None = None

    def __add__(self, other: "_Sum") -> "_Sum":
        longest = max((each for each in (self.longest, other.longest) if each is not None), default=None)
        return _Sum(
            self.decided + other.decided, self.counted + other.counted, self.within + other.within,
            self.days_used + other.days_used, longest,
        )  # fmt: skip


def monthly(session: Session, month: date) -> list[Rate]:
    """The rates of the month that `month` lies in, by procedure's title (行政手続法6条: whether the period is kept). Those whose
    保存期間 is over are in it."""
    first, end = _bounds(month)
    of_stored = (
        select(
            ApplicationRow.procedure_id,
            func.count(),
            func.count(ApplicationRow.days_used),
            func.count().filter(ApplicationRow.within_period.is_(True)),
            func.coalesce(func.sum(ApplicationRow.days_used), 0),
            func.max(ApplicationRow.days_used),
        )
        .where(ApplicationRow.decided_at >= first, ApplicationRow.decided_at < end)
        .group_by(ApplicationRow.procedure_id)
    )
    row = DeletedRateRow
    of_deleted = select(row.procedure_id, row.decided, row.counted, row.within, row.days_used, row.longest).where(
        row.month == month.replace(day=1)
    )
    sums: dict[str, _Sum] = {}
    for procedure_id, *parts in (*session.execute(of_stored), *session.execute(of_deleted)):
        sums[procedure_id] = sums.get(procedure_id, _Sum()) + _Sum(*parts)
    titles = select(ProcedureRow.id, ProcedureRow.title).where(ProcedureRow.id.in_(sums)).order_by(ProcedureRow.title)
    return [_rate(title, sums[procedure_id]) for procedure_id, title in session.execute(titles).tuples()]


def _rate(title: str, of: _Sum) -> Rate:
    average = float(of.days_used / of.counted) if of.counted else None
    return Rate(title, of.decided, of.counted, of.within, average, of.longest)


def keep_rate(session: Session, gone: Iterable[ApplicationRow]) -> None:
    """These are about to be deleted: how their period was kept stays in the month's rate."""
    sums: dict[tuple[str, date], _Sum] = {}
    for row in gone:
        if row.decided_at is not None:
            place = row.procedure_id, local_date(row.decided_at).replace(day=1)
            sums[place] = sums.get(place, _Sum()) + _sum_of(row)
    for (procedure_id, month), more in sums.items():
        key = {"procedure_id": procedure_id, "month": month}
        kept = heads.locked(session, DeletedRateRow, key, asdict(_Sum()))
        whole = _Sum(kept.decided, kept.counted, kept.within, kept.days_used, kept.longest) + more
        kept.decided, kept.counted, kept.within = whole.decided, whole.counted, whole.within
        kept.days_used, kept.longest = whole.days_used, whole.longest


def _sum_of(row: ApplicationRow) -> _Sum:
    if row.days_used is None:
        return _Sum(decided=1)
    return _Sum(1, 1, int(row.within_period is True), row.days_used, row.days_used)


def _bounds(month: date) -> tuple[datetime, datetime]:
    """The first moment of the month in Japan, and that of the next."""
    first = datetime(month.year, month.month, 1, tzinfo=JST)
    following = first + timedelta(days=31)
    return first, datetime(following.year, following.month, 1, tzinfo=JST)


def whole(rates: Iterable[Rate]) -> tuple[int, int]:
    """(within, counted) of all procedures together."""
    rates = list(rates)
    return sum(rate.within for rate in rates), sum(rate.counted for rate in rates)
