"""Visits to the window: staff offer times, an applicant books one. A time is never given to more than it holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from libs.common import audit, heads
from libs.common.actor import Actor
from libs.common.clock import JST, local_date
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.web import dates
from services.eapply.db import ApplicationRow, VisitRow, VisitSlotRow
from services.eapply.domain.history import What
from services.eapply.domain.period import open_days
from services.eapply.domain.states import State
from services.eapply.forms.text import cleaned
from services.eapply.use_cases import cases, who
from services.eapply.use_cases.calendar import closures_here, is_open

AHEAD = timedelta(days=60)
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Hours:
    """Times to offer: every `minutes` from `opens` to `closes` on each open day of the office, `first` to `last`."""

    first: date
    last: date
    opens: time
    closes: time
    minutes: int
    capacity: int
    place: str


def offer(session: Session, actor: Actor, hours: Hours, now: datetime) -> int:
    """Make the times that are not there yet at this place; how many. Closed days are left out."""
    check(hours, now)
    place = cleaned(hours.place)[:200]
    here = select(VisitSlotRow.starts_at).where(VisitSlotRow.starts_at >= now, VisitSlotRow.place == place)
    known = set(session.scalars(here))
    wanted = [moment for moment in _moments(session, hours) if moment > now and moment not in known]
    if len(wanted) > MOST_AT_ONCE:
        raise Invalid(say("一度に作れるのは%(most)s枠までです。期間を短くしてください。", most=MOST_AT_ONCE))
    made = sum(heads.added(session, VisitSlotRow, _slot_at(moment, place, hours)) for moment in wanted)
    audit.record(session, actor, "eapply.visit.offer", f"{hours.first}/{hours.last}", now=now)
    return made


def _slot_at(moment: datetime, place: str, hours: Hours) -> dict[str, Any]:
    """Its id follows from time and place: two who offer the same at once offer it once."""
    id_ = str(uuid5(NAMESPACE_URL, f"visit:{moment.isoformat()}:{place}"))
    return {
        "id": id_, "starts_at": moment, "minutes": hours.minutes, "capacity": hours.capacity, "place": place,
    }  # fmt: skip


def _moments(session: Session, hours: Hours) -> Iterator[datetime]:
    closures = closures_here(session)
    for offset in range((hours.last - hours.first).days + 1):
        day = hours.first + timedelta(days=offset)
        if not open_days(day, day, closures):
            continue
        moment = datetime.combine(day, hours.opens, JST)
        while moment + timedelta(minutes=hours.minutes) <= datetime.combine(day, hours.closes, JST):
            yield moment
            moment += timedelta(minutes=hours.minutes)


def check(hours: Hours, now: datetime) -> None:
    """Raises Invalid naming every part that cannot be offered."""
    errors = {}
    if hours.last < hours.first:
        errors["last"] = say("最後の日は、最初の日か、それより後にしてください。")
    elif not local_date(now) <= hours.first <= hours.last <= local_date(now) + AHEAD:
        errors["first"] = say("期間は、今日から60日以内にしてください。")
    if hours.opens >= hours.closes:
        errors["opens"] = say("終わりの時刻は、始まりより後にしてください。")
    if not (5 <= hours.minutes <= 240 and 1 <= hours.capacity <= 50):
        errors["minutes"] = say("1枠は5分から240分、定員は1人から50人までにしてください。")
    if not cleaned(hours.place):
        errors["place"] = say("来ていただく場所を入力してください。")
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)


def remove(session: Session, actor: Actor, slot_id: str, now: datetime) -> date:
    """Take a time back; its day. Raises Conflict when somebody has booked it."""
    slot = _slot(session, slot_id)
    if _taken(session, slot.id):
        raise Conflict(say("予約の入っている枠は消せません。先に、申請した方と日時を相談してください。"))
    session.execute(delete(VisitSlotRow).where(VisitSlotRow.id == slot.id))
    audit.record(session, actor, "eapply.visit.remove", slot.id, now=now)
    return local_date(slot.starts_at)


@dataclass(frozen=True, slots=True)
class Offered:
    slot: VisitSlotRow
    left: int


def offered(session: Session, now: datetime) -> list[Offered]:
    """Times to come with the places left, soonest first."""
    taken = select(func.count()).where(VisitRow.slot_id == VisitSlotRow.id).scalar_subquery()
    found = select(VisitSlotRow, taken).where(VisitSlotRow.starts_at.between(now, now + AHEAD))
    return [
        Offered(slot, slot.capacity - count) for slot, count in session.execute(found.order_by(VisitSlotRow.starts_at))
    ]


def bookable(session: Session, now: datetime) -> list[Offered]:
    """Those of `offered` that are free, and not on a day that was closed after they were offered."""
    return [
        each for each in offered(session, now) if each.left > 0 and is_open(session, local_date(each.slot.starts_at))
    ]


def booked(session: Session, application_id: str) -> VisitSlotRow | None:
    """The time this application has."""
    joined = select(VisitSlotRow).join(VisitRow, VisitRow.slot_id == VisitSlotRow.id)
    return session.scalar(joined.where(VisitRow.application_id == application_id))


def book(session: Session, actor: Actor, application_id: str, slot_id: str, now: datetime) -> VisitSlotRow:
    """Book a time for one's own application, in place of an earlier one. Raises Conflict when it is full."""
    row = who.own_application(session, actor, application_id, now, lock=True)
    refuse_unless_offered(session, row)
    slot = _slot(session, slot_id)
    present = session.scalar(select(VisitRow).where(VisitRow.application_id == row.id))
    if present is not None and present.slot_id == slot.id:
        return slot
    if (
        slot.starts_at <= now
        or not is_open(session, local_date(slot.starts_at))
        or _taken(session, slot.id) >= slot.capacity
    ):
        raise Conflict(say("その時間は、もう予約できません。ほかの時間を選んでください。"), code="slot-full")
    if present is None:
        session.add(VisitRow(application_id=row.id, slot_id=slot.id, booked_at=now))
    else:
        present.slot_id, present.booked_at = slot.id, now
        present.closed_told_at = present.reached = None
    cases.note(session, row, What.VISIT_BOOKED, actor, now, f"{dates.moment(slot.starts_at)}　{slot.place}")
    audit.record(session, actor, "eapply.visit.book", row.id, now=now)
    return slot


