"""The officials' desk: tenders from the draft to the publication, applications, questions, papers."""

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Forbidden, Invalid, NotFound, say
from libs.common.web import Link
from services.ebid.api import announced, drafting
from services.ebid.api.bidder import envelope_of
from services.ebid.api.public import named, phase_of, words
from services.ebid.api.shell import (
    Form,
    base,
    changing,
    form,
    moment_of,
    now_of,
    office,
    reading,
    render,
    spoken_all,
    store_of,
    to,
)
from services.ebid.db import TenderRow
from services.ebid.domain import procedure, states
from services.ebid.domain.states import Step
from services.ebid.use_cases import (
    breakdowns,
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
    tenders,
)

router = APIRouter()
DESK = "/t/{code}/ebid/desk"
TENDER = f"{DESK}/tenders/{{tender_id}}"
OFFICER, MANAGER = "ebid.officer", "ebid.manager"
LIST = say("入札の案件")
COMPONENTS = {
    "direct": say("直接工事費（直接測量費、直接調査費）"),
    "temporary": say("共通仮設費"),
    "site": say("現場管理費"),
    "survey": say("測量調査費"),
    "indirect": say("間接調査費"),
    "analysis": say("解析等調査業務費"),
    "general": say("一般管理費等（諸経費）"),
}
"""Parts of the design price, as `domain.limits` names them."""


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


