"""One case: looking at it, its files, and the steps that need no page of their own."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access
from libs.common.actor import Actor
from services.eapply.api import serving
from services.eapply.api.desk.shared import CASE, REVIEWER, case_context, case_page, do
from services.eapply.api.shell import Form, changing, form, now_of, site, typed_date
from services.eapply.use_cases import assign, attach, cases, clock, consult, review

router = APIRouter()


@router.get(CASE, include_in_schema=False)
def read_case(request: Request, application_id: str, actor: Actor = access.staff(REVIEWER)) -> Response:
    now = now_of(request)
    with changing(request, actor) as session:
        assign.remember(session, actor, now)
        row = review.open_case(session, actor, application_id, now)
        context = case_context(request, session, actor, row, now)
    return case_page(request, context, {}, {})


@router.get(f"{CASE}/files/{{file_id}}", include_in_schema=False)
def case_file(request: Request, application_id: str, file_id: str, actor: Actor = access.staff(REVIEWER)) -> Response:
    with changing(request, actor) as session:
        row = cases.load(session, application_id)
        attachment = attach.read_by_staff(session, actor, row, file_id, now_of(request))
    return serving.download(request, actor, attachment)


@router.post(f"{CASE}/take", include_in_schema=False)
def take(request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    def step(session: Session) -> None:
        review.take(session, actor, application_id, sent.number("version"), now_of(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/reached", include_in_schema=False)
def reached(
    request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form
) -> Response:
    """The application came on from the 経由機関."""

    def step(session: Session) -> None:
        clock.reached(
            session, actor, application_id, sent.number("version"), typed_date(sent, "reached"), now_of(request)
        )

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/assign", include_in_schema=False)
def give_to(
    request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form
) -> Response:
    def step(session: Session) -> None:
        assign.assign(
            session, actor, application_id, sent.number("version"), sent.get("to"), now_of(request), site=site(request)
        )

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/notes", include_in_schema=False)
def add_note(
    request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form
) -> Response:
    def step(session: Session) -> None:
        assign.add_note(session, actor, application_id, sent.get("note"), now_of(request))

    return do(request, actor, application_id, sent, step)


# ---- 照会, 合議


@router.post(f"{CASE}/consultations", include_in_schema=False)
def ask_section(
    request: Request, application_id: str, actor: Actor = access.staff(REVIEWER), sent: Form = form
) -> Response:
    def step(session: Session) -> None:
        question = consult.Question(sent.get("kind"), sent.get("section"), sent.get("question"))
        consult.ask(session, actor, application_id, question, now_of(request), site=site(request))

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/consultations/{{consultation_id}}/answer", include_in_schema=False)
def answer_section(
    request: Request,
    application_id: str,
    consultation_id: str,
    actor: Actor = access.staff(REVIEWER),
    sent: Form = form,
) -> Response:
    def step(session: Session) -> None:
        consult.answer(
            session, actor, application_id, consultation_id, sent.get("opinion"), sent.get("answer"), now_of(request),
            site=site(request),
        )  # fmt: skip

    return do(request, actor, application_id, sent, step)


@router.post(f"{CASE}/consultations/{{consultation_id}}/cancel", include_in_schema=False)
def cancel_consultation(
    request: Request,
    application_id: str,
    consultation_id: str,
    actor: Actor = access.staff(REVIEWER),
    sent: Form = form,
) -> Response:
    def step(session: Session) -> None:
        consult.cancel(session, actor, application_id, consultation_id, now_of(request))

    return do(request, actor, application_id, sent, step)
