"""Times at the window: what is offered, and who comes on a day."""

from collections import Counter
from datetime import date, datetime, time

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import JST, local_date
from libs.common.errors import Invalid, say
from services.eapply.api.desk.shared import DESK, REVIEWER
from services.eapply.api.shell import (
    Form,
    Texts,
    base,
    changing,
    form,
    now_of,
    reading,
    render,
    to,
    tried,
    typed_date,
    typed_time,
)
from services.eapply.use_cases import calendar, visits

router = APIRouter()


@router.get(f"{DESK}/visits", include_in_schema=False)
def visits_page(request: Request, day: str = "", made: str = "", actor: Actor = access.staff(REVIEWER)) -> Response:
    """`made`: how many times were just made, to say so."""
    return _page(request, actor, day, {}, {}, made=made)


@router.post(f"{DESK}/visits", include_in_schema=False)
def offer(request: Request, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    try:
        now = now_of(request)
        hours = _hours(sent, now)
        with changing(request, actor) as session:
            made = visits.offer(session, actor, hours, now)
            days = [local_date(each.slot.starts_at) for each in visits.offered(session, now)]
            shown = next((day for day in days if day >= hours.first), hours.first)
    except Invalid as refusal:
        errors = refusal.fields or {"first": refusal.message}
        return _page(request, actor, "", errors, dict(reversed(sent.pairs)), 422)
    return to(f"{base(request)}/desk/visits?day={shown.isoformat()}&made={made}")


@router.post(f"{DESK}/visits/{{slot_id}}/remove", include_in_schema=False)
def remove(request: Request, slot_id: str, actor: Actor = access.staff(REVIEWER)) -> Response:
    with changing(request, actor) as session:
        day = visits.remove(session, actor, slot_id, now_of(request))
    return to(f"{base(request)}/desk/visits?day={day.isoformat()}")


def _hours(sent: Form, now: datetime) -> visits.Hours:
    """Raises Invalid naming every input that is wrong, not the first alone."""
    faults: dict[str, str] = {}
    first = tried(faults, lambda: typed_date(sent, "first"), local_date(now))
    hours = visits.Hours(
        first=first,
        last=tried(faults, lambda: typed_date(sent, "last"), first) if sent.get("last_year") else first,
        opens=tried(faults, lambda: typed_time(sent, "opens", time(9)), time(0)),
        closes=tried(faults, lambda: typed_time(sent, "closes", time(17)), time(23, 59)),
        minutes=sent.number("minutes"),
        capacity=sent.number("capacity"),
        place=sent.get("place"),
    )
    tried(faults, lambda: visits.check(hours, now), None)
    if faults:
        raise Invalid(say("直していただくところがあります。"), fields=faults)
    return hours


def _page(
    request: Request,
    actor: Actor,
    day: str,
    errors: dict[str, str],
    typed: dict[str, str],
    status_code: int = 200,
    made: str = "",
) -> Response:
    now = now_of(request)
    with reading(request, actor) as session:
        offered = visits.offered(session, now)
        days = sorted({local_date(each.slot.starts_at) for each in offered} | {local_date(now)})
        coming: Counter[date] = Counter()
        for each in offered:
            coming[local_date(each.slot.starts_at)] += each.slot.capacity - each.left
        shown = _shown(day, days)
        agenda = visits.agenda(session, shown)
        closed = bool(agenda) and not calendar.is_open(session, shown)
    return render(
        request, "desk/visits.html", desk=True, title=say("窓口の予約"), agenda=agenda, closed=closed, days=days, coming=coming,
        shown=shown, jst=JST, errors=Texts(errors), typed=Texts(typed), made=int(made) if made.isascii() and made.isdigit() else None,
        status_code=status_code,
    )  # fmt: skip


def _shown(day: str, days: list[date]) -> date:
    try:
        return datetime.fromisoformat(day).date()
    except ValueError:
        return days[0]
