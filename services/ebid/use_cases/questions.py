"""質問と回答. Everybody reads both; nobody reads who asked."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, room
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from services.ebid.db import QuestionRow, TenderRow
from services.ebid.domain.states import State
from services.ebid.use_cases import companies, journal, log, publishing, tenders
from services.ebid.use_cases.office import Office

LONGEST = 2000
ASKING = room.switches.declare(
    "ebid",
    "questions",
    "画面での質問",
    "参加する会社が、案件について画面から質問できます。公表した質問と回答は、止めても読めます。",
)


def ask(session: Session, actor: Actor, tender_id: str, text: str, office: Office, now: datetime) -> QuestionRow:
    room.switches.check(session, ASKING)
    row = tenders.load_public(session, tender_id)
    bidder = companies.require_own(session, actor)
    if row.state != State.PUBLISHED or now >= row.questions_until:
        raise Conflict(say("質問の締切を過ぎています。"), code="too-late")
    if not text.strip():
        sentence = say("質問を入力してください。")
        raise Invalid(sentence, fields={"question": sentence})
    asked = QuestionRow(id=new_id(), tender_id=row.id, company_id=bidder.id, text=text.strip()[:LONGEST], asked_at=now)
    session.add(asked)
    journal.write(session, office, row.id, "question", {"question": asked.id, "text": asked.text}, now)
    return asked


def answer(
    session: Session, actor: Actor, tender_id: str, question_id: str, text: str, office: Office, now: datetime
) -> QuestionRow:
    """回答書: from now on question and answer are public, the asker is not. Once, and before anything is opened: later it would help
    nobody, and what the log has of a tender ends with its conclusion."""
    log.lock(session)  # before the tender, as 日時変更 does: two that lock in another order would wait for each other
    row = tenders.load(session, tender_id, lock=True)
    asked = session.scalar(
        select(QuestionRow).where(QuestionRow.id == question_id, QuestionRow.tender_id == row.id).with_for_update()
    )
    if asked is None:
        raise NotFound(say("この質問は見つかりません。"))
    if asked.answered_at is not None:
        raise Conflict(say("ほかの方が先に変更しました。画面を開き直して、確かめてください。"), code="changed")
    if row.state != State.PUBLISHED:
        raise Conflict(say("質問に回答できるのは、開かれる前までです。"), code="too-late")
    if not text.strip():
        sentence = say("回答を入力してください。")
        raise Invalid(sentence, fields={"answer": sentence})
    asked.answer, asked.answered_at = text.strip()[:LONGEST], now
    session.flush()
    journal.write(session, office, row.id, "answer", {"question": asked.id, "answer": asked.answer}, now)
    audit.record(session, actor, "ebid.question.answer", row.id, detail={"question": asked.id}, now=now)
    publishing.release(session, row, ["tenderUpdate"], office.site(room.code_of(session)), now)
    return asked


def listed(session: Session, row: TenderRow, *, answered: bool) -> list[QuestionRow]:
    """`answered`: only those that everybody may read."""
    found = select(QuestionRow).where(QuestionRow.tender_id == row.id).order_by(QuestionRow.id)
    return list(session.scalars(found.where(QuestionRow.answered_at.is_not(None)) if answered else found))
