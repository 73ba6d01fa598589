"""競争参加資格確認申請, 指名, and who may therefore bid."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, say
from libs.common.files import StoredFile
from services.ebid.db import CompanyRow, ParticipationRow, TenderRow
from services.ebid.domain import procedure
from services.ebid.domain.states import State
from services.ebid.use_cases import companies, delegations, journal, letters, log, proposals, tenders, ventures
from services.ebid.use_cases.office import Office

WORDS = {
    "applied": say("審査中"),
    "confirmed": say("資格あり"),
    "refused": say("資格なし"),
    "invited": say("指名"),
}
ADMITTED = ("confirmed", "invited")
Paper = tuple[StoredFile, str]


def apply(
    session: Session, actor: Actor, tender_id: str, statement: str, now: datetime, papers: Sequence[Paper] = ()
) -> ParticipationRow:
    """Apply for 資格確認, once, before its deadline. `papers`: stored files and their names (技術資料)."""
    log.lock(session)  # against a venture that is formed meanwhile
    row, bidder, delegate = applicant(session, actor, tender_id, now)
    application = ParticipationRow(
        tender_id=row.id, company_id=bidder.id, person=actor.subject, state="applied", statement=statement[:4000],
        reason="", applied_at=now, delegate=delegate,
    )  # fmt: skip
    session.add(application)
    for stored, name in papers:
        proposals.attach(session, row, bidder.id, stored, name, now)
    letters.write(session, row, bidder.id, "application_received", {}, now)
    return application


def applicant(
    session: Session, actor: Actor, tender_id: str, now: datetime
) -> tuple[TenderRow, CompanyRow, dict[str, Any] | None]:
    """The tender, and the company and 受任者 who may apply for it now. Conflict or Forbidden, saying why, for everybody else: asked
    before their papers are stored, and again when they apply."""
    row = tenders.load_public(session, tender_id)
    bidder, delegate = ventures.acting(session, actor, row), delegations.require(session, actor, row, now)
    if procedure.METHODS[row.method].access != "qualified" or row.state != State.PUBLISHED or row.apply_until is None:
        raise Conflict(say("この案件は、資格確認の申請を受け付けていません。"), code="no-application")
    if now >= row.apply_until:
        raise Conflict(say("資格確認申請の締切を過ぎています。"), code="too-late")
    ventures.require_qualified(session, row, bidder, now)
    if of(session, row, bidder.id) is not None:
        raise Conflict(say("この案件には、すでに申請しています。"), code="already-applied")
    return row, bidder, delegate


def decide(
    session: Session, actor: Actor, tender_id: str, company_id: str, confirmed: bool, reason: str, office: Office,
    now: datetime,
) -> ParticipationRow:  # fmt: skip
    """競争参加資格確認通知: 有, or 無 with the reason."""
    row = tenders.load(session, tender_id)
    application = of(session, row, company_id, lock=True)
    if application is None:
        raise NotFound(say("この申請は見つかりません。"))
    if application.state != "applied" or row.state != State.PUBLISHED:
        raise Conflict(say("この申請の審査は済んでいます。"), code="decided")
    if now >= tenders.round_of(session, row, row.round).bid_until:
        raise Conflict(say("締切を過ぎています。"), code="too-late")
    if not confirmed and not reason.strip():
        sentence = say("資格がないと認めた理由を入力してください。")
        raise Invalid(sentence, fields={"reason": sentence}, code="reason-needed")
    application.state, application.reason, application.decided_at = "confirmed" if confirmed else "refused", reason, now
    document = {"bidder": company_id, "confirmed": confirmed, "reason": reason}
    journal.write(session, office, row.id, "qualified", document, now)
    audit.record(
        session, actor, f"ebid.application.{application.state}", row.id, reason, {"company": company_id}, now=now
    )
    letters.write(session, row, company_id, f"application_{application.state}", {"reason": reason}, now)
    return application


def invite(
    session: Session, actor: Actor, tender_id: str, number: str, office: Office, now: datetime, reason: str = ""
) -> ParticipationRow:
    """指名通知, or the request for a quotation (見積依頼), to a company of the register. `reason`: why it, published of works."""
    row = tenders.load(session, tender_id)
    if procedure.METHODS[row.method].access != "invited" or row.state != State.PUBLISHED:
        raise Conflict(say("この案件では、会社の指名も見積の依頼もできません。"), code="no-invitation")
    if now >= tenders.round_of(session, row, row.round).bid_until:
        raise Conflict(say("締切を過ぎています。"), code="too-late")
    bidder = companies.by_number(session, number)
    companies.require_qualified(session, bidder, row.category, now)
    if of(session, row, bidder.id) is not None:
        raise Conflict(say("この会社には、すでに通知しています。"), code="already-invited")
    invited = ParticipationRow(
        tender_id=row.id, company_id=bidder.id, person=None, state="invited", statement="", reason=reason, applied_at=now,
        decided_at=now,
    )  # fmt: skip
    session.add(invited)
    journal.write(session, office, row.id, "invited", {"bidder": bidder.id, "reason": reason}, now)
    audit.record(session, actor, "ebid.company.invite", row.id, detail={"company": bidder.id}, now=now)
    kind = "invited" if procedure.METHODS[row.method].competitive else "asked"
    letters.write(session, row, bidder.id, kind, {}, now)
    return invited


def of(session: Session, row: TenderRow, company_id: str, *, lock: bool = False) -> ParticipationRow | None:
    statement = select(ParticipationRow).where(
        ParticipationRow.tender_id == row.id, ParticipationRow.company_id == company_id
    )
    return session.scalar(statement.with_for_update() if lock else statement)


def admitted(session: Session, row: TenderRow) -> list[ParticipationRow]:
    """Who may bid after 資格確認 or by 指名."""
    found = select(ParticipationRow).where(ParticipationRow.tender_id == row.id, ParticipationRow.state.in_(ADMITTED))
    return list(session.scalars(found.order_by(ParticipationRow.company_id)))


def listed(session: Session, row: TenderRow) -> list[tuple[ParticipationRow, CompanyRow]]:
    """Applications and invitations of a tender with their companies, in the order of arrival. For its officers."""
    found = list(
        session.scalars(
            select(ParticipationRow)
            .where(ParticipationRow.tender_id == row.id)
            .order_by(ParticipationRow.applied_at, ParticipationRow.company_id)
        )
    )
    known = companies.by_ids(session, {each.company_id for each in found})
    return [(each, known[each.company_id]) for each in found]


def is_asked(session: Session, row: TenderRow, bidder: CompanyRow) -> bool:
    """Whether the present round is open to this bidder, as far as the rounds before go."""
    return row.round == 1 or bidder.id in tenders.entitled(session, row)


def require_admitted(
    session: Session, row: TenderRow, bidder: CompanyRow, now: datetime, *, alone: bool = True
) -> None:
    """Forbidden, saying why, unless this company may bid in the present round. `alone`: see `ventures.require_qualified`."""
    ventures.require_qualified(session, row, bidder, now, alone=alone)
    if procedure.METHODS[row.method].access != "registered":
        found = of(session, row, bidder.id)
        if found is None or found.state not in ADMITTED:
            raise Forbidden(say("この案件に参加する資格が確認されていません。"), code="not-admitted")
    if not is_asked(session, row, bidder):
        raise Forbidden(say("この回に参加できるのは、前の回の結果により求められた方だけです。"), code="not-admitted")
