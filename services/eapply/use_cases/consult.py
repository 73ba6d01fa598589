"""照会 and 合議: another section is asked. A 合議 holds the decision up until that section agrees; a 照会 informs."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.ids import new_id
from services.eapply.db import ApplicationRow, ConsultationRow, MemberRow
from services.eapply.domain.history import What
from services.eapply.domain.states import OPEN
from services.eapply.forms.text import cleaned
from services.eapply.use_cases import cases, mails, who

KINDS = {"inquiry": say("照会"), "concurrence": say("合議")}
OPINIONS = {
    "inquiry": {"answered": say("回答する")},
    "concurrence": {"agree": say("同意する"), "object": say("同意しない")},
}
MAX_TEXT = 4000
UNCONFIRMED = say(
    "合議に回答できるのは、管理者が課を決めた職員だけです。電子申請の管理者に、「職員と課」であなたの課を決めてもらってください。"
)


@dataclass(frozen=True, slots=True)
class Question:
    """`kind`: a key of KINDS. `section`: the 課 that is asked."""

    kind: str
    section: str
    text: str


def ask(
    session: Session, actor: Actor, application_id: str, question: Question, now: datetime, *, site: str
) -> ConsultationRow:
    """Ask another section. Everybody who named it as theirs is told."""
    row = _open_case(session, application_id)
    section, text = cleaned(question.section)[:100], cleaned(question.text, lines=True)[:MAX_TEXT]
    _check(question.kind, section, text)
    consultation = ConsultationRow(
        id=new_id(),
        application_id=row.id,
        ask_kind=question.kind,
        section=section,
        question=text,
        asked_by=actor.subject,
        asked_by_name=actor.name,
        asked_at=now,
    )
    session.add(consultation)
    cases.touch(row, now)
    cases.note(session, row, What.CONSULTED, actor, now, f"{section}（{KINDS[question.kind]}）")
    audit.record(session, actor, "eapply.consultation.ask", row.id, detail={"kind": question.kind}, now=now)
    for subject in _people_of(session, section):
        mails.tell(session, subject, f"{section}への{KINDS[question.kind]}が届いています", row, site, now)
    return consultation


def answer(
    session: Session,
    actor: Actor,
    application_id: str,
    consultation_id: str,
    opinion: str,
    text: str,
    now: datetime,
    *,
    site: str,
) -> ApplicationRow:
    """Answer for one's section. Raises Conflict when it was answered or taken back meanwhile, Forbidden for those who are not of
    the section, asked it themselves, or applied."""
    row = _open_case(session, application_id)
    consultation = _find(session, row, consultation_id)
    _refuse_ended(consultation)
    _refuse_outsider(session, actor, consultation)
    who.refuse_own(session, actor, row)
    text = cleaned(text, lines=True)[:MAX_TEXT]
    if opinion not in OPINIONS[consultation.ask_kind]:
        raise Invalid(say("意見を選んでください。"), fields={"opinion": say("意見を選んでください。")})
    if opinion != "agree" and not text:
        raise Invalid(say("回答を入力してください。"), fields={"answer": say("回答を入力してください。")})
    consultation.opinion, consultation.answer = opinion, text
    consultation.answered_by, consultation.answered_by_name = actor.subject, actor.name
    consultation.answered_at, row.unread = now, True
    cases.touch(row, now)
    cases.note(session, row, What.CONSULTATION_ANSWERED, actor, now, consultation.section)
    audit.record(session, actor, "eapply.consultation.answer", row.id, detail={"opinion": opinion}, now=now)
    mails.tell(session, consultation.asked_by, f"{consultation.section}から回答が届きました", row, site, now)
    return row


def cancel(session: Session, actor: Actor, application_id: str, consultation_id: str, now: datetime) -> ApplicationRow:
    """Take the question back; for a 合議 that was not agreed to, this is how the case goes on, and it stays visible."""
    row = _open_case(session, application_id)
    consultation = _find(session, row, consultation_id)
    if consultation.cancelled_at is not None:
        return row
    consultation.cancelled_at = now
    cases.touch(row, now)
    cases.note(session, row, What.CONSULTATION_CANCELLED, actor, now, consultation.section)
    audit.record(session, actor, "eapply.consultation.cancel", row.id, now=now)
    return row


def consultations(session: Session, application_id: str) -> list[ConsultationRow]:
    """All of one application, oldest first."""
    found = select(ConsultationRow).where(ConsultationRow.application_id == application_id)
    return list(session.scalars(found.order_by(ConsultationRow.asked_at, ConsultationRow.id)))


def refuse_while_open(session: Session, row: ApplicationRow) -> None:
    """Raises Conflict while a 合議 is not agreed to."""
    waiting = [each.section for each in consultations(session, row.id) if _holds_up(each)]
    if waiting:
        sentence = say(
            "%(sections)sの合議が済んでいません。同意を待つか、合議を取り消してください。", sections="、".join(waiting)
        )
        raise Conflict(sentence, code="concurrence-open")


def _holds_up(each: ConsultationRow) -> bool:
    return each.ask_kind == "concurrence" and each.cancelled_at is None and each.opinion != "agree"


def _check(kind: str, section: str, text: str) -> None:
    errors = {}
    if kind not in KINDS:
        errors["kind"] = say("照会か合議かを選んでください。")
    if not section:
        errors["section"] = say("相手の課を入力してください。")
    if not text:
        errors["question"] = say("聞きたいことを入力してください。")
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)


def _refuse_ended(consultation: ConsultationRow) -> None:
    if consultation.answered_at is not None or consultation.cancelled_at is not None:
        raise Conflict(say("この照会は、すでに回答済みか、取り消されています。"), code="consultation-ended")


def _refuse_outsider(session: Session, actor: Actor, consultation: ConsultationRow) -> None:
    """A 合議 that the asker could agree to would be none; nor would one to which whoever names that section as theirs could."""
    member = session.scalar(select(MemberRow).where(MemberRow.subject == actor.subject))
    if member is None or member.section != consultation.section or actor.subject == consultation.asked_by:
        sentence = say(
            "%(section)sの、聞いた人とは別の職員だけが回答できます。受け付けた申請の一覧で、自分の課を確かめてください。",
            section=consultation.section,
        )
        raise Forbidden(sentence, code="not-the-section")
    if not may_speak_for_section(consultation.ask_kind, member.section_by):
        raise Forbidden(UNCONFIRMED, code="section-unconfirmed")


def may_speak_for_section(kind: str, section_by: str | None) -> bool:
    """A 照会 only informs: whoever names the section may answer it. A 合議 lets a decision go on: a manager has to have said who
    belongs to the section."""
    return kind != "concurrence" or section_by is not None


def unheard(session: Session, row: ApplicationRow) -> set[str]:
    """The ids of questions still open that nobody can answer: no one else is of that section (a name with a slip of the pen, a
    section that does not use the desk yet), or for a 合議 no one of whom a manager has said so."""
    waiting = [each for each in consultations(session, row.id) if not each.answered_at and not each.cancelled_at]
    found = select(MemberRow).where(MemberRow.section.in_({each.section for each in waiting}))
    people = list(session.scalars(found)) if waiting else []
    return {each.id for each in waiting if not any(_may_answer(each, person) for person in people)}


def _may_answer(each: ConsultationRow, person: MemberRow) -> bool:
    return (
        person.section == each.section
        and person.subject != each.asked_by
        and may_speak_for_section(each.ask_kind, person.section_by)
    )


def _open_case(session: Session, application_id: str) -> ApplicationRow:
    row = cases.load(session, application_id, lock=True)
    if row.state not in OPEN:
        raise cases.changed_meanwhile(session, row)
    return row


def _find(session: Session, row: ApplicationRow, consultation_id: str) -> ConsultationRow:
    found = select(ConsultationRow).where(
        ConsultationRow.id == consultation_id, ConsultationRow.application_id == row.id
    )
    consultation = session.scalar(found.with_for_update())
    if consultation is None:
        raise NotFound(say("その照会は見つかりません。"))
    return consultation


def _people_of(session: Session, section: str) -> list[str]:
    found = select(MemberRow.subject).where(MemberRow.section == section)
    return list(session.scalars(found.order_by(MemberRow.subject).limit(50)))
