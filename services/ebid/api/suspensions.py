"""指名停止 of all municipalities: imposed, changed, ended early."""

from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Invalid, Refusal, say
from libs.common.web import Link
from services.ebid.api.desk import DESK, OFFICER
from services.ebid.api.shell import Form, base, changing, form, now_of, office, places_of, reading, render, to
from services.ebid.use_cases import companies, suspending

router = APIRouter()
TITLE = say("指名停止")
PATH = f"{DESK}/suspensions"


@router.get(PATH, summary="指名停止 of all municipalities", tags=["desk"])
def page(request: Request, actor: Actor = access.staff(OFFICER)) -> Response:
    return _page(request, actor, {}, {})


@router.post(PATH, include_in_schema=False)
def suspend(request: Request, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        first, last = _span(sent)
        with changing(request, actor) as session:
            row = companies.by_number(session, sent.get("corporate_number")[:40])
            suspending.suspend(
                session, actor, row, first, last, sent.get("reason")[:1000], office(request), now_of(request)
            )
    except Refusal as refusal:
        errors = getattr(refusal, "fields", {}) or {"corporate_number": refusal.message}
        return _page(request, actor, sent.typed, errors, refusal.status)
    return to(f"{base(request)}/desk/suspensions")


@router.post(f"{PATH}/{{suspension_id}}/change", include_in_schema=False)
def change(request: Request, suspension_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    """Another span; the first day of one that has begun stays as it was."""
    try:
        with changing(request, actor) as session:
            suspending.running(session, suspension_id, now_of(request))  # whose it is comes before what was typed
            first, last = _span(sent)
            reason = sent.get("reason")[:1000]
            suspending.change(session, actor, suspension_id, first, last, reason, office(request), now_of(request))
    except Invalid as refusal:
        return _page(request, actor, sent.typed, _of(suspension_id, refusal), 422, suspension_id)
    return to(f"{base(request)}/desk/suspensions")


@router.post(f"{PATH}/{{suspension_id}}/end", include_in_schema=False)
def end(request: Request, suspension_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            suspending.end(
                session, actor, suspension_id, sent.get("end_reason")[:1000], office(request), now_of(request)
            )
    except Invalid as refusal:
        errors = {f"end_reason-{suspension_id}": refusal.fields["reason"]}
        return _page(request, actor, sent.typed, errors, 422, suspension_id)
    return to(f"{base(request)}/desk/suspensions")


def _span(sent: Form) -> tuple[date, date]:
    try:
        return date.fromisoformat(sent.get("first")), date.fromisoformat(sent.get("last"))
    except ValueError:
        sentence = say("期間を入力してください。")
        raise Invalid(sentence, fields={"first": sentence}) from None


def _of(suspension_id: str, refusal: Invalid) -> dict[str, str]:
    """Errors of one entry's own form."""
    return {f"{name}-{suspension_id}": told for name, told in refusal.fields.items()}


def _page(
    request: Request, actor: Actor, typed: dict[str, str], errors: dict[str, str], status_code: int = 200, open_: str = "",
) -> Response:  # fmt: skip
    today = local_date(now_of(request))
    with reading(request, actor) as session:
        rows = suspending.listed(session, today)
        before = suspending.changes(session, [told.id for told, _ in rows])
        places = places_of(session)
    running = [(told, row) for told, row in rows if suspending.in_force(told, today)]
    over = [(told, row) for told, row in rows if not suspending.in_force(told, today)]
    return render(
        request, "desk/suspensions.html", desk=True, title=TITLE, crumbs=(Link(TITLE, "", True),), running=running[::-1],
        over=over, before=before, places=places, own=actor.tenant, typed=typed, errors=errors, open_=open_,
        number_of=companies.number_of, status_code=status_code,
    )  # fmt: skip
