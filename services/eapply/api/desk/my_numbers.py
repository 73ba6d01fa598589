"""The vault at the desk: a number shown once, for a reason; and the managers' second look at who looked."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from libs.common.web import Link
from services.eapply import vault
from services.eapply.api.desk.shared import CASE, DESK, MANAGER, RECEIVED, REVIEWER
from services.eapply.api.shell import Form, Texts, base, changing, form, now_of, reading, render, service_of, to
from services.eapply.db import ApplicationRow
from services.eapply.use_cases import cases, my_numbers

router = APIRouter()
TITLE = say("マイナンバーを見る")
RECORD = say("マイナンバーの記録")


@router.get(f"{CASE}/my-number", include_in_schema=False)
def ask_reason(
    request: Request, application_id: str, actor: Actor = access.staff(REVIEWER, acr="two-factor")
) -> Response:
    return _page(request, actor, application_id, {}, "")


@router.post(f"{CASE}/my-number", include_in_schema=False)
def show_number(
    request: Request,
    application_id: str,
    actor: Actor = access.staff(REVIEWER, acr="two-factor"),
    sent: Form = form,
) -> Response:
    """The number is in this answer only; the transaction that records it is over before it goes out."""
    try:
        with changing(request, actor) as session:
            now, opened = now_of(request), vault.of(service_of(request))
            number = my_numbers.read(session, opened, actor, application_id, sent.get("reason"), now)
    except Invalid as refusal:
        return _page(request, actor, application_id, refusal.fields, sent.get("reason"), 422)
    return _page(request, actor, application_id, {}, "", number=number)


def _page(
    request: Request,
    actor: Actor,
    application_id: str,
    errors: dict[str, str],
    reason: str,
    status_code: int = 200,
    number: str = "",
) -> Response:
    with reading(request, actor) as session:
        row: ApplicationRow = cases.load(session, application_id)
        context: dict[str, Any] = {
            "row": row, "procedure": cases.definition_of(session, row), "kept": my_numbers.kept(session, row.id),
            "readings": my_numbers.readings_of(session, row.id),
        }  # fmt: skip
    address = f"{base(request)}/desk/cases/{application_id}"
    crumbs = (Link(RECEIVED, f"{base(request)}/desk/"), Link(row.receipt_number, address), Link(TITLE, "", True))
    return render(
        request, "desk/my_number.html", desk=True, crumbs=crumbs, title=TITLE, address=address, errors=Texts(errors),
        reason=reason, status_code=status_code, number=" ".join(number[at : at + 4] for at in (0, 4, 8)) if number else "",
        **context,
    )  # fmt: skip


@router.get(f"{DESK}/my-numbers", include_in_schema=False)
def record(request: Request, actor: Actor = access.staff(MANAGER)) -> Response:
    return _record(request, actor, {})


@router.post(f"{DESK}/my-numbers/{{reading_id}}", include_in_schema=False)
def look_again(request: Request, reading_id: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            proper = sent.get("act") == "proper"
            my_numbers.look_again(session, actor, reading_id, proper, sent.get("finding"), now_of(request))
    except Invalid as refusal:
        return _record(request, actor, refusal.fields, 422)
    return to(f"{base(request)}/desk/my-numbers")


def _record(request: Request, actor: Actor, errors: dict[str, str], status_code: int = 200) -> Response:
    with reading(request, actor) as session:
        rows = my_numbers.readings(session)
    return render(
        request, "desk/my_numbers.html", desk=True, title=RECORD, rows=rows, errors=Texts(errors),
        me=actor.subject, status_code=status_code,
    )  # fmt: skip
