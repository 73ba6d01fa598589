"""技術資料 and other papers that a company sends with its application: read by the tender's officers, each time with a record, and by
who sent them; deleted when the municipality's 保存期間 is over."""

from datetime import date, datetime
from pathlib import PurePath
from typing import BinaryIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, files
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import NotFound, say
from libs.common.files import Store, StoredFile
from services.ebid.db import ContractRow, ProposalRow, TenderRow
from services.ebid.domain.states import State
from services.ebid.use_cases import profiles, ventures

MOST_BYTES = 50 * 1024 * 1024
PLACES = ("paper-1", "paper-2", "paper-3")
"""Inputs of the form."""


def keep(store: Store, tenant: str, stream: BinaryIO) -> StoredFile:
    """Store the bytes, before the transaction: no lock waits for them."""
    return store.put(tenant, stream, limit=MOST_BYTES, allowed=files.PDF | files.ZIP | files.IMAGES)


def attach(
    session: Session, row: TenderRow, company_id: str, stored: StoredFile, name: str, now: datetime
) -> ProposalRow:
    plain = PurePath(name.replace("\\", "/")).name or "技術資料"
    paper = ProposalRow(tender_id=row.id, company_id=company_id, name=plain[:200])
    paper.remember(stored, now)
    session.add(paper)
    return paper


def read(session: Session, actor: Actor, row: TenderRow, file_id: str, now: datetime) -> ProposalRow:
    """For an officer. Written down who read whose paper when: what a rival would pay for leaves a trace."""
    found = find(session, row, file_id)
    detail = {"company": found.company_id, "file": found.id}
    audit.record(session, actor, "ebid.proposal.read", row.id, detail=detail, now=now)
    return found


def of(session: Session, row: TenderRow, company_id: str) -> list[ProposalRow]:
    found = select(ProposalRow).where(ProposalRow.tender_id == row.id, ProposalRow.company_id == company_id)
    return list(session.scalars(found.order_by(ProposalRow.id)))


def listed(session: Session, row: TenderRow) -> dict[str, list[ProposalRow]]:
    """By company."""
    found: dict[str, list[ProposalRow]] = {}
    for each in session.scalars(select(ProposalRow).where(ProposalRow.tender_id == row.id).order_by(ProposalRow.id)):
        found.setdefault(each.company_id, []).append(each)
    return found


def find(session: Session, row: TenderRow, file_id: str) -> ProposalRow:
    found = session.scalar(select(ProposalRow).where(ProposalRow.tender_id == row.id, ProposalRow.id == file_id))
    if found is None:
        raise NotFound(say("この書類は見つかりません。"))
    return found


def find_own(session: Session, actor: Actor, row: TenderRow, file_id: str) -> ProposalRow:
    own, found = ventures.require_own(session, actor, row), find(session, row, file_id)
    if found.company_id != own.id:
        raise NotFound(say("この書類は見つかりません。"))
    return found


# ---- 保存期間


def forget(session: Session, now: datetime) -> int:
    """Delete the papers of tenders whose 保存期間 is over, and say in the audit record which they were; how many. Their bytes go with
    the next sweep of loose files."""
    actor = Actor("service", "ebid", tenant=session.info["tenant"])
    years, today, gone = profiles.of(session).papers_years, local_date(now), 0
    for row in session.scalars(select(TenderRow).where(TenderRow.id.in_(select(ProposalRow.tender_id)))):
        if (until := kept_until(session, row, years)) is None or today < until:
            continue
        papers = [paper for papers in listed(session, row).values() for paper in papers]
        detail = {"kept_until": until.isoformat(), "sha256": [paper.sha256 for paper in papers]}
        audit.record(session, actor, "ebid.proposals.forget", row.id, detail=detail, now=now)
        for paper in papers:
            session.delete(paper)
        gone += len(papers)
    return gone


def kept_until(session: Session, row: TenderRow, years: int) -> date | None:
    """The first of April on which `years` whole fiscal years are over since the one in which the tender, or its contract, ended.
    None while the tender goes on. (文書管理規程 of municipalities count so as a rule [M]; no law says it for all.)"""
    if row.state not in (State.CONCLUDED, State.CANCELLED):
        return None
    contract = session.get(ContractRow, (session.info["tenant"], row.id))
    ended = (
        local_date(row.concluded_at or row.updated_at) if contract is None else contract.completed_on or contract.last
    )
    return date(fiscal_year(ended) + 1 + years, 4, 1)
