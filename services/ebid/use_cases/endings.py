"""A company's registration ends: whoever acts for it is told in time, once for each step, and its page says so."""

from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from libs.common import heads, notices
from libs.common.clock import local_date
from libs.common.notices import NoticeRow
from libs.common.web import dates
from services.ebid.db import CompanyPersonRow, CompanyRow, EndingToldRow
from services.ebid.domain import company
from services.ebid.use_cases import letters

PORTION = 200
"""Companies told in one transaction."""
MAIL = notices.template(Path(__file__).parents[1] / "templates" / "notices" / "ending.txt")


def tell(session: Session, site: str, now: datetime) -> int:
    """Tell up to PORTION companies; how many. `site`: the cloud's public address, without a slash at the end."""
    today = local_date(now)
    due = list(session.scalars(_due(today)))
    persons = letters.persons(session, [row.id for row in due])
    for row in due:
        days = company.alert(row.valid_until, today)
        told = {"company_id": row.id, "valid_until": row.valid_until, "days": days, "told_at": now}
        if not heads.added(session, EndingToldRow, told):  # another worker was first
            continue
        left = (row.valid_until - today).days
        context = {"company": row.name, "day": dates.day(row.valid_until), "left": left, "site": site}
        for person in persons[row.id]:
            notices.send(session, to_person=person, template=MAIL, context=context, now=now)
    return len(due)


def _due(today: date) -> Select[tuple[CompanyRow]]:
    """Companies somebody acts for (a 共同企業体 is none) that reached a step of which they were not told yet."""
    steps = sorted(company.ALERTS)
    reached = [
        and_(
            CompanyRow.valid_until.between(today + timedelta(days=before + 1), today + timedelta(days=days)),
            ~exists().where(
                EndingToldRow.company_id == CompanyRow.id,
                EndingToldRow.valid_until == CompanyRow.valid_until,
                EndingToldRow.days == days,
            ),
        )
        for before, days in zip([-company.LATE - 1, *steps[:-1]], steps, strict=True)
    ]
    acted_for = CompanyRow.id.in_(select(CompanyPersonRow.company_id))
    return select(CompanyRow).where(acted_for, or_(*reached)).order_by(CompanyRow.id).limit(PORTION)


def told(session: Session, person: str) -> list[NoticeRow]:
    """What this person was told of endings, newest first."""
    return [each for each in notices.inbox(session, person, limit=100) if each.template == MAIL.name]
