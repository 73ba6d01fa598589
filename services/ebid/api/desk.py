"""The officials' desk: all tenders, drafts, and the page of one with everything that can be done now."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Forbidden, Invalid, say
from libs.common.web import Link
from services.ebid.api import announced, drafting
from services.ebid.api.public import named, phase_of, words, words_of
from services.ebid.api.shell import (
    Form,
    base,
    changing,
    form,
    now_of,
    office,
    reading,
    render,
    to,
)
from services.ebid.api.wording import by_round, telling
from services.ebid.db import TenderRow
from services.ebid.domain import procedure, states
from services.ebid.domain.states import Step
from services.ebid.use_cases import (
    awards,
    breakdowns,
    companies,
    contracts,
    documents,
    opening,
    outages,
    participation,
    plans,
    profiles,
    proposals,
    questions,
    scores,
    sealed,
    suspending,
    tenders,
)

router = APIRouter()
DESK = "/t/{code}/ebid/desk"
TENDER = f"{DESK}/tenders/{{tender_id}}"
OFFICER, MANAGER = "ebid.officer", "ebid.manager"
LIST = say("入札の案件")


@router.get(f"{DESK}/", summary="All tenders, drafts too", tags=["desk"])
def listing(request: Request, actor: Actor = access.person()) -> Response:
    """Officers' list; who only approves or holds a key is sent to their own room. Forbidden for everybody else."""
    if not actor.has(OFFICER):
        return to(f"{base(request)}/desk/{_own_room(actor)}")
    with reading(request, actor) as session:
        rows = [
            {"row": row, "held": held, "phase": phase_of(request, row, held)}
            for row in tenders.for_the_desk(session)
            for held in [tenders.round_of(session, row, row.round)]
        ]
    return render(request, "desk/list.html", desk=True, title=LIST, rows=rows, words=words(request))


def _own_room(actor: Actor) -> str:
    for role, room in ((MANAGER, "approvals"), ("ebid.trustee", "trustees"), ("ebid.watcher", "watching")):
        if actor.has(role):
            return room
    raise Forbidden("この操作をする権限がありません。権限は、管理者の窓口で変えられます。", code="missing-right")


@router.get(f"{DESK}/new", summary="Begin a tender", tags=["desk"])
def new(
    request: Request, plan: str = "", like: str = "", ground: str = "", actor: Actor = access.staff(OFFICER)
) -> Response:
    """`like`: an ended tender to be announced once more; `ground`: "8" for a 随意契約 after it (施行令167条の2第1項8号)."""
    chosen: list[str] = []
    with reading(request, actor) as session:
        typed = drafting.usual(profiles.of(session))
        if like:
            ended = tenders.load(session, like)
            typed |= drafting.once_more(session, ended, negotiated=ground == "8")
            chosen = [each["id"] for each in ended.trustees]
        if plan:
            planned = plans.load(session, plan)
            typed |= {name: getattr(planned, name) for name in ("title", "summary", "place", "category", "method")} | {
                "plan": plan
            }
    return _form_page(request, actor, None, typed, chosen, {})


@router.post(f"{DESK}/new", include_in_schema=False)
def create(request: Request, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            row = _drafted(session, request, actor, sent)
    except Invalid as refusal:
        return _form_page(request, actor, None, sent.typed, sent.all("trustees"), _fields(refusal), 422)
    return to(f"{base(request)}/desk/tenders/{row.id}")


def _drafted(session: Session, request: Request, actor: Actor, sent: Form) -> TenderRow:
    """A new draft, perhaps from a plan, whose OCID it carries on."""
    wanted, now = (
        drafting.read(sent, profiles.of(session), now_of(request), stamped=office(request).tsa is not None),
        now_of(request),
    )
    plan = sent.get("plan")
    ocid = plans.load(session, plan).ocid if plan else None
    row = tenders.draft(session, actor, wanted, office(request), now, ocid)
    if plan:
        plans.use(session, plan, row.id, now)
    return row


def _fields(refusal: Invalid) -> dict[str, str]:
    return refusal.fields or {"title": refusal.message}


@router.get(f"{TENDER}/edit", summary="Change a draft", tags=["desk"])
def edit_page(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        values = drafting.typed(session, row) | {"version": str(row.version)}
    return _form_page(request, actor, tender_id, values, [each["id"] for each in row.trustees], {})


@router.post(f"{TENDER}/edit", include_in_schema=False)
def edit(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            tenders.load(session, tender_id)
            tenders.edit(
                session,
                actor,
                tender_id,
                sent.number("version"),
                drafting.read(sent, profiles.of(session), now_of(request), stamped=office(request).tsa is not None),
                now_of(request),
            )
    except Invalid as refusal:
        return _form_page(request, actor, tender_id, sent.typed, sent.all("trustees"), _fields(refusal), 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}")


def _form_page(
    request: Request, actor: Actor, tender_id: str | None, typed: dict[str, str], chosen: list[str], errors: dict[str, str],
    status_code: int = 200,
) -> Response:  # fmt: skip
    with reading(request, actor) as session:
        offered = drafting.options(session=session, request=request)
    title = say("案件を直す") if tender_id else say("案件を作る")
    return render(
        request, "desk/form.html", desk=True, title=title, crumbs=(Link(title, "", True),), typed=typed, chosen=chosen,
        errors=errors, options=offered, tender_id=tender_id, status_code=status_code,
    )  # fmt: skip


@router.get(TENDER, summary="One tender at the desk", tags=["desk"])
def tender_page(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    return show(request, actor, tender_id, {}, {})


def show(
    request: Request,
    actor: Actor,
    tender_id: str,
    typed: dict[str, str],
    errors: dict[str, str],
    status_code: int = 200,
) -> Response:
    """The case page with everything an official may do now."""
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        rounds = tenders.rounds_of(session, row)
        held = rounds[-1]
        candidate, today = (held.result or {}).get("candidate"), local_date(now_of(request))
        context: dict[str, Any] = {
            "papers": documents.listed(session, row),
            "questions": questions.listed(session, row, answered=False),
            "applications": participation.listed(session, row),
            "given": {each.trustee_id: each for each in opening.given_by(session, row, held.number)},
            "opened": named(session, rounds),
            "negotiable": awards.negotiable(session, row),
            "unanswered": tenders.unanswered(row, rounds),
            "needs_sealing": sealed.needs_sealing(row),
            "place_of": opening.place_of(row, actor),
            "contract": (contract := contracts.of(session, row)),
            "changes": contracts.changes(contract),
            "breakdowns": [each for each in breakdowns.of_round(session, row, 1) if each.problems is not None],
            "proposals": proposals.listed(session, row),
            "scores": scores.of(session, row),
            "scores_fixed": scores.are_fixed(session, row),
            "outages": (missed := outages.before_deadline(session, row, held)),
            "missed_minutes": outages.minutes(missed),
            "suspended": suspending.of_bidder(session, candidate, today),
            "unfit": companies.unfit(session, candidate, today),
        }
    may = {step.value: states.may(row.state, step) for step in Step}
    method = procedure.METHODS[row.method]
    return render(
        request, "desk/tender.html", desk=True, title=row.title, crumbs=(Link(row.title, "", True),), row=row, rounds=rounds,
        held=held, phase=phase_of(request, row, held), may=may, typed=typed, errors=errors, method=method, words=words_of(request, row),
        address=f"{base(request)}/desk/tenders/{row.id}", actor=actor, status_code=status_code,
        rounds_allowed=procedure.rounds_of(row.method, row.category), announced=announced.lines(request, row),
        tell=telling(request, row, held), ways=by_round(request, row, rounds), **context,
    )  # fmt: skip
