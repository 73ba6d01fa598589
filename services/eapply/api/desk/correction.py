"""The desk asks for a correction: which fields, why, by when."""

from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, say
from libs.common.web import Link
from services.eapply.api.desk.shared import CASE, RECEIVED, REVIEWER, conflict_page, do
from services.eapply.api.shell import Form, Texts, base, changing, form, now_of, reading, render, site, to, typed_date
from services.eapply.domain import states
from services.eapply.domain.states import State, Step
from services.eapply.use_cases import calendar, cases, correct

router = APIRouter()
CORRECTION = say("補正を求める")


@router.get(f"{CASE}/correction", include_in_schema=False)
def correction_page(request: Request, application_id: str, actor: Actor = access.staff(REVIEWER)) -> Response:
    """The fields that were chosen, each with room for its reason."""
    now = now_of(request)
    with reading(request, actor) as session:
        seen = cases.seen(session, cases.load(session, application_id), now)
        due = _suggested_due(session, now)
    states.after(State(seen.row.state), Step.REQUEST_CORRECTION)
    picked = request.query_params.getlist("fields")
    errors: dict[str, str] = {} if picked else {"fields": say("直していただく項目を、1つ以上選んでください。")}
    return _correction_page(request, seen, picked, errors, due, seen.row.version)


@router.post(f"{CASE}/correction", include_in_schema=False)
def request_correction(
    request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form
) -> Response:
    now = now_of(request)
    try:
        with changing(request, actor) as session:
            wanted = [correct.Wanted(path, sent.get(f"reason:{path}")) for path in sent.all("fields")]
            correct.request(
                session, actor, application_id, sent.number("version"), wanted, sent.get("message"), typed_date(sent, "due"), now,
                site=site(request), cosign_again=sent.get("cosign_again") != "no",
            )  # fmt: skip
    except Invalid as refusal:
        with reading(request, actor) as session:
            seen = cases.seen(session, cases.load(session, application_id), now)
        typed = dict(reversed(sent.pairs))
        return _correction_page(request, seen, sent.all("fields"), refusal.fields, typed, sent.number("version"), 422)
    except Conflict as refusal:
        return conflict_page(request, actor, application_id, refusal)
    return to(f"{base(request)}/desk/cases/{application_id}")


def _correction_page(
    request: Request,
    seen: cases.Seen,
    picked: list[str],
    errors: dict[str, str],
    typed: dict[str, str],
    version: int,
    status_code: int = 200,
) -> Response:
    address = f"{base(request)}/desk/cases/{seen.row.id}"
    crumbs = (
        Link(RECEIVED, f"{base(request)}/desk/"),
        Link(seen.row.receipt_number, address),
        Link(CORRECTION, "", True),
    )
    chosen = [place for place in correct.places(seen.procedure, seen.row) if place.path in picked]
    return render(
        request, "desk/correction.html", desk=True, crumbs=crumbs, title=CORRECTION, seen=seen, chosen=chosen,
        errors=Texts(errors), typed=Texts(typed), version=version, address=address, status_code=status_code,
    )  # fmt: skip


@router.post(f"{CASE}/correction/cancel", include_in_schema=False)
def cancel_correction(
    request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form
) -> Response:
    def step(session: Session) -> None:
        correct.cancel(
            session, actor, application_id, sent.number("version"), sent.get("cancel_reason"), now_of(request)
        )

    return do(request, actor, application_id, sent, step)


def _suggested_due(session: Session, now: datetime) -> dict[str, str]:
    """In two weeks, on a day when somebody at the desk can be asked."""
    day = calendar.open_from(session, local_date(now) + timedelta(days=14))
    return {"due_era": "reiwa", "due_year": str(day.year - 2018), "due_month": str(day.month), "due_day": str(day.day)}
