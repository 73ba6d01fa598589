"""The written notice as PDF/A: from the decision as it was made and the procedure's own words."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libs.common import pdf
from libs.common.clock import local_date
from services.eapply.db import ApplicationRow, NoticeDocumentRow
from services.eapply.domain.receipt import grouped
from services.eapply.forms.definition import Procedure
from services.eapply.qr import picture

TEMPLATE = Path(__file__).parent / "templates" / "notice.typ"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who gives the notice: the municipality's name, where its notices are checked, and the signature's name if it is
    of the test CA."""

    place: str
    verify: str
    test_signer: str


def document(row: ApplicationRow, procedure: Procedure, notice: NoticeDocumentRow, issuer: Issuer) -> bytes:
    """The notice, not signed yet. The same decision gives the same bytes."""
    decision = row.decision or {}
    words = {"title": procedure.title, "word": decision["word"], "name": row.applicant_name, "place": issuer.place}
    rules = procedure.handling.notice
    address = f"{issuer.verify}/{notice.code}"
    data = {
        "letter": _head(row, notice, _filled(rules.sender, words), decision["department"]),
        "note": f"{notice.number}　{issuer.place}",
        "opening": _filled(rules.opening, words),
        "facts": [("受付番号", row.receipt_number), ("手続き", procedure.title), ("決定", decision["word"])],
        "parts": _parts(decision, issuer.place),
        "verify": address,
        "code": grouped(notice.code),
        "test": issuer.test_signer,
    }
    title = _filled(rules.title, words)
    return pdf.render(
        TEMPLATE, data, title=title, at=notice.decided_at, files={"qr.svg": picture(address)}, stand_in=pdf.GETA
    )


def _filled(text: str, words: dict[str, str]) -> str:
    """`text` with {title} and its like replaced; nothing in the words themselves is read again."""
    return re.sub(r"\{(title|word|name|place)\}", lambda found: words[found[1]], text)


def _head(row: ApplicationRow, notice: NoticeDocumentRow, sender: str, department: str) -> pdf.Letter:
    to = (f"{row.applicant_name} 様",) if row.applicant_name else ()
    return pdf.Letter(notice.number, local_date(notice.decided_at), to, (sender, f"（{department}）"), "omitted")


def _parts(decision: dict[str, Any], place: str) -> list[tuple[str, str]]:
    """Heading and text of what there is: reason (行政手続法8条), remark, 教示 (行政不服審査法82条)."""
    parts = (
        ("理由", decision["reason"]),
        ("お知らせ", decision["remark"]),
        ("教示", decision["remedy"].replace("{place}", place)),
    )
    return [(heading, text) for heading, text in parts if text]
