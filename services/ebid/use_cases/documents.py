"""設計書, 図面 and other papers of a tender: attached while it is drafted, read by everybody afterwards."""

from dataclasses import asdict
from datetime import datetime
from pathlib import PurePath
from typing import BinaryIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, files
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.files import Store, StoredFile
from services.ebid.db import DocumentRow, TenderRow
from services.ebid.domain.states import Step
from services.ebid.scanning import scan
from services.ebid.use_cases import tenders

MOST_BYTES = 200 * 1024 * 1024
MOST = 50


def keep(store: Store, tenant: str, stream: BinaryIO) -> StoredFile:
    """Store the bytes, before the transaction: no lock waits for them."""
    return store.put(tenant, stream, limit=MOST_BYTES, allowed=files.PDF | files.ZIP | files.IMAGES)


FINDINGS = {
    "hidden-text": say("見えない文字（白い文字、透明な文字、極端に小さい文字）"),
    "hidden-layer": say("隠したレイヤー、シート、行、列"),
    "note": say("注釈、コメント"),
    "attachment": say("中に添えられたファイル"),
    "metadata": say("作成者などの情報"),
    "price-words": say("価格を思わせる名前"),
    "unreadable": say("中を確かめられないファイル"),
}
MOST_SCANNED = 100 * 1024 * 1024


def scanned(store: Store, tenant: str, stored: StoredFile, name: str) -> list[dict[str, str]]:
    """What the paper tells beside what it shows. Before the transaction: a large paper takes seconds."""
    if stored.size > MOST_SCANNED:
        return [{"kind": "unreadable", "where": "", "found": name[:80]}]
    with store.open(tenant, stored.id) as opened:
        content = b"".join(opened.chunks)
    return [asdict(finding) for finding in scan(content, name)]


def attach(
    session: Session, actor: Actor, tender_id: str, seen: int, stored: StoredFile, name: str, now: datetime,
    findings: list[dict[str, str]] | None = None,
) -> DocumentRow:  # fmt: skip
    row = tenders.changing(session, tender_id, seen, Step.EDIT, now)
    if len(listed(session, row)) >= MOST:
        raise Invalid(say("書類は%(most)s件までです。", most=MOST), fields={"document": say("書類が多すぎます。")})
    document = DocumentRow(tender_id=row.id, name=(PurePath(name.replace("\\", "/")).name or "書類")[:200])
    document.remember(stored, now)
    document.findings = findings
    session.add(document)
    audit.record(session, actor, "ebid.document.attach", row.id, detail={"sha256": stored.sha256}, now=now)
    return document


def remove(session: Session, actor: Actor, tender_id: str, seen: int, file_id: str, now: datetime) -> None:
    """Take a paper off the draft; its bytes go with the next sweep."""
    row = tenders.changing(session, tender_id, seen, Step.EDIT, now)
    session.delete(find(session, row, file_id))
    audit.record(session, actor, "ebid.document.remove", row.id, now=now)


def listed(session: Session, row: TenderRow) -> list[DocumentRow]:
    return list(session.scalars(select(DocumentRow).where(DocumentRow.tender_id == row.id).order_by(DocumentRow.id)))


def find(session: Session, row: TenderRow, file_id: str) -> DocumentRow:
    found = session.scalar(select(DocumentRow).where(DocumentRow.tender_id == row.id, DocumentRow.id == file_id))
    if found is None:
        raise NotFound(say("この書類は見つかりません。"))
    return found