@router.get(f"{DESK}/approvals", summary="Tenders that wait for approval", tags=["desk"])
def approvals(request: Request, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        rows = [row for row in tenders.for_the_desk(session) if row.state == states.State.REVIEW]
    return render(
        request, "desk/approvals.html", desk=True, title=say("承認を待つ案件"), crumbs=(Link(say("承認"), "", True),), rows=rows
    )  # fmt: skip


@router.get(f"{DESK}/new", summary="Begin a tender", tags=["desk"])
def new(request: Request, plan: str = "", actor: Actor = access.staff(OFFICER)) -> Response:
    with reading(request, actor) as session:
        typed = drafting.usual(profiles.of(session))
        if plan:
            planned = plans.load(session, plan)
            typed |= {name: getattr(planned, name) for name in ("title", "summary", "place", "category", "method")} | {
                "plan": plan
            }
    return _form_page(request, actor, None, typed, [], {})


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
        context: dict[str, Any] = {
            "papers": documents.listed(session, row),
            "questions": questions.listed(session, row, answered=False),
            "applications": participation.listed(session, row),
            "given": {each.trustee_id: each for each in opening.given_by(session, row, held.number)},
            "opened": named(session, rounds),
            "needs_sealing": sealed.needs_sealing(row),
            "place_of": opening.place_of(row, actor),
            "contract": contracts.of(session, row),
            "breakdowns": [each for each in breakdowns.of_round(session, row, 1) if each.problems is not None],
            "proposals": proposals.listed(session, row),
            "scores": scores.of(session, row),
            "scores_fixed": scores.are_fixed(session, row),
            "outages": (missed := outages.before_deadline(session, row, held)),
            "missed_minutes": outages.minutes(missed),
        }
    may = {step.value: states.may(row.state, step) for step in Step}
    method = procedure.METHODS[row.method]
    return render(
        request, "desk/tender.html", desk=True, title=row.title, crumbs=(Link(row.title, "", True),), row=row, rounds=rounds,
        held=held, phase=phase_of(request, row, held), may=may, typed=typed, errors=errors, method=method, words=words(request),
        address=f"{base(request)}/desk/tenders/{row.id}", actor=actor, status_code=status_code,
        rounds_allowed=procedure.rounds_of(row.method, row.category), announced=announced.lines(request, row), **context,
    )  # fmt: skip


# ---- papers


@router.post(f"{TENDER}/documents", include_in_schema=False)
def add_document(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    upload = sent.uploads.get("document")
    if upload is None:
        return show(request, actor, tender_id, {}, {"document": say("ファイルを選んでください。")}, 422)
    try:
        stored = documents.keep(store_of(request), actor.tenant or "", upload.file)
    except Invalid as refusal:
        return show(request, actor, tender_id, {}, {"document": refusal.message}, 422)
    name = upload.filename or ""
    findings = documents.scanned(store_of(request), actor.tenant or "", stored, name)
    with changing(request, actor) as session:
        documents.attach(session, actor, tender_id, sent.number("version"), stored, name, now_of(request), findings)
    return to(f"{base(request)}/desk/tenders/{tender_id}#papers")


@router.post(f"{TENDER}/documents/{{file_id}}/remove", include_in_schema=False)
def remove_document(
    request: Request, tender_id: str, file_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form
) -> Response:
    with changing(request, actor) as session:
        documents.remove(session, actor, tender_id, sent.number("version"), file_id, now_of(request))
    return to(f"{base(request)}/desk/tenders/{tender_id}#papers")


@router.get(f"{TENDER}/breakdowns/{{company_id}}", summary="A bidder's 内訳書, after the opening", tags=["desk"])
def breakdown(request: Request, tender_id: str, company_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        found = [each for each in breakdowns.of_round(session, row, 1) if each.company_id == company_id]
        if not found:
            raise NotFound(say("この会社の内訳書はありません。"))
        content = breakdowns.content_of(found[0])
    ending = "xlsx" if content.startswith(b"PK") else "json"
    headers = {
        "Content-Disposition": csvout.attachment(f"{row.number}-内訳書.{ending}"),
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


# ---- sealing the limits, approval


@router.get(f"{TENDER}/limits", summary="The page on which an official seals 予定価格", tags=["desk"])
def limits_page(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        head = json.dumps(sealed.limits_header(row).document())
        ceiling = drafting.ceiling(row.category, row.terms.get("ground", {}).get("clause", ""), profiles.of(session))
    title = say("予定価格に封をする")
    return render(
        request, "desk/limits.html", desk=True, title=title,
        crumbs=(Link(row.title, f"../{row.id}"), Link(title, "", True)), row=row, head=head,
        rule=row.terms["limits"], tax=row.terms["tax"], ceiling=ceiling, parts=spoken_all(request, COMPONENTS),
        address=f"{base(request)}/desk/tenders/{row.id}",
    )  # fmt: skip


@router.post(f"{TENDER}/limits", include_in_schema=False)
def seal_limits(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    with changing(request, actor) as session:
        tenders.load(session, tender_id)
        tenders.seal_limits(session, actor, tender_id, sent.number("version"), envelope_of(sent), now_of(request))
    return to(f"{base(request)}/desk/tenders/{tender_id}")


@router.post(f"{TENDER}/submit", include_in_schema=False)
def submit(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    with changing(request, actor) as session:
        tenders.submit(session, actor, tender_id, sent.number("version"), now_of(request))
    return to(f"{base(request)}/desk/tenders/{tender_id}")


@router.get(f"{DESK}/approvals/{{tender_id}}", summary="What is to be published", tags=["desk"])
def approval_page(request: Request, tender_id: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        held = tenders.round_of(session, row, 1)
        papers = documents.listed(session, row)
    return render(
        request, "desk/approval.html", desk=True, title=say("公告の承認"),
        crumbs=(Link(say("承認"), "./"), Link(row.title, "", True)), row=row, held=held, papers=papers,
        words=words(request), method=procedure.METHODS[row.method], same=row.drafted_by == actor.subject,
        announced=announced.lines(request, row),
        address=f"{base(request)}/desk/approvals/{row.id}",
    )  # fmt: skip


@router.post(f"{DESK}/approvals/{{tender_id}}/publish", include_in_schema=False)
def publish(request: Request, tender_id: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    with changing(request, actor) as session:
        tenders.publish(
            session,
            actor,
            tender_id,
            sent.number("version"),
            office(request),
            now_of(request),
            warned=sent.get("warned") == "1",
        )
    return to(f"{base(request)}/tenders/{tender_id}/")


@router.post(f"{DESK}/approvals/{{tender_id}}/return", include_in_schema=False)
def give_back(request: Request, tender_id: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    with changing(request, actor) as session:
        tenders.give_back(session, actor, tender_id, sent.number("version"), sent.get("reason")[:1000], now_of(request))
    return to(f"{base(request)}/desk/approvals")


# ---- while it is published


@router.post(f"{TENDER}/postpone", include_in_schema=False)
def postpone(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        until, opens = moment_of(sent, "bid_until", say("入札の締切")), moment_of(sent, "opens_at", say("開札"))
        with changing(request, actor) as session:
            tenders.postpone(
                session, actor, tender_id, sent.number("version"), until, opens, sent.get("reason")[:1000], office(request),
                now_of(request),
            )  # fmt: skip
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, refusal.fields, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}")


@router.post(f"{TENDER}/cancel", include_in_schema=False)
def cancel(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            reason = sent.get("cancel_reason")[:1000]
            tenders.cancel(session, actor, tender_id, sent.number("version"), reason, office(request), now_of(request))
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, {"cancel_reason": refusal.fields["reason"]}, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}")


@router.post(f"{TENDER}/applications/{{company_id}}", include_in_schema=False)
def decide_application(
    request: Request, tender_id: str, company_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form
) -> Response:
    try:
        with changing(request, actor) as session:
            confirmed = sent.get("decision") == "confirmed"
            participation.decide(
                session, actor, tender_id, company_id, confirmed, sent.get("reason")[:1000], now_of(request)
            )
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, {f"reason-{company_id}": refusal.fields["reason"]}, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}#applications")


@router.post(f"{TENDER}/invitations", include_in_schema=False)
def invite(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            participation.invite(session, actor, tender_id, sent.get("corporate_number")[:40], now_of(request))
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, {"corporate_number": refusal.message}, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}#applications")


@router.post(f"{TENDER}/questions/{{question_id}}", include_in_schema=False)
def answer(
    request: Request, tender_id: str, question_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form
) -> Response:
    try:
        with changing(request, actor) as session:
            site = office(request).site(request.path_params["code"])
            questions.answer(session, actor, tender_id, question_id, sent.get("answer"), site, now_of(request))
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, {f"answer-{question_id}": refusal.message}, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}#questions")
