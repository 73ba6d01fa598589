"""技術資料 and other papers that a company sends with its application."""

from datetime import datetime
from pathlib import PurePath
from typing import BinaryIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import files
from libs.common.actor import Actor
from libs.common.errors import NotFound, say
from libs.common.files import Store, StoredFile
from services.ebid.db import ProposalRow, TenderRow
from services.ebid.use_cases import ventures

MOST_BYTES = 50 * 1024 * 1024


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
