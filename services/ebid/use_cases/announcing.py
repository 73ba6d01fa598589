"""From a finished draft to its 公告, and 取止め. Two persons publish: who drafted does not approve."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from libs.common import audit, outbox, room
from libs.common.actor import Actor
from libs.common.errors import Conflict, Forbidden, Invalid, say
from services.ebid import events
from services.ebid.db import RoundRow, TenderRow
from services.ebid.domain import procedure, wording
from services.ebid.domain.procedure import Dates
from services.ebid.domain.states import Step
from services.ebid.sealing import envelope
from services.ebid.sealing.canonical import canonical, tagged
from services.ebid.sealing.note import stamp
from services.ebid.use_cases import deadlines, documents, letters, log, publishing, sealed, tenders, trustees
from services.ebid.use_cases.office import Office
from services.ebid.verify import bundle


def seal_limits(
    session: Session, actor: Actor, tender_id: str, seen: int, given: dict[str, Any], now: datetime
) -> TenderRow:
    """Keep 予定価格 and 最低制限価格 as the official's own browser sealed them (封緘). Nobody here can read them: that a 予定価格 published
    beforehand is the sealed one shows at the opening."""
    row = tenders.changing(session, tender_id, seen, Step.EDIT, now)
    if not sealed.needs_sealing(row):
        raise Conflict(say("この案件の予定価格は事前公表で、ほかに封をする価格はありません。"), code="nothing-to-seal")
    row.reserve, digest = sealed.check(given, sealed.limits_header(row))
    audit.record(session, actor, "ebid.limits.seal", row.id, detail={"digest": digest}, now=now)
    return row


def submit(session: Session, actor: Actor, tender_id: str, seen: int, now: datetime) -> TenderRow:
    """Ask for approval. Everything that the announcement needs must be there."""
    row = tenders.changing(session, tender_id, seen, Step.SUBMIT, now)
    if len(row.trustees) < trustees.LEAST:
        raise Conflict(
            say("開封のかぎを持つ人を%(least)s人以上選んでください。", least=trustees.LEAST), code="too-few-trustees"
        )
    trustees.require_apart(row.trustees, row.threshold)
    _require_sealed(row)
    row.drafted_by, row.drafted_by_name = actor.subject, actor.name
    audit.record(session, actor, "ebid.tender.submit", row.id, now=now)
    return row


def _require_sealed(row: TenderRow) -> None:
    if sealed.needs_sealing(row) and row.reserve is None:
        raise Conflict(say("先に、予定価格などの価格に封をしてください。"), code="reserve-missing")


def give_back(session: Session, actor: Actor, tender_id: str, seen: int, reason: str, now: datetime) -> TenderRow:
    """Return the draft to its officer."""
    row = tenders.changing(session, tender_id, seen, Step.RETURN, now)
    audit.record(session, actor, "ebid.tender.return", row.id, reason, now=now)
    return row


def publish(
    session: Session, actor: Actor, tender_id: str, seen: int, office: Office, now: datetime, *, warned: bool = False
) -> TenderRow:
    """Approve and publish (公告). Freezes the announcement, logs its digest, tells the world. `warned`: whoever approves has read
    what the scanner found in the papers."""
    row = tenders.changing(session, tender_id, seen, Step.PUBLISH, now)
    if row.drafted_by == actor.subject:
        raise Forbidden(say("承認は、作成した方とは別の方が行います。"), code="same-person")
    trustees.require_apart(row.trustees, row.threshold)
    _require_sealed(row)
    if not warned and any(each.findings for each in documents.listed(session, row)):
        sentence = say("書類に見えない文字や作成者の情報があります。確かめてから公告してください。")
        raise Conflict(wording.worded(wording.way_of(row.method), sentence), code="papers-unread")
    first = tenders.round_of(session, row, 1)
    procedure.check_dates(
        Dates(row.questions_until, row.apply_until, first.bid_until, first.opens_at),
        procedure.METHODS[row.method].access,
        now,
    )
    row.approved_by, row.approved_by_name, row.published_at = actor.subject, actor.name, now
    row.announcement = announcement(session, row, first)
    row.announcement_digest = tagged("announcement", canonical(row.announcement)).hex()
    _log_publication(session, row, first, office, now)
    deadlines.close_at(session, row, first)
    audit.record(session, actor, "ebid.tender.publish", row.id, detail={"digest": row.announcement_digest}, now=now)
    fact = events.TenderPublished(
        tender_id=row.id, ocid=row.ocid, number=row.number, title=row.title, category=row.category,
        method=row.method, fiscal_year=row.fiscal_year, published_at=now, bid_until=first.bid_until,
        opens_at=first.opens_at,
    )  # fmt: skip
    if not tenders.is_practice(row):
        outbox.add(session, fact, subject=row.id, now=now)
    publishing.release(session, row, ["tender"], office.site(room.code_of(session)), now)
    return row


def announcement(session: Session, row: TenderRow, first: RoundRow) -> dict[str, Any]:
    """All that is fixed by the publication; its canonical JSON is what the digest is of."""
    return {
        "number": row.number,
        "title": row.title,
        "summary": row.summary,
        "place": row.place,
        "category": row.category,
        "method": row.method,
        "requirements": row.requirements,
        "questions_until": stamp(row.questions_until),
        "apply_until": stamp(row.apply_until) if row.apply_until else None,
        "bid_until": stamp(first.bid_until),
        "opens_at": stamp(first.opens_at),
        "terms": row.terms,
        "trustees": [{"name": each["name"], "institution": each["institution"]} for each in row.trustees],
        "documents": [{"name": each.name, "sha256": each.sha256} for each in documents.listed(session, row)],
    }


def _log_publication(session: Session, row: TenderRow, first: RoundRow, office: Office, now: datetime) -> None:
    assert row.announcement_digest is not None
    trustees.log_keys(session, office, row, now)
    log.enter(session, office.signers, row.id, "announcement", row.announcement_digest, now)
    log.enter(session, office.signers, row.id, "terms", bundle.terms_digest(row.terms), now)
    if not sealed.needs_sealing(row):
        row.reserve = sealed.seal_announced(row)
    assert row.reserve is not None
    log.enter(session, office.signers, row.id, "limits", envelope.digest(row.reserve), now, round=1)
    deadlines.log_deadline(session, row, first, office, now)


def cancel(
    session: Session, actor: Actor, tender_id: str, seen: int, reason: str, office: Office, now: datetime
) -> TenderRow:
    """取止め. Sealed bids stay sealed for ever. After an opening it is told to who bid, too."""
    row = tenders.changing(session, tender_id, seen, Step.CANCEL, now)
    if not reason.strip():
        sentence = say("取止めの理由を入力してください。公表されます。")
        raise Invalid(sentence, fields={"reason": sentence})
    row.cancel_reason = reason
    digest = tagged("cancelled", canonical({"tender": row.id, "reason": reason})).hex()
    log.enter(session, office.signers, row.id, "cancelled", digest, now)
    opened = any(held.opened_at is not None for held in tenders.rounds_of(session, row))
    kind = "cancelled_opened" if opened else "cancelled"
    letters.tell_participants(session, row, kind, {"reason": reason}, now)
    audit.record(session, actor, "ebid.tender.cancel", row.id, reason, now=now)
    publishing.release(session, row, ["tenderCancellation"], office.site(room.code_of(session)), now)
    return row
