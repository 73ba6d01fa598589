"""技術点 of 総合評価 and プロポーザル: given by officers before anything is opened, and fixed in the log."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, NotFound, say
from services.ebid.db import EntryRow, ScoreRow, ShareRow, TenderRow
from services.ebid.domain import scoring
from services.ebid.domain.scoring import Criterion
from services.ebid.domain.states import State
from services.ebid.use_cases import log, participation, tenders
from services.ebid.use_cases.office import Office
from services.ebid.verify import bundle


def needed(row: TenderRow) -> bool:
    """Whether officials give points before the opening; with 自己採点 bidders seal their own."""
    return "criteria" in row.terms and row.terms.get("points") != "self"


def criteria(row: TenderRow) -> tuple[Criterion, ...]:
    return scoring.criteria_of(row.terms.get("criteria", ()))


def give(
    session: Session, actor: Actor, tender_id: str, company_id: str, points: Mapping[str, str], now: datetime
) -> ScoreRow:
    """Write down one company's points. Can be corrected until they are fixed."""
    row = _scored(session, tender_id)
    known = participation.of(session, row, company_id)
    if known is None or known.state not in participation.ADMITTED:
        raise NotFound(say("この会社は、この案件の評価の対象ではありません。"))
    total = scoring.total(criteria(row), points)
    score = session.get(ScoreRow, (session.info["tenant"], row.id, company_id))
    if score is not None and score.entry_id is not None:
        raise Conflict(say("この会社の技術点は、確定しています。"), code="score-fixed")
    if score is None:
        score = ScoreRow(tender_id=row.id, company_id=company_id, entry_id=None)
        session.add(score)
    score.points, score.total = dict(points), str(total)
    score.scored_by, score.scored_at = actor.subject, now
    audit.record(
        session, actor, "ebid.score.give", row.id, detail={"company": company_id, "total": str(total)}, now=now
    )
    return score


def fix(session: Session, actor: Actor, tender_id: str, office: Office, now: datetime) -> int:
    """Put every company's points into the log, before a trustee may open anything. How many were fixed now."""
    row = _scored(session, tender_id)
    given = of(session, row)
    missing = [each.company_id for each in participation.admitted(session, row) if each.company_id not in given]
    if missing:
        raise Conflict(
            say("技術点の入っていない会社が%(count)s者あります。", count=len(missing)), code="scores-missing"
        )
    open_ones = [score for score in given.values() if score.entry_id is None]
    for score in open_ones:
        digest = bundle.technical_digest(row.id, score.company_id, score.total)
        score.entry_id = log.enter(session, office.signers, row.id, "technical", digest, now).id
    audit.record(session, actor, "ebid.score.fix", row.id, detail={"count": len(open_ones)}, now=now)
    return len(open_ones)


def _scored(session: Session, tender_id: str) -> TenderRow:
    """The tender, locked, while points may be given."""
    row = tenders.load(session, tender_id, lock=True)
    if not needed(row) or row.state != State.PUBLISHED or _begun(session, row):
        raise Conflict(say("この案件は、いま技術点を入れるところではありません。"), code="no-scores")
    return row


def _begun(session: Session, row: TenderRow) -> bool:
    """Whether a trustee has given shares of the present round."""
    given = select(ShareRow.trustee_id).where(ShareRow.tender_id == row.id, ShareRow.round == row.round)
    return session.scalar(given.limit(1)) is not None


def of(session: Session, row: TenderRow) -> dict[str, ScoreRow]:
    """By company."""
    found = session.scalars(select(ScoreRow).where(ScoreRow.tender_id == row.id))
    return {score.company_id: score for score in found}


def technical(session: Session, row: TenderRow) -> dict[str, Fraction]:
    """The fixed points, by company."""
    return {key: Fraction(score.total) for key, score in of(session, row).items() if score.entry_id is not None}


def entries(session: Session, row: TenderRow) -> dict[str, EntryRow]:
    """Where the log has them, by company."""
    logged = {entry.id: entry for entry in log.entries_of(session, row.id, "technical")}
    return {key: logged[score.entry_id] for key, score in of(session, row).items() if score.entry_id}


def are_fixed(session: Session, row: TenderRow) -> bool:
    """Whether every company that may bid has its points in the log; true where none are needed."""
    if not needed(row):
        return True
    fixed = technical(session, row)
    return all(each.company_id in fixed for each in participation.admitted(session, row))
