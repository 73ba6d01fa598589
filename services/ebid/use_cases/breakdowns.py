"""内訳書: sealed under a key of its own beside the bid, opened with it, for the buyer alone. What was opened is read again and checked."""

import base64
import io
import json
import zipfile
from datetime import datetime
from typing import Any

import openpyxl
from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.errors import Invalid, NotFound, say
from services.ebid.db import BreakdownRow, CompanyRow, RoundRow, TenderRow
from services.ebid.domain import breakdown as rules
from services.ebid.domain.breakdown import Breakdown
from services.ebid.sealing import files
from services.ebid.use_cases import sealed

MOST_BLOCKS = 17
"""Of 64 KiB: a file of 1 MiB and a little."""
MOST_UNPACKED = 50 * 1024 * 1024
Sent = tuple[dict[str, Any], bytes]
"""Envelope of the key, ciphertext."""


def is_needed(row: TenderRow) -> bool:
    """In the first round only: a 再度入札 and a quotation come without."""
    return row.terms.get("breakdown") == "required" and row.round == 1


def keep(
    session: Session, row: TenderRow, held: RoundRow, bidder: CompanyRow, sent: Sent | None, now: datetime
) -> None:
    """Keep what came with a bid. Raises Invalid where it is missing or not of the right form; nothing of it can be read here."""
    if not is_needed(row):
        return
    if sent is None:
        raise Invalid(say("内訳書を、金額といっしょに出してください。"), code="breakdown-missing")
    envelope, ciphertext = sent
    checked, digest = sealed.check(envelope, sealed.header(row, "breakdown", held.number, bidder.id))
    if len(ciphertext) % files.BLOCK != 16 or not files.BLOCK < len(ciphertext) <= MOST_BLOCKS * files.BLOCK + 16:
        raise Invalid(
            say("封をした内訳書の形が正しくありません。もう一度、画面から作り直してください。"), code="breakdown"
        )
    kept = base64.b64encode(ciphertext).decode()
    session.add(
        BreakdownRow(
            tender_id=row.id,
            round=held.number,
            company_id=bidder.id,
            envelope=checked,
            digest=digest,
            sealed=kept,
            kept_at=now,
        )
    )


def of_round(session: Session, row: TenderRow, number: int) -> list[BreakdownRow]:
    found = select(BreakdownRow).where(BreakdownRow.tender_id == row.id, BreakdownRow.round == number)
    return list(session.scalars(found.order_by(BreakdownRow.company_id)))


def opened(kept: BreakdownRow, payload: dict[str, Any] | None, bid: dict[str, Any] | None) -> None:
    """Remember the key and what is wrong with the file, beside `bid`, the opened 入札書 of the same bidder."""
    kept.opened = payload
    try:
        content = content_of(kept)
        kept.problems = [str(each) for each in _problems(content, bid or {})]
    except Invalid as refusal:
        kept.problems = [str(refusal.message)]


def content_of(kept: BreakdownRow) -> bytes:
    """The file. Raises Invalid when it cannot be opened, NotFound before the opening."""
    if kept.opened is None and kept.problems is None:
        raise NotFound(say("内訳書は、開いたあとに読めます。"))
    return files.open_file(kept.opened or {}, base64.b64decode(kept.sealed), kept.envelope["head"])


def _problems(content: bytes, bid: dict[str, Any]) -> list[str]:
    found = read(content)
    if found is None:
        return [say("内訳書の表を読み取れません。")]
    return rules.problems(found, bid["amount"]) if isinstance(bid.get("amount"), int) else []


def read(content: bytes) -> Breakdown | None:
    """From XLSX or JSON; None for anything that is neither, or holds no such table."""
    if not content.startswith(b"PK"):
        try:
            return rules.from_document(json.loads(content))
        except (ValueError, RecursionError):
            return None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(member.file_size for member in packed.infolist()) > MOST_UNPACKED:
                return None
        sheet = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True).worksheets[0]
        return rules.from_cells(
            [list(row) for row in sheet.iter_rows(max_row=rules.MOST_LINES + 100, max_col=50, values_only=True)]
        )
    except Exception:  # whatever a broken or hostile workbook makes the reader do: it is no 内訳書
        return None


def template() -> bytes:
    """An empty 内訳書 to fill in."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "内訳書"
    sheet.append(["名称", "数量", "単位", "単価", "金額（税抜、円）"])
    for number in range(2, 22):
        sheet.append([None, None, None, None, f'=IF(B{number}="","",B{number}*D{number})'])
    sheet.append(["合計", None, None, None, "=SUM(E2:E21)"])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def sent_of(envelope: str, ciphertext: bytes | None) -> Sent | None:
    """What a form brought: the envelope's JSON and the ciphertext, or nothing."""
    if not envelope or ciphertext is None:
        return None
    try:
        document = json.loads(envelope)
    except (ValueError, RecursionError):
        document = None
    return (document, ciphertext) if isinstance(document, dict) else None
