"""What a request changes in the dated history beside beginning and ending today: a first day moved, a use called off before
it began, an end agreed for a later day.

An agreed end is recorded when it is agreed, so that the count and the shares of the next year know of it; taken back, what was
believed before is believed again.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import outbox
from libs.common.clock import local_date
from libs.common.errors import Conflict, say
from services.tenants.db import subscriptions as db
from services.tenants.db.requests import RequestRow
from services.tenants.domain.history import believed
from services.tenants.domain.subscriptions import Interval, Subscription, first_day, status_on
from services.tenants.events import SubscriptionEnded, SubscriptionStarted
from services.tenants.use_cases import carrying


def move(session: Session, row: RequestRow, now: datetime) -> None:
    """The use begins on the wished day instead; if that is over by now, today."""
    coming = _coming(session, row, now)
    start = first_day(row.effective_from, local_date(now))
    own = believed(db.intervals(session, row.tenant, row.service))
    later = [replace(i, recorded_at=now) for i in own if i.kind == "joined" and i.valid_from > coming.start]  # type: ignore[operator]
    db.close(session, row.tenant, row.service, "joined", coming.start, now, row.id)  # type: ignore[arg-type]
    moved = Interval(row.tenant, row.service, "joined", start, coming.end, now)
    db.add_intervals(session, [moved, *later], row.id)
    _never_began(session, row, coming, now)
    event = SubscriptionStarted(service=row.service, from_date=start)
    outbox.add(session, event, subject=f"{row.tenant}/{row.service}", now=now)


def call_off(session: Session, row: RequestRow, now: datetime) -> None:
    """The use never begins: from now on nobody counts it, whenever its room answers that it is deleted."""
    coming = _coming(session, row, now)
    db.close(session, row.tenant, row.service, "joined", coming.start, now, row.id)  # type: ignore[arg-type]
    carrying.tell_anew(session, row.tenant, row.service, now)
    _never_began(session, row, coming, now)


def _never_began(session: Session, row: RequestRow, coming: Subscription, now: datetime) -> None:
    """Tell who has heard of the old first day: an end on the day it would have begun."""
    event = SubscriptionEnded(service=row.service, until_date=coming.start)  # type: ignore[arg-type]
    outbox.add(session, event, subject=f"{row.tenant}/{row.service}", now=now)


def _coming(session: Session, row: RequestRow, now: datetime) -> Subscription:
    """What is scheduled. Its first day may have come while the request waited."""
    found = status_on(db.intervals(session, row.tenant, row.service), row.tenant, row.service, local_date(now))
    if found.status != "scheduled":
        raise Conflict(say("開始日が来て、もう使い始めています。開始日は変えられません。"), code="begun-meanwhile")
    return found


def agree_end(session: Session, row: RequestRow, now: datetime) -> None:
    """The use ends on the day of the request."""
    assert row.effective_from is not None
    db.close(session, row.tenant, row.service, "joined", row.effective_from, now, row.id)
    carrying.tell_anew(session, row.tenant, row.service, now)


def end_no_longer(session: Session, row: RequestRow, now: datetime) -> None:
    """The agreed end holds no longer. Nothing if none was agreed, or a correction has written over it."""
    if not db.take_back(session, row.tenant, row.service, row.id, now):
        carrying.take_back_beneath(session, row.tenant, row.service, row.id, now)
    carrying.tell_anew(session, row.tenant, row.service, now)
