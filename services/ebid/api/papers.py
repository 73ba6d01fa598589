"""紙入札 at the desk: envelopes come in until the deadline, two persons type them at the opening."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, Refusal, say
from libs.common.web import Link
from services.ebid.api import venture_form
from services.ebid.api.desk import OFFICER, TENDER
from services.ebid.api.public import phase_of
from services.ebid.api.shell import QUIET, Form, base, changing, form, now_of, office, reading, render, service_of, to
from services.ebid.api.wording import telling
from services.ebid.domain import procedure, venture
from services.ebid.use_cases import companies, log, paper_ventures, papers, tenders

router = APIRouter(dependencies=QUIET)
TITLE = say("紙の入札")


@router.get(f"{TENDER}/papers", summary="Envelopes: take them in, type them at the opening", tags=["desk"])
def page(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    return _page(request, actor, tender_id, {}, {})


def _page(
    request: Request,
    actor: Actor,
    tender_id: str,
    typed: dict[str, str],
    errors: dict[str, str],
    status_code: int = 200,
    receipt: int = 0,
) -> Response:
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        held = tenders.round_of(session, row, row.round)
        phase = phase_of(request, row, held)
        rows = (
            [paper for paper, _ in papers.received(session, row, held.number)]
            if phase == "openable" and held.closed_at
            else []
        )
        rule = venture.rule_of(row.terms)
        names = companies.by_ids(session, {paper.company_id for paper in rows})
    return render(
        request, "desk/papers.html", desk=True, title=TITLE, crumbs=(Link(row.title, f"../{row.id}"), Link(TITLE, "", True)),
        row=row, held=held, phase=phase, rows=rows, names=names, typed=typed, errors=errors, receipt=receipt, actor=actor,
        places=range(1, rule.members) if rule else (), tell=telling(request, row, held),
        competitive=procedure.METHODS[row.method].competitive,
        address=f"{base(request)}/desk/tenders/{row.id}", status_code=status_code,
    )  # fmt: skip


@router.post(f"{TENDER}/papers", include_in_schema=False)
def receive(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    """Answered with a page at once, like any bid: a redirection would be one more line to count."""
    number, serial = sent.get("corporate_number")[:40], sent.get("serial")[:60]
    try:
        with changing(request, actor) as session:
            now = log.moment(session, service_of(request).clock)
            entry = papers.receive(session, actor, tender_id, number, serial, office(request), now, _written(sent))
            position = entry.position
    except Refusal as refusal:
        errors = getattr(refusal, "fields", {}) or {"corporate_number": refusal.message}
        return _page(request, actor, tender_id, sent.typed, errors, refusal.status)
    return _page(request, actor, tender_id, {}, {}, receipt=position + 1)


def _written(sent: Form) -> paper_ventures.Written | None:
    """The venture whose envelope it is; None for a single company's, where nothing of it was filled in."""
    name, share, partners = sent.get("name"), sent.get("own_share")[:20], venture_form.partners(sent)
    return paper_ventures.Written(name, share, partners) if name.strip() or share.strip() or partners else None


@router.post(f"{TENDER}/papers/{{company_id}}", include_in_schema=False)
def enter(
    request: Request, tender_id: str, company_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form
) -> Response:
    given = {name: sent.get(name)[:200] for name in ("amount", "lottery_number", "invalid", "agreement")}
    try:
        with changing(request, actor) as session:
            paper = papers.enter(session, actor, tender_id, company_id, given, office(request), now_of(request))
            differs = paper.first is None and paper.typed is None
    except Invalid as refusal:
        return _page(request, actor, tender_id, {}, {f"paper-{company_id}": refusal.message}, 422)
    if differs:
        sentence = say("1人目の入力と違いました。封筒を見直して、2人とも入力し直してください。")
        return _page(request, actor, tender_id, {}, {f"paper-{company_id}": sentence}, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}/papers")
