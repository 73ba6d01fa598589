"""RFC 3161 time stamps over the checkpoints of deadlines, and the beacon that comes from them.

Nobody knows the stamp's bytes before the deadline; together with the bidders' blinds, which nobody knows before the opening, they
make the seed of the verifiable lottery and of a drawn factor.
"""

import hashlib
from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import jobs
from services.ebid.db import RoundRow, TenderRow
from services.ebid.sealing.canonical import tagged
from services.ebid.use_cases import log, tenders
from services.ebid.use_cases.office import Office

STAMP = "ebid.stamp"
"""The job that fetches the stamp of a deadline's checkpoint."""
BEACON = "timestamp"
"""The word in the announcement."""


def ask(session: Session, row: TenderRow, held: RoundRow, now: datetime) -> None:
    payload = {"tender": row.id, "round": held.number, "size": held.checkpoint_size}
    jobs.add(session, STAMP, payload, key=f"{row.id}:{held.number}", now=now)


def note_of(session: Session, size: int) -> str | None:
    """The checkpoint's note, or None when it has its stamp already."""
    row = log.checkpoint(session, size)
    return None if row.stamp else row.note


def keep(session: Session, tender_id: str, number: int, size: int, reply: bytes, office: Office, now: datetime) -> None:
    """Store the stamp and log it, so that no other can take its place when the bids are open."""
    checkpoint = log.checkpoint(session, size)
    if checkpoint.stamp is None:
        checkpoint.stamp = reply.hex()
    row = tenders.load(session, tender_id)
    digest = tagged("beacon", bytes.fromhex(checkpoint.stamp)).hex()
    log.enter(session, office.signers, row.id, "beacon", digest, now, round=number)


def of(session: Session, held: RoundRow) -> bytes | None:
    """The stamp of a closed round (DER)."""
    if held.checkpoint_size is None:
        return None
    stamp = log.checkpoint(session, held.checkpoint_size).stamp
    return bytes.fromhex(stamp) if stamp else None


def is_missing(session: Session, row: TenderRow, held: RoundRow) -> bool:
    """Whether the opening has to wait for a stamp that the announcement promised."""
    return row.terms.get("beacon") == BEACON and of(session, held) is None


def beacon(session: Session, row: TenderRow, held: RoundRow) -> bytes:
    """32 bytes, or nothing where none was announced."""
    stamp = of(session, held)
    return hashlib.sha256(stamp).digest() if stamp and row.terms.get("beacon") == BEACON else b""
