"""共同企業体 of a tender, for those who are named in it. What they send goes to the bidder's one address (`bidder.send`)."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from libs.common.web import Link
from services.ebid.api import venture_form
from services.ebid.api.public import TENDER
from services.ebid.api.shell import QUIET, Form, changing, now_of, reading, render, spoken
from services.ebid.domain import venture
from services.ebid.use_cases import companies, tenders, ventures

router = APIRouter(dependencies=QUIET)
TITLE = say("共同企業体（JV）で参加する")


@router.get(f"{TENDER}/venture", summary="Ventures in which one's own company is named")
def page(request: Request, tender_id: str, actor: Actor = access.person()) -> Response:
    return _page(request, actor, tender_id, {}, {})


def _page(
    request: Request,
    actor: Actor,
    tender_id: str,
    typed: dict[str, str],
    errors: dict[str, str],
    status_code: int = 200,
) -> Response:
    with reading(request, actor) as session:
        row = tenders.load_public(session, tender_id)
        company = companies.require_own(session, actor)
        rule = venture.rule_of(row.terms)
        if rule is None:
            raise Conflict(say("この案件には、共同企業体では参加できません。"), code="no-ventures")
        found = ventures.of_company(session, row, company.id)
        still = ventures.still_forming(session, row, now_of(request))
        free = not any(each.row.leader_id == company.id or each.row.formed_at for each in found)
    announced = [spoken(request, each) for _, parts in venture_form.lines(row.terms) for each in parts]
    return render(
        request, "venture.html", title=TITLE, crumbs=(Link(row.title, "./"), Link(TITLE, "", True)), row=row, company=company,
        ventures=found, open=still, may_propose=free, announced=announced, places=range(1, rule.members), typed=typed, errors=errors,
        status_code=status_code,
    )  # fmt: skip


def propose(request: Request, actor: Actor, tender_id: str, sent: Form) -> Response:
    partners = venture_form.partners(sent)
    try:
        with changing(request, actor) as session:
            name, share = sent.get("name"), sent.get("own_share")[:20]
            ventures.propose(session, actor, tender_id, name, share, partners, now_of(request))
    except Invalid as refusal:
        return _page(request, actor, tender_id, sent.typed, refusal.fields or {"name": refusal.message}, 422)
    return _page(request, actor, tender_id, {}, {})


def agree(request: Request, actor: Actor, tender_id: str, sent: Form) -> Response:
    with changing(request, actor) as session:
        ventures.agree(session, actor, tender_id, sent.get("venture"), now_of(request))
    return _page(request, actor, tender_id, {}, {})


def leave(request: Request, actor: Actor, tender_id: str, sent: Form) -> Response:
    with changing(request, actor) as session:
        ventures.leave(session, actor, tender_id, sent.get("venture"), now_of(request))
    return _page(request, actor, tender_id, {}, {})


ACTS = {"venture": propose, "venture_agree": agree, "venture_leave": leave}