def cancel(session: Session, actor: Actor, application_id: str, now: datetime) -> None:
    """Give the time back."""
    give_back(session, actor, who.own_application(session, actor, application_id, now, lock=True), now)


def give_back(session: Session, actor: Actor, row: ApplicationRow, now: datetime) -> None:
    """The time this application has is free again: whoever withdraws does not come."""
    present = session.scalar(select(VisitRow).where(VisitRow.application_id == row.id))
    if present is not None:
        session.delete(present)
        cases.note(session, row, What.VISIT_CANCELLED, actor, now)
        audit.record(session, actor, "eapply.visit.cancel", row.id, now=now)


def refuse_unless_offered(session: Session, row: ApplicationRow) -> None:
    """Raises NotFound where the procedure has no visits, or the application was withdrawn."""
    if row.state == State.WITHDRAWN or not cases.definition_of(session, row).handling.visits:
        raise NotFound(say("この申請では、窓口に来る日時の予約はできません。"))


def agenda(session: Session, day: date) -> list[tuple[VisitSlotRow, list[tuple[VisitRow, ApplicationRow]]]]:
    """The times of one day, each with who comes."""
    begin = datetime.combine(day, time(), JST)
    of_day = VisitSlotRow.starts_at.between(begin, begin + timedelta(days=1, microseconds=-1))
    slots = session.scalars(select(VisitSlotRow).where(of_day).order_by(VisitSlotRow.starts_at)).all()
    joined = select(VisitRow, ApplicationRow).join(ApplicationRow, ApplicationRow.id == VisitRow.application_id)
    coming: dict[str, list[tuple[VisitRow, ApplicationRow]]] = {slot.id: [] for slot in slots}
    for visit, row in session.execute(joined.where(VisitRow.slot_id.in_(list(coming))).order_by(VisitRow.booked_at)):
        coming[visit.slot_id].append((visit, row))
    return [(slot, coming[slot.id]) for slot in slots]


def _slot(session: Session, slot_id: str) -> VisitSlotRow:
    slot = session.scalar(select(VisitSlotRow).where(VisitSlotRow.id == slot_id).with_for_update())
    if slot is None:
        raise NotFound(say("その時間は見つかりません。一覧を開き直してください。"))
    return slot


def _taken(session: Session, slot_id: str) -> int:
    return session.scalar(select(func.count()).select_from(VisitRow).where(VisitRow.slot_id == slot_id)) or 0
