"""An applicant books a time at the window."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, say
from libs.common.web import Link
from services.eapply.api.applications import APPLICATION
from services.eapply.api.shell import STATUS, Form, base, changing, form, now_of, reading, render, shown, spoken, to
from services.eapply.use_cases import calendar, cases, visits, who

router = APIRouter()
VISIT = say("窓口に来る日時を予約する")


@router.get(f"{APPLICATION}/visit", include_in_schema=False)
def visit_page(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    return _page(request, actor, application_id)


@router.post(f"{APPLICATION}/visit", include_in_schema=False)
def book(request: Request, application_id: str, actor: Actor = access.guest(), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            visits.book(session, actor, application_id, sent.get("slot"), now_of(request))
    except Conflict as refusal:
        return _page(request, actor, application_id, spoken(request, refusal.message), 409)
    return to(f"{base(request)}/applications/{application_id}")


@router.post(f"{APPLICATION}/visit/cancel", include_in_schema=False)
def cancel(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    with changing(request, actor) as session:
        visits.cancel(session, actor, application_id, now_of(request))
    return to(f"{base(request)}/applications/{application_id}")


def _page(request: Request, actor: Actor, application_id: str, problem: str = "", status_code: int = 200) -> Response:
    now = now_of(request)
    with reading(request, actor) as session:
        row = who.own_application(session, actor, application_id, now)
        visits.refuse_unless_offered(session, row)
        procedure = shown(request, cases.definition_of(session, row))
        offered = visits.bookable(session, now)
        booked = visits.booked(session, row.id)
        closed = booked is not None and not calendar.is_open(session, local_date(booked.starts_at))
    address = f"{base(request)}/applications/{application_id}"
    days: dict[object, list[visits.Offered]] = {}
    for each in offered:
        days.setdefault(local_date(each.slot.starts_at), []).append(each)
    return render(
        request, "visit.html", crumbs=(Link(STATUS, address), Link(VISIT, "", True)), title=VISIT, row=row,
        procedure=procedure, days=days, booked=booked, closed=closed, address=address, problem=problem, status_code=status_code,
    )  # fmt: skip
