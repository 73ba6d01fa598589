"""The numbers a council asks for: applications online and on paper, per procedure and 年度."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from libs.common import audit, heads, outbox
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import Invalid, NotFound, say
from services.eapply import events
from services.eapply.db import ApplicationRow, DeletedCountRow, PaperCountRow, ProcedureRow
from services.eapply.domain.numbers import Count

MOST = 10_000_000


@dataclass(frozen=True, slots=True)
class Line:
    procedure_id: str
    title: str
    count: Count


def of_year(session: Session, year: int) -> list[Line]:
    """Every procedure with its applications of the 年度, by title. Withdrawn ones are in it: they were filed. So are those whose
    保存期間 is over."""
    arrived = (
        select(ApplicationRow.procedure_id, ApplicationRow.channel, func.count())
        .where(ApplicationRow.fiscal_year == year)
        .group_by(ApplicationRow.procedure_id, ApplicationRow.channel)
    )
    deleted = select(DeletedCountRow.procedure_id, DeletedCountRow.channel, DeletedCountRow.applications).where(
        DeletedCountRow.fiscal_year == year
    )
    counted = (
        select(PaperCountRow.procedure_id, func.sum(PaperCountRow.applications))
        .where(PaperCountRow.month.between(date(year, 4, 1), date(year + 1, 3, 31)))
        .group_by(PaperCountRow.procedure_id)
    )
    totals: dict[str, Count] = {}
    for procedure_id, channel, number in (*session.execute(arrived).tuples(), *session.execute(deleted).tuples()):
        count = Count(online=number) if channel == "online" else Count(paper=number)
        totals[procedure_id] = totals.get(procedure_id, Count()) + count
    for procedure_id, number in session.execute(counted).tuples():
        totals[procedure_id] = totals.get(procedure_id, Count()) + Count(paper=int(number))
    rows = session.execute(select(ProcedureRow.id, ProcedureRow.title).order_by(ProcedureRow.title)).tuples()
    return [Line(procedure_id, title, totals.get(procedure_id, Count())) for procedure_id, title in rows]


def keep_count(session: Session, gone: Iterable[ApplicationRow]) -> None:
    """These are about to be deleted: what they count for stays."""
    for key, number in Counter((row.procedure_id, row.fiscal_year, row.channel) for row in gone).items():
        procedure_id, year, channel = key
        place = {"procedure_id": procedure_id, "fiscal_year": year, "channel": channel}
        heads.locked(session, DeletedCountRow, place, {"applications": 0}).applications += number


def whole(lines: list[Line]) -> Count:
    return sum((line.count for line in lines), Count())


def count_paper(
    session: Session, actor: Actor, procedure_id: str, month: date, applications: int, now: datetime
) -> PaperCountRow:
    """Say how many came on paper in a month, in place of what was said before. The council's figures follow."""
    month = month.replace(day=1)
    _check(session, procedure_id, month, applications, now)
    none = {"applications": 0, "entered_by": actor.subject, "entered_at": now}
    row = heads.locked(session, PaperCountRow, {"procedure_id": procedure_id, "month": month}, none)
    added = applications - row.applications
    row.applications, row.entered_by, row.entered_at = applications, actor.subject, now
    audit.record(session, actor, "eapply.paper.count", procedure_id, detail={"month": month.isoformat()}, now=now)
    if added:
        fact = events.PaperCounted(
            procedure_id=procedure_id, fiscal_year=fiscal_year(month), month=month, applications=applications,
            added=added, counted_at=now,
        )  # fmt: skip
        outbox.add(session, fact, subject=f"{procedure_id}:{month:%Y-%m}", now=now)
    return row


def _check(session: Session, procedure_id: str, month: date, applications: int, now: datetime) -> None:
    if session.scalar(select(ProcedureRow.id).where(ProcedureRow.id == procedure_id)) is None:
        raise NotFound(say("その手続きは見つかりません。"))
    errors = {}
    if not date(2000, 1, 1) <= month <= local_date(now):
        errors["month"] = say("月は、今月までの月を「2026-11」のように入力してください。")
    if not 0 <= applications <= MOST:
        errors["applications"] = say("件数を、0以上の数字で入力してください。")
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)


def paper_counts(session: Session, year: int) -> list[tuple[str, PaperCountRow]]:
    """(procedure's title, count) of the 年度, newest month first."""
    joined = select(ProcedureRow.title, PaperCountRow).join(ProcedureRow, ProcedureRow.id == PaperCountRow.procedure_id)
    in_year = joined.where(PaperCountRow.month.between(date(year, 4, 1), date(year + 1, 3, 31)))
    return [
        (title, row) for title, row in session.execute(in_year.order_by(PaperCountRow.month.desc(), ProcedureRow.title))
    ]
