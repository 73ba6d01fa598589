"""決裁: one person proposes the decision, another approves it or sends it back. Nobody approves what they proposed."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Forbidden, Invalid, say
from libs.common.ids import new_id
from services.eapply.db import ApplicationRow, MemberRow, ProposalRow
from services.eapply.domain.history import What
from services.eapply.domain.states import Step
from services.eapply.forms.text import cleaned
from services.eapply.use_cases import cases, mails, proposals, review, who

MANAGER = "eapply.manager"


def propose(
    session: Session,
    actor: Actor,
    application_id: str,
    seen_version: int,
    decision: review.Decision,
    now: datetime,
    *,
    site: str,
) -> ApplicationRow:
    """起案: put a decision before those who may approve it. The applicant sees nothing of it yet."""
    row = cases.load_for_step(session, application_id, seen_version)
    who.refuse_own(session, actor, row)
    decision = review.checked(cases.definition_of(session, row), decision)
    review.refuse_unready(session, row, decision.outcome, now)
    cases.advance(row, Step.PROPOSE, now)
    session.add(
        ProposalRow(
            id=new_id(),
            application_id=row.id,
            outcome=decision.outcome,
            reason=decision.reason,
            remark=decision.remark,
            proposed_by=actor.subject,
            proposed_by_name=actor.name,
            proposed_at=now,
        )
    )
    row.assignee, row.assignee_name = row.assignee or actor.subject, row.assignee_name or actor.name
    cases.note(session, row, What.PROPOSED, actor, now)
    audit.record(session, actor, "eapply.decision.propose", row.id, detail={"outcome": decision.outcome}, now=now)
    for approver in _approvers(session, actor):
        mails.tell(session, approver, "決裁を待っている申請があります", row, site, now)
    return row


def approve(
    session: Session, actor: Actor, application_id: str, seen_version: int, now: datetime, *, site: str
) -> ApplicationRow:
    """決裁する: the proposed decision is made. Raises Forbidden for the one who proposed it, and without the right; Conflict
    where something has come between since it was proposed (a 合議, a fee that is paid no more)."""
    row, proposal = _to_judge(session, actor, application_id, seen_version)
    decision = review.Decision(proposal.outcome, proposal.reason, proposal.remark)
    review.refuse_unready(session, row, decision.outcome, now)
    review.conclude(session, actor, row, decision, Step.APPROVE, now, site=site)
    proposals.end(proposal, actor, "approved", now)
    mails.tell(session, proposal.proposed_by, "起案が決裁されました", row, site, now)
    return row


def send_back(
    session: Session, actor: Actor, application_id: str, seen_version: int, comment: str, now: datetime, *, site: str
) -> ApplicationRow:
    """差戻し: back to the one who proposed it, with the reason."""
    row, proposal = _to_judge(session, actor, application_id, seen_version)
    comment = cleaned(comment, lines=True)[: review.MAX_TEXT]
    if not comment:
        sentence = say("差し戻す理由を入力してください。")
        raise Invalid(sentence, fields={"comment": sentence})
    cases.advance(row, Step.SEND_BACK, now)
    proposals.end(proposal, actor, "returned", now, comment)
    row.unread = True
    cases.note(session, row, What.SENT_BACK, actor, now, comment)
    audit.record(session, actor, "eapply.decision.send_back", row.id, reason=comment, now=now)
    mails.tell(session, proposal.proposed_by, "起案が差し戻されました", row, site, now)
    return row


def recall(session: Session, actor: Actor, application_id: str, seen_version: int, now: datetime) -> ApplicationRow:
    """引戻し: whoever works on the case takes the proposal back before it is judged."""
    row = cases.load_for_step(session, application_id, seen_version)
    cases.advance(row, Step.RECALL, now)
    proposals.end_open(session, actor, row, "recalled", now)
    cases.note(session, row, What.RECALLED, actor, now)
    audit.record(session, actor, "eapply.decision.recall", row.id, now=now)
    return row


def may_judge(actor: Actor, proposal: ProposalRow | None) -> bool:
    return proposal is not None and MANAGER in actor.roles and proposal.proposed_by != actor.subject


def _to_judge(
    session: Session, actor: Actor, application_id: str, seen_version: int
) -> tuple[ApplicationRow, ProposalRow]:
    row = cases.load_for_step(session, application_id, seen_version)
    proposal = proposals.open_proposal(session, row.id, lock=True)
    if proposal is None:
        raise cases.changed_meanwhile(session, row)
    if not may_judge(actor, proposal):
        raise Forbidden(say("起案した人とは別の、決裁する権限のある人だけが決裁できます。"), code="not-the-approver")
    who.refuse_own(session, actor, row)
    return row, proposal


def _approvers(session: Session, actor: Actor) -> list[str]:
    found = select(MemberRow.subject).where(MemberRow.approves, MemberRow.subject != actor.subject)
    return list(session.scalars(found.order_by(MemberRow.subject).limit(20)))
