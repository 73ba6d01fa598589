"""予定価格 is sealed, another person approves and publishes, dates are moved, a tender is taken back."""

import json

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from libs.common.web import Link
from services.ebid.api import announced, drafting
from services.ebid.api.bidder import envelope_of
from services.ebid.api.desk import DESK, MANAGER, OFFICER, TENDER, show
from services.ebid.api.public import words_of
from services.ebid.api.script_words import script_words
from services.ebid.api.shell import (
    Form,
    base,
    changing,
    demand,
    form,
    moment_of,
    now_of,
    office,
    reading,
    render,
    service_of,
    spoken_all,
    to,
)
from services.ebid.api.wording import telling
from services.ebid.domain import procedure, states
from services.ebid.use_cases import (
    announcing,
    deadlines,
    documents,
    log,
    profiles,
    sealed,
    tenders,
)

router = APIRouter()
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


@router.get(f"{TENDER}/limits", summary="The page on which an official seals 予定価格", tags=["desk"])
def limits_page(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        head = json.dumps(sealed.limits_header(row).document())
        ceiling = drafting.ceiling(row.category, row.terms.get("ground", {}).get("clause", ""), profiles.of(session))
    announced_price = "announced_limits" in row.terms
    title = say("%(what)sに封をする", what=say("最低制限価格など") if announced_price else say("予定価格"))
    return render(
        request, "desk/limits.html", desk=True, title=title,
        crumbs=(Link(row.title, f"../{row.id}"), Link(title, "", True)), row=row, head=head,
        rule=row.terms["limits"], tax=row.terms["tax"], ceiling=ceiling, parts=spoken_all(request, COMPONENTS),
        address=f"{base(request)}/desk/tenders/{row.id}", tell=telling(request, row, None),
        script_words=script_words(request),
    )  # fmt: skip


@router.post(f"{TENDER}/limits", include_in_schema=False)
def seal_limits(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    with changing(request, actor) as session:
        tenders.load(session, tender_id)
        announcing.seal_limits(session, actor, tender_id, sent.number("version"), envelope_of(sent), now_of(request))
    return to(f"{base(request)}/desk/tenders/{tender_id}")


@router.post(f"{TENDER}/submit", include_in_schema=False)
def submit(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    with changing(request, actor) as session:
        announcing.submit(session, actor, tender_id, sent.number("version"), now_of(request))
    return to(f"{base(request)}/desk/tenders/{tender_id}")


@router.get(f"{DESK}/approvals", summary="Tenders that wait for approval", tags=["desk"])
def approvals(request: Request, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        rows = [row for row in tenders.for_the_desk(session) if row.state == states.State.REVIEW]
    return render(
        request, "desk/approvals.html", desk=True, title=say("承認を待つ案件"), crumbs=(Link(say("承認"), "", True),), rows=rows
    )  # fmt: skip


@router.get(f"{DESK}/approvals/{{tender_id}}", summary="What is to be published", tags=["desk"])
def approval_page(request: Request, tender_id: str, actor: Actor = access.staff(MANAGER)) -> Response:
    demand(request, actor, "publish")
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        held = tenders.round_of(session, row, 1)
        papers = documents.listed(session, row)
    tell = telling(request, row, held)
    return render(
        request, "desk/approval.html", desk=True, title=tell("公告の承認"),
        crumbs=(Link(say("承認"), "../approvals"), Link(row.title, "", True)), row=row, held=held, papers=papers,
        words=words_of(request, row), method=procedure.METHODS[row.method], same=row.drafted_by == actor.subject,
        announced=announced.lines(request, row), tell=tell,
        address=f"{base(request)}/desk/approvals/{row.id}",
    )  # fmt: skip


@router.post(f"{DESK}/approvals/{{tender_id}}/publish", include_in_schema=False)
def publish(request: Request, tender_id: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    demand(request, actor, "publish")
    with changing(request, actor) as session:
        announcing.publish(
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
        announcing.give_back(
            session, actor, tender_id, sent.number("version"), sent.get("reason")[:1000], now_of(request)
        )
    return to(f"{base(request)}/desk/approvals")


@router.post(f"{TENDER}/postpone", include_in_schema=False)
def postpone(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        until, opens = moment_of(sent, "bid_until", say("締切")), moment_of(sent, "opens_at", say("開く日時"))
        with changing(request, actor) as session:
            now = log.moment(session, service_of(request).clock)
            deadlines.postpone(
                session,
                actor,
                tender_id,
                sent.number("version"),
                until,
                opens,
                sent.get("reason")[:1000],
                office(request),
                now,
            )
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, refusal.fields, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}")


@router.post(f"{TENDER}/cancel", include_in_schema=False)
def cancel(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            reason = sent.get("cancel_reason")[:1000]
            announcing.cancel(
                session, actor, tender_id, sent.number("version"), reason, office(request), now_of(request)
            )
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, {"cancel_reason": refusal.fields["reason"]}, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}")
