"""Uploads and malware: looked at before they are kept, looked for again where that could not be, never handed out before."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, say
from libs.common.files import Store
from services.eapply.db import AttachmentRow
from services.eapply.forms.scan import NotReached, Scanner

BATCH = 50
SYSTEM = Actor("service", "eapply")


def refuse_unscanned(row: AttachmentRow, scanner: Scanner | None) -> None:
    """Raises Conflict while a file has not been looked at, or was found to be harmful. Without a scanner: nothing."""
    if row.malware:
        raise Conflict(
            say(
                "このファイルからウイルスなどが見つかったため、開けないようにしています。作り直したファイルをお送りください。"
            ),
            code="infected",
        )
    if scanner is not None and row.scanned_at is None:
        raise Conflict(
            say("このファイルは、ウイルスの検査が済むまで開けません。数分たってから、もう一度お試しください。"),
            code="not-scanned",
        )


def waiting(session: Session) -> list[str]:
    """Files of this municipality that nobody has looked at, the oldest first."""
    unseen = select(AttachmentRow.id).where(AttachmentRow.scanned_at.is_(None))
    return list(session.scalars(unseen.order_by(AttachmentRow.added_at).limit(BATCH)))


def judged(store: Store, tenant: str, file_id: str, scanner: Scanner) -> str | None:
    """What the scanner says of a stored file: the malware's name, "" for none, None where it does not answer."""
    with store.open(tenant, file_id) as opened:
        try:
            return scanner.found(_bounded(opened.chunks))
        except NotReached:
            return None


def _bounded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield from (chunk for chunk in chunks if chunk)


def note(session: Session, file_id: str, malware: str, now: datetime) -> None:
    """Write down what was found."""
    row = session.scalar(select(AttachmentRow).where(AttachmentRow.id == file_id).with_for_update())
    if row is None:
        return
    row.malware, row.scanned_at = malware[:200] or None, now
    if malware:
        audit.record(
            session, SYSTEM, "eapply.attachment.infected", row.application_id or row.draft_id or row.id, now=now
        )
