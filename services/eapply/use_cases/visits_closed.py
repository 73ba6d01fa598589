"""Days that were closed after somebody had booked a time on them: who booked is told, once, and asked to choose another time."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.web import dates
from services.eapply.db import ApplicationRow, VisitRow, VisitSlotRow
from services.eapply.domain.history import What
from services.eapply.use_cases import calendar, cases, mails

KEEPER = Actor("service", "eapply", "窓口の予約")


def tell(session: Session, site: str, now: datetime) -> int:
    """Tell everybody whose coming visit is on a day that is closed now, or open again after they were told; how many. Whoever has
    been told is told nothing twice, however often this runs: the visit says so in the same transaction."""
    coming = (
        select(VisitRow, VisitSlotRow, ApplicationRow)
        .join(VisitSlotRow, VisitSlotRow.id == VisitRow.slot_id)
        .join(ApplicationRow, ApplicationRow.id == VisitRow.application_id)
        .where(VisitSlotRow.starts_at > now)
        .order_by(VisitSlotRow.starts_at, VisitRow.application_id)
        .with_for_update(of=VisitRow)
    )
    told = 0
    for visit, slot, row in session.execute(coming).all():
        closed = not calendar.is_open(session, local_date(slot.starts_at))
        if closed == (visit.closed_told_at is not None):
            continue
        _tell(session, visit, slot, row, closed, site, now)
        told += 1
    return told


def _tell(
    session: Session, visit: VisitRow, slot: VisitSlotRow, row: ApplicationRow, closed: bool, site: str, now: datetime
) -> None:
    said = mails.visit_closed if closed else mails.visit_open_again
    visit.closed_told_at = now if closed else None
    visit.reached = said(session, row, cases.definition_of(session, row), slot.starts_at, site, now)
    what = What.VISIT_CLOSED if closed else What.VISIT_OPEN_AGAIN
    cases.note(session, row, what, KEEPER, now, dates.moment(slot.starts_at))
    audit.record(session, KEEPER, f"eapply.visit.{what.value.removeprefix('visit_')}", row.id, now=now)
