"""Staff's steps: take a case, decide it with reasons and 教示."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import audit, outbox
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from services.eapply import events
from services.eapply.db import ApplicationRow
from services.eapply.domain.fees import Charge
from services.eapply.domain.history import What
from services.eapply.domain.states import Outcome, State, Step
from services.eapply.forms.definition import Procedure
from services.eapply.forms.text import cleaned
from services.eapply.use_cases import cases, consult, cosign, delivery, fees, mails, proposals, retention, visits, who

MAX_TEXT = 4000


def open_case(session: Session, actor: Actor, application_id: str, now: datetime) -> ApplicationRow:
    """Look at a case: it is read from now on, and that somebody looked is recorded."""
    row = cases.load(session, application_id)
    if row.unread and row.assignee in (None, actor.subject):
        row.unread = False
    audit.record(session, actor, "eapply.application.read", row.id, now=now)
    return row


def take(session: Session, actor: Actor, application_id: str, seen_version: int, now: datetime) -> ApplicationRow:
    """Be the one who works on it (審査の開始, 行政手続法7条)."""
    row = cases.load_for_step(session, application_id, seen_version)
    first = row.state == State.SUBMITTED
    cases.advance(row, Step.TAKE, now)
    row.assignee, row.assignee_name, row.unread = actor.subject, actor.name, False
    if first:
        cases.note(session, row, What.TAKEN, actor, now)
    audit.record(session, actor, "eapply.application.take", row.id, now=now)
    return row


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` is needed unless everything is approved (行政手続法8条); `remark` is for the applicant, too."""

    outcome: str
    reason: str = ""
    remark: str = ""


def decide(
    session: Session,
    actor: Actor,
    application_id: str,
    seen_version: int,
    decision: Decision,
    now: datetime,
    *,
    site: str,
) -> ApplicationRow:
    """Decide alone. Raises Conflict where the procedure wants a second person, or another section has not agreed yet."""
    row = cases.load_for_step(session, application_id, seen_version)
    who.refuse_own(session, actor, row)
    procedure = cases.definition_of(session, row)
    checked(procedure, decision)
    if procedure.handling.second_person:
        raise Conflict(
            say("この手続きは、別の人の決裁が要ります。「起案する」から進めてください。"), code="approval-needed"
        )
    refuse_unready(session, row, decision.outcome, now)
    conclude(session, actor, row, decision, Step.DECIDE, now, site=site)
    return row


def refuse_unready(session: Session, row: ApplicationRow, outcome: str, now: datetime) -> None:
    """Raises Conflict while something has to come before the decision: a 合議, a fee, a 連署 where it is granted."""
    if outcome != Outcome.REFUSED:
        cosign.refuse_incomplete(row)
    consult.refuse_while_open(session, row)
    fees.refuse_unpaid(session, row, outcome, now)


def conclude(
    session: Session, actor: Actor, row: ApplicationRow, decision: Decision, step: Step, now: datetime, *, site: str
) -> None:
    """Make the decision. The notice (処分通知) carries reason and 教示 as they are at this moment."""
    procedure = cases.definition_of(session, row)
    document = _notice(procedure, decision)
    cases.advance(row, step, now)
    row.outcome, row.decided_at, row.decision, row.unread = decision.outcome, now, document, False
    row.assignee, row.assignee_name = row.assignee or actor.subject, row.assignee_name or actor.name
    _keep_period(session, row, now)
    cases.note(session, row, What.DECIDED, actor, now, document["word"])
    audit.record(
        session, actor, "eapply.application.decide", row.id, document["reason"], {"outcome": decision.outcome}, now=now
    )
    fact = events.ApplicationDecided(application_id=row.id, outcome=Outcome(decision.outcome).value, decided_at=now)
    outbox.add(session, fact, subject=row.id, now=now)
    retention.ended(row, procedure, now)
    delivery.prepare(session, row, procedure, now)
    mails.decided(session, row, procedure, site, now)
    if decision.outcome == Outcome.REFUSED:
        fees.drop_unpaid(session, row, now)
        return
    charge = fees.open_charge(session, actor.code or "", row, procedure, "after", now)
    if charge is not None and charge.charge_state == Charge.DUE:
        mails.fee_due(session, row, procedure, site, charge.due_on, now)


def _keep_period(session: Session, row: ApplicationRow, now: datetime) -> None:
    """How the case ended in its 標準処理期間, for the monthly rate."""
    standing = cases.seen(session, row, now).period
    if standing is not None:
        row.days_used, row.within_period = standing.used, not standing.passed


def checked(procedure: Procedure, decision: Decision) -> Decision:
    """The decision with its texts cleaned. Raises Invalid without an outcome, or without the reason it needs."""
    if decision.outcome not in set(Outcome):
        raise Invalid("結果を選んでください。", fields={"outcome": "結果を選んでください。"})
    reason = cleaned(decision.reason, lines=True)[:MAX_TEXT]
    if decision.outcome != Outcome.APPROVED and not reason:
        sentence = "理由を入力してください。申請した方が、なぜそうなったかを読んでわかるように書いてください。"
        raise Invalid("理由が必要です（行政手続法8条）。", fields={"reason": sentence}, code="reason-needed")
    return Decision(decision.outcome, reason, cleaned(decision.remark, lines=True)[:MAX_TEXT])


def _notice(procedure: Procedure, decision: Decision) -> dict[str, str]:
    decision = checked(procedure, decision)
    return {
        "word": getattr(procedure.outcomes, decision.outcome),
        "reason": decision.reason,
        "remark": decision.remark,
        "remedy": procedure.remedy,
        "department": procedure.department,
    }


def withdraw(
    session: Session, actor: Actor, application_id: str, seen_version: int, reason: str, now: datetime, *, site: str
) -> ApplicationRow:
    """The applicant takes the application back, any time before the decision."""
    row = who.own_application(session, actor, application_id, now, lock=True)
    if row.state == State.WITHDRAWN:
        return row
    if row.version != seen_version:
        raise cases.changed_meanwhile(session, row)
    cases.advance(row, Step.WITHDRAW, now)
    correction = cases.open_correction(session, row.id, lock=True)
    if correction is not None:
        correction.cancelled_at = now
    proposals.end_open(session, actor, row, "withdrawn", now)
    fees.cancel(session, row, now)
    visits.give_back(session, actor, row, now)
    retention.ended(row, cases.definition_of(session, row), now)
    row.unread = True
    cases.note(session, row, What.WITHDRAWN, actor, now, cleaned(reason, lines=True)[:MAX_TEXT])
    audit.record(session, actor, "eapply.application.withdraw", row.id, reason, now=now)
    outbox.add(session, events.ApplicationWithdrawn(application_id=row.id, withdrawn_at=now), subject=row.id, now=now)
    mails.withdrawn(session, row, cases.definition_of(session, row), site, now)
    mails.tell(session, row.assignee, "担当している申請が取り下げられました", row, site, now)
    return row
