"""What the desk's pages share: the case with everything around it, and one step taken on it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import Conflict, Invalid, say
from libs.common.web import Link
from services.eapply import paying
from services.eapply.api.shell import (
    Form,
    Texts,
    base,
    changing,
    now_of,
    reading,
    render,
    service_of,
    spoken,
    spoken_all,
    to,
)
from services.eapply.db import ApplicationRow, HistoryRow
from services.eapply.domain import fees as fee_rules
from services.eapply.domain import states
from services.eapply.domain.history import WORDS, What
from services.eapply.domain.states import State, Step
from services.eapply.forms.show import changes, lines
from services.eapply.use_cases import (
    approve,
    assign,
    cases,
    consult,
    correct,
    cosign,
    delegates,
    delivery,
    duplicates,
    fees,
    my_numbers,
    proposals,
    together,
    visits,
)

DESK = "/t/{code}/eapply/desk"
CASE = f"{DESK}/cases/{{application_id}}"
REVIEWER = "eapply.reviewer"
MANAGER = "eapply.manager"
RECEIVED = say("受け付けた申請")


def do(request: Request, actor: Actor, application_id: str, sent: Form, step: Callable[[Session], object]) -> Response:
    """Take one step. What was typed is shown again where it has to be mended; a lost race shows what happened."""
    try:
        with changing(request, actor) as session:
            step(session)
    except Invalid as refusal:
        errors = refusal.fields or {"case": refusal.message}
        return _again(request, actor, application_id, sent, errors)
    except Conflict as refusal:
        return conflict_page(request, actor, application_id, refusal)
    return to(f"{base(request)}/desk/cases/{application_id}")


def _again(request: Request, actor: Actor, application_id: str, sent: Form, errors: dict[str, str]) -> Response:
    with reading(request, actor) as session:
        context = case_context(request, session, actor, cases.load(session, application_id), now_of(request))
    return case_page(request, context, errors, dict(reversed(sent.pairs)), 422)


def conflict_page(request: Request, actor: Actor, application_id: str, refusal: Conflict) -> Response:
    with reading(request, actor) as session:
        row = cases.load(session, application_id)
        last = cases.history(session, row.id)[-1]
        seen = cases.seen(session, row, now_of(request))
    address = f"{base(request)}/desk/cases/{application_id}"
    crumbs = (
        Link(RECEIVED, f"{base(request)}/desk/"),
        Link(row.receipt_number, address),
        Link(say("重なり"), "", True),
    )
    return render(
        request, "desk/conflict.html", desk=True, crumbs=crumbs, title=say("ほかの操作と重なりました"), refusal=refusal, last=last,
        last_words=spoken(request, WORDS[What(last.what)]), seen=seen, address=address,
        state_words=spoken(request, states.WORDS[State(row.state)]), status_code=409,
    )  # fmt: skip


def case_context(
    request: Request, session: Session, actor: Actor, row: ApplicationRow, now: datetime
) -> dict[str, Any]:
    """Everything the page of a case shows."""
    seen = cases.seen(session, row, now)
    rounds = cases.rounds(session, row.id)
    story = cases.history(session, row.id)
    return {
        "seen": seen,
        "rounds": rounds,
        "diff": changes(seen.procedure, rounds[-2].answers, rounds[-1].answers) if len(rounds) > 1 else [],
        "lines": lines(seen.procedure, row.answers),
        "places": correct.places(seen.procedure, row) if states.may(State(row.state), Step.REQUEST_CORRECTION) else [],
        "happened": [_told(request, each) for each in reversed(story)],
        "alike": duplicates.alike(session, row, seen.procedure),
        "visit": visits.booked(session, row.id),
        "letter": delivery.notice_of(session, row.id),
        "charge": (charge := fees.charge_of(session, row.id)),
        "owed": fees.owed(charge) if charge else None,
        "overdue": charge is not None and fees.overdue(charge, now),
        "back": fees.back(session, charge) if charge else None,
        "may_ask_back": paying.provider(service_of(request), session) is not None,
        "slip": paying.slip(service_of(request), session, charge),
        "bundle": together.others(session, row),
        "cosigners": cosign.asked(session, row.id),
        "cosign_words": spoken_all(request, cosign.STATES),
        "delegation": delegates.of_application(session, row),
        "number_kept": my_numbers.kept(session, row.id),
        "now": now,
        **_office(request, session, actor, row, now),
    }


def _office(request: Request, session: Session, actor: Actor, row: ApplicationRow, now: datetime) -> dict[str, Any]:
    """How the office works on the case within itself."""
    me = assign.member(session, actor.subject)
    proposal = proposals.open_proposal(session, row.id)
    return {
        "members": assign.members(session, now),
        "sections": assign.sections(session),
        "notes": assign.notes(session, row.id),
        "consultations": consult.consultations(session, row.id),
        "unheard": consult.unheard(session, row),
        "my_section": me.section if me else "",
        "may_speak": {
            kind: consult.may_speak_for_section(kind, me.section_by if me else None) for kind in consult.KINDS
        },
        "unconfirmed": spoken(request, consult.UNCONFIRMED),
        "proposal": proposal,
        "judged": [each for each in proposals.proposals(session, row.id) if each.result],
        "may_judge": approve.may_judge(actor, proposal),
    }


def _told(request: Request, each: HistoryRow) -> dict[str, Any]:
    return {"title": spoken(request, WORDS[What(each.what)]), "at": each.at, "by": each.by_name, "text": each.text}


def case_page(
    request: Request,
    context: dict[str, Any],
    errors: dict[str, str],
    typed: dict[str, str],
    status_code: int = 200,
) -> Response:
    row = context["seen"].row
    state = State(row.state)
    crumbs = (Link(RECEIVED, f"{base(request)}/desk/"), Link(row.receipt_number, "", True))
    return render(
        request, "desk/case.html", desk=True, crumbs=crumbs, title=f"{context['seen'].procedure.title} {row.receipt_number}",
        errors=Texts(errors), typed=Texts(typed), address=f"{base(request)}/desk/cases/{row.id}",
        state_words=spoken(request, states.WORDS[state]),
        may={step.value: states.may(state, step) for step in Step}, outcomes=list(states.Outcome),
        kinds=spoken_all(request, consult.KINDS), opinions=consult.OPINIONS, open_case=state in states.OPEN,
        states=spoken_all(request, states.WORDS), charges=spoken_all(request, fee_rules.WORDS),
        status_code=status_code, **context,
    )  # fmt: skip


def year_of(request: Request, text: str) -> int:
    """The 年度 asked for; this one when nothing sensible was."""
    valid = text.isascii() and text.isdigit() and 2000 <= int(text) < 2200
    return int(text) if valid else fiscal_year(local_date(now_of(request)))
